"""From the bytes of a file that nobody vouches for to a picture for a shard.

Judged by the size that it claims before it is decoded; decoded no larger than needed; opaque, upright,
resized, and encoded anew, so that no metadata stays in it. Colours are taken as sRGB and profiles ignored,
as is usual in data sets of this kind; samples of 16 bits keep their high byte.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

from PIL import Image

from curation.download import containers
from curation.download.blur import blur_boxes
from curation.download.fingerprint import SIDE, perceptual_hash
from curation.download.pixels import (
    IMAGE_ERRORS,
    ImageError,
    Region,
    as_it_came,
    decode,
    judge_area,
    open_image,
    undisturbed,
)
from curation.download.resize import ResizeMode, Size, frame, framed_size, scale, scaled_size
from curation.errors import InputError

__all__ = ["IMAGE_ERRORS", "NO_MEMORY", "ImageError", "ImageOptions", "Picture", "process"]

NO_MEMORY = "takes more memory than a decoder may use"
_FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
_LONGEST = {"jpg": 65_500, "png": 1_000_000, "webp": 16_383}  # that a side can be
_HIGHEST = {"jpg": 100, "png": 9, "webp": 100}
_HASHED_SIDE = 4 * SIDE  # pictures are hashed no smaller than this, so that options hardly change the hash

_Turn = Image.Transpose
_TURNS = {
    2: _Turn.FLIP_LEFT_RIGHT,
    3: _Turn.ROTATE_180,
    4: _Turn.FLIP_TOP_BOTTOM,
    5: _Turn.TRANSPOSE,
    6: _Turn.ROTATE_270,
    7: _Turn.TRANSVERSE,
    8: _Turn.ROTATE_90,
}
_TURNS_BACK = {**_TURNS, 6: _Turn.ROTATE_90, 8: _Turn.ROTATE_270}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """What pictures are taken, and what becomes of them; names and meanings are those of img2dataset.

    Attributes:
        image_size: side in pixels that pictures are scaled to.
        resize_mode: `keep_ratio`: the shorter side; `keep_ratio_largest`: the longer one; `center_crop`: the
            shorter side, then the middle square; `border`: the longer one, then white to a square; `no`.
            Deviates: `center_crop` and `border` give squares of smaller pictures too, `border` always
            of `image_size`.
        enlarge: whether smaller pictures are scaled too.
        encode_format: of the result, always in colour.
        encode_quality: 0 to 100; for png the compression level, 0 to 9.
        skip_reencode: whether files that need no change stay as they were encoded; only metadata is
            taken out of them, and they may be grey.
        min_image_size: of the shorter side.
        max_aspect_ratio: longer side by shorter.
        max_image_area: in pixels.

    Raises:
        InputError: a number is out of range.
    """

    image_size: int = 256
    resize_mode: ResizeMode = "keep_ratio"
    enlarge: bool = False
    encode_format: Literal["jpg", "png", "webp"] = "jpg"
    encode_quality: int = 95
    skip_reencode: bool = False
    min_image_size: int = 0
    max_aspect_ratio: float = math.inf
    max_image_area: int = 100_000_000

    def __post_init__(self) -> None:
        for name, least, most in (
            ("encode_quality", 0, _HIGHEST[self.encode_format]),
            ("image_size", 1, _LONGEST[self.encode_format]),
        ):
            if not least <= getattr(self, name) <= most:
                message = f"{name} is from {least} to {most} for {self.encode_format}"
                raise InputError(f"{message}, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as it goes into a shard.

    Attributes:
        data: the encoded file.
        width: in pixels.
        height: in pixels.
        original_width: of the file, upright.
        original_height: of the file, upright.
        exif: JSON object of a few harmless tags, those of `containers.EXIF_TAGS`.
        perceptual_hash: see `fingerprint`.
    """

    data: bytes
    width: int
    height: int
    original_width: int
    original_height: int
    exif: str
    perceptual_hash: str


def process(data: bytes, options: ImageOptions, boxes: Sequence[Sequence[float]] = ()) -> Picture:
    """Make a picture of a file. Not to be called in two threads at once.

    Args:
        data: JPEG, PNG, GIF, WebP, BMP or AVIF; of animations the first frame is taken.
        options: what to take, and what to make of it.
        boxes: what to blur, see `blur`.

    Raises:
        ImageError: it gives no picture.
        ValueError: the boxes make no sense.
    """
    with undisturbed():
        try:
            return _process(data, options, boxes)
        except MemoryError:
            raise ImageError("decoder_memory", NO_MEMORY) from None


def _process(data: bytes, options: ImageOptions, boxes: Sequence[Sequence[float]]) -> Picture:
    reader, data = open_image(data, max_area=options.max_image_area)
    tags = containers.exif_tags(reader.info.get("exif") or b"")
    turn = int(tags.get("Orientation", 1))
    original = _swapped(reader.size, turn)
    scaled, final = _planned_sizes(original, options)
    kept = None
    if options.skip_reencode and original == final and turn == 1 and not boxes:
        kept = as_it_came(reader, data, _FORMATS[options.encode_format])
    target = _swapped(scaled, turn)
    needed = target if kept is None else (1, 1)
    image, region = decode(reader, data, (max(needed[0], _HASHED_SIDE), max(needed[1], _HASHED_SIDE)))
    fingerprint = ""
    if kept is not None or boxes or target[0] > original[turn >= 5] or min(target) < _HASHED_SIDE:
        fingerprint = perceptual_hash(_turned(image, turn))
    if kept is None:
        image = _scaled(image, region, target, turn, boxes)
        kept = _encode(frame(image, final), options)
    return Picture(
        data=kept,
        width=final[0],
        height=final[1],
        original_width=original[0],
        original_height=original[1],
        exif=json.dumps(tags),
        perceptual_hash=fingerprint or perceptual_hash(image),
    )


def _scaled(
    image: Image.Image, region: Region, target: Size, turn: int, boxes: Sequence[Sequence[float]]
) -> Image.Image:
    """Blur, scale to the target (of the picture as it lies) and turn upright."""
    if boxes:
        image = _turned(blur_boxes(_turned(image, turn), boxes), turn, _TURNS_BACK)
    return _turned(scale(image, target, region), turn)


def _planned_sizes(size: Size, options: ImageOptions) -> tuple[Size, Size]:
    """Width and height of the scaled and of the final picture.

    Args:
        size: of the original, upright.
        options: what to take, and what to make of it.

    Raises:
        ImageError: the picture is not to be taken.
    """
    if min(size) < options.min_image_size:
        raise ImageError("too_small", f"{size[0]} x {size[1]} pixels")
    if max(size) > options.max_aspect_ratio * min(size):
        raise ImageError("too_long", f"{size[0]} x {size[1]} pixels")
    side, mode = options.image_size, options.resize_mode
    scaled = scaled_size(size, image_size=side, mode=mode, enlarge=options.enlarge)
    judge_area(scaled, options.max_image_area)
    final = framed_size(scaled, image_size=side, mode=mode)
    if max(final) > _LONGEST[options.encode_format]:
        raise ImageError("too_long", f"{final[0]} x {final[1]} pixels do not fit {options.encode_format}")
    return scaled, final


def _swapped(size: Size, turn: int) -> Size:
    return (size[1], size[0]) if turn >= 5 else size


def _turned(image: Image.Image, turn: int, turns: Mapping[int, _Turn] = _TURNS) -> Image.Image:
    return image.transpose(turns[turn]) if turn in turns else image


def _encode(image: Image.Image, options: ImageOptions) -> bytes:
    if image.mode != "RGB":
        image = image.convert("RGB")
    image.info = {}  # or the comments and profiles of the original are written
    file, quality = BytesIO(), options.encode_quality
    if options.encode_format == "png":
        image.save(file, "PNG", compress_level=quality)
    elif options.encode_format == "webp":
        image.save(file, "WEBP", quality=quality)
    else:
        image.save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return file.getvalue()
