import math

import numpy as np
import pytest
from PIL import Image

from curation.download.blur import blur_boxes


def checkerboard(width, height, cell=4):
    rows, columns = np.indices((height, width)) // cell
    return np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)


def test_what_is_in_a_box_is_gone_and_the_rest_as_it_was():
    pixels = checkerboard(400, 300)
    got = np.asarray(blur_boxes(Image.fromarray(pixels), [(0.4, 0.4, 0.6, 0.7)]))
    inside = got[120:210, 160:240].astype(float)
    assert inside.var() < 0.01 * pixels.astype(float).var()
    assert abs(inside.mean() - 127.5) < 3
    # A tenth of the diagonal for the margin and half of that for the edge, and a pixel.
    far = math.ceil(0.15 * math.hypot(80, 90)) + 1
    changed = np.argwhere((got != pixels).any(axis=2))
    assert (changed.min(axis=0) >= (120 - far, 160 - far)).all()
    assert (changed.max(axis=0) < (210 + far, 240 + far)).all()
    assert (changed.min(axis=0) <= (120 - 9, 160 - 9)).all()


def test_strength_goes_with_the_box():
    """A step becomes a slope whose steepness is that of a Gaussian with a tenth of the diagonal."""
    pixels = np.zeros((600, 600), np.uint8)
    pixels[:, 300:] = 255
    got = np.asarray(blur_boxes(Image.fromarray(pixels), [(0.25, 0.25, 0.75, 0.75)])).astype(float)
    sigma = 0.1 * math.hypot(300, 300)
    middle = got[300]
    for distance in (-2, -1, 0, 1, 2):
        at = 300 + round(distance * sigma)
        assert abs(middle[at] / 255 - 0.5 * (1 + math.erf((at + 0.5 - 300) / sigma / math.sqrt(2)))) < 0.02


def test_the_edge_is_soft():
    pixels = checkerboard(400, 300, cell=1)
    got = np.asarray(blur_boxes(Image.fromarray(pixels), [(0.4, 0.4, 0.6, 0.7)])).astype(float)
    contrast = np.abs(got[165, :200, 0] - 127.5)
    assert contrast[0] == 127.5
    assert contrast[-1] < 3
    # Over 6 pixels, a twentieth of the diagonal.
    assert np.abs(np.diff(contrast)).max() < 127.5 / 4


@pytest.mark.parametrize("box", [(-1, -1, 2, 2), (0, 0, 1, 1), (0.9, 0.9, 5, 5), (-3, 0.2, 0.1, 0.3)])
def test_boxes_may_reach_over_the_sides(box):
    pixels = checkerboard(60, 40)
    got = np.asarray(blur_boxes(Image.fromarray(pixels), [box]))
    assert got.shape == pixels.shape
    assert (got != pixels).any()


def test_all_boxes_are_blurred():
    pixels = checkerboard(400, 300)
    boxes = [(0.1, 0.1, 0.3, 0.3), (0.2, 0.2, 0.4, 0.4), (0.8, 0.8, 0.9, 0.9)]
    got = np.asarray(blur_boxes(Image.fromarray(pixels), boxes)).astype(float)
    for left, top, right, bottom in boxes:
        inside = got[round(top * 300) : round(bottom * 300), round(left * 400) : round(right * 400)]
        assert inside.var() < 0.01 * 127.5**2


def test_without_boxes_nothing_happens():
    image = Image.new("L", (3, 3))
    assert blur_boxes(image, []) is image


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((float("nan"), 0, 1, 1), "four numbers"),
        ((0, 0, float("inf"), 1), "four numbers"),
        ((0, 0, 1), "four numbers"),
        ((0.5, 0, 0.5, 1), "left is below"),
        ((0, 0.9, 1, 0.1), "top below"),
        ((1.1, 0, 1.2, 1), "outside"),
        ((0, -2, 1, -1), "outside"),
    ],
)
def test_nonsense_is_refused(box, message):
    with pytest.raises(ValueError, match=message):
        blur_boxes(Image.new("L", (10, 10)), [(0, 0, 1, 1), box])
