"""Blurring of faces, or whatever else boxes are given for."""

import math
from collections.abc import Sequence

from PIL import Image, ImageFilter

_STRENGTH = 0.1  # sigma, of the box's diagonal
_MARGIN = 0.1  # of the diagonal, on every side
_EDGE = 0.05  # of the diagonal: how far beyond the margin the soft edge reaches
_REACH = 3  # sigmas: what lies farther away does not count


def check_boxes(boxes: Sequence[Sequence[float]]) -> None:
    """Refuse boxes that make no sense.

    Raises:
        ValueError: one is not four fractions, left < right and top < bottom, at least partly in the image.
    """
    for box in boxes:
        if len(box) != 4 or not all(math.isfinite(side) for side in box):
            raise ValueError(f"a box has four numbers, left, top, right and bottom, not {list(box)}")
        left, top, right, bottom = box
        if left >= right or top >= bottom:
            raise ValueError(
                f"a box's left is below its right, and its top below its bottom, not {list(box)}"
            )
        if right <= 0 or bottom <= 0 or left >= 1 or top >= 1:
            raise ValueError(f"a box has fractions of the image, and {list(box)} lies outside it")


def blur_boxes(image: Image.Image, boxes: Sequence[Sequence[float]]) -> Image.Image:
    """Blur what is in boxes so that it cannot be made out.

    Each box is enlarged by a tenth of its diagonal on every side and blurred with a sigma of a tenth of
    the diagonal in pixels, as in the faces of DataComp and ImageNet (img2dataset has lost its sigma
    and hardly blurs). Beyond that is a soft edge, so that no outline is left; the rest is unchanged.

    Args:
        image: upright, of mode L or RGB.
        boxes: (left, top, right, bottom) as fractions of the image; may reach over its sides.

    Returns:
        The image itself if there are no boxes, else another.

    Raises:
        ValueError: see `check_boxes`.
    """
    check_boxes(boxes)
    if not boxes:
        return image
    blurred = image.copy()
    for box in boxes:
        _blur(blurred, box)
    return blurred


def _blur(image: Image.Image, box: Sequence[float]) -> None:
    """Blur one box, in place."""
    width, height = image.size
    left, top = max(0.0, box[0]) * width, max(0.0, box[1]) * height
    right, bottom = min(1.0, box[2]) * width, min(1.0, box[3]) * height
    diagonal = math.hypot(right - left, bottom - top)
    sigma, margin, edge = _STRENGTH * diagonal, _MARGIN * diagonal, _EDGE * diagonal

    def around(distance: float) -> tuple[int, int, int, int]:
        return (
            max(0, math.floor(left - distance)),
            max(0, math.floor(top - distance)),
            min(width, math.ceil(right + distance)),
            min(height, math.ceil(bottom + distance)),
        )

    # Only the surroundings that count are blurred: most boxes are a small part of their image.
    taken = around(margin + edge + _REACH * sigma)
    patch = image.crop(taken)
    x0, y0, x1, y1 = around(margin + edge / 2)
    mask = Image.new("L", patch.size, 0)
    mask.paste(255, (x0 - taken[0], y0 - taken[1], x1 - taken[0], y1 - taken[1]))
    # All of it up to the margin, then less and less.
    mask = mask.filter(ImageFilter.BoxBlur(edge / 2))
    image.paste(patch.filter(ImageFilter.GaussianBlur(sigma)), taken, mask)
