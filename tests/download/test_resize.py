import contextlib

import numpy as np
import pytest
from cykooz_resizer import CpuExtensions, Resizer
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from curation.download.resize import frame, framed_size, scale, scaled_size

sides = st.integers(1, 20_000)

SIZES = [  # mode, enlarge, original, scaled to 256, framed
    ("no", True, (640, 480), (640, 480), (640, 480)),
    ("keep_ratio", False, (640, 480), (341, 256), (341, 256)),
    ("keep_ratio", False, (480, 640), (256, 341), (256, 341)),
    ("keep_ratio", False, (513, 512), (256, 256), (256, 256)),  # 256.5 rounds to even
    ("keep_ratio", False, (515, 512), (258, 256), (258, 256)),  # 257.5 too
    ("keep_ratio", False, (300, 200), (300, 200), (300, 200)),
    ("keep_ratio", True, (300, 200), (384, 256), (384, 256)),
    ("keep_ratio", False, (256, 4000), (256, 4000), (256, 4000)),
    ("keep_ratio_largest", False, (640, 480), (256, 192), (256, 192)),
    ("keep_ratio_largest", False, (10_000, 3), (256, 1), (256, 1)),  # never 0
    ("keep_ratio_largest", False, (3, 10_000), (1, 256), (1, 256)),
    ("keep_ratio_largest", False, (200, 100), (200, 100), (200, 100)),
    ("keep_ratio_largest", True, (200, 100), (256, 128), (256, 128)),
    ("center_crop", False, (640, 480), (341, 256), (256, 256)),
    ("center_crop", False, (256, 1000), (256, 1000), (256, 256)),
    ("center_crop", False, (200, 1000), (200, 1000), (200, 200)),
    ("center_crop", True, (100, 50), (512, 256), (256, 256)),
    ("border", False, (640, 480), (256, 192), (256, 256)),
    ("border", False, (100, 50), (100, 50), (256, 256)),
    ("border", True, (100, 50), (256, 128), (256, 256)),
]


@pytest.mark.parametrize(("mode", "enlarge", "original", "scaled", "framed"), SIZES)
def test_sizes(mode, enlarge, original, scaled, framed):
    assert scaled_size(original, image_size=256, mode=mode, enlarge=enlarge) == scaled
    assert framed_size(scaled, image_size=256, mode=mode) == framed


@pytest.mark.parametrize("mode", ["keep_ratio", "keep_ratio_largest", "center_crop", "border"])
@given(size=st.tuples(sides, sides), image_size=st.integers(1, 1000), enlarge=st.booleans())
def test_any_size(mode, size, image_size, enlarge):
    scaled = scaled_size(size, image_size=image_size, mode=mode, enlarge=enlarge)
    longest = mode in ("keep_ratio_largest", "border")
    side, measured = (max(size), max(scaled)) if longest else (min(size), min(scaled))
    if side > image_size or enlarge:
        assert measured == image_size
        factor = image_size / side
        assert all(abs(now - was * factor) <= 0.5 or now == 1 for now, was in zip(scaled, size, strict=True))
    else:
        assert scaled == size
    width, height = framed_size(scaled, image_size=image_size, mode=mode)
    if mode in ("center_crop", "border"):
        assert width == height <= image_size


def area_average(pixels, size):
    """What each pixel of the smaller image covers of the larger one, by its share of the area."""

    def weights(large, small):
        edges = np.arange(small + 1) * large / small
        covered = np.minimum(edges[1:, None], np.arange(1, large + 1)) - np.maximum(
            edges[:-1, None], np.arange(large)
        )
        return np.clip(covered, 0, None) * small / large

    rows, columns = weights(pixels.shape[0], size[1]), weights(pixels.shape[1], size[0])
    return np.einsum("ij,jkc,lk->ilc", rows, pixels.astype(float), columns, optimize=True)


def random_pixels(width, height, channels=3):
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize(
    ("width", "height", "size"), [(64, 48, (32, 24)), (90, 70, (30, 10)), (8, 9, (8, 3))]
)
def test_whole_factors_are_exact_averages(width, height, size):
    pixels = random_pixels(width, height)
    got = scale(Image.fromarray(pixels), size, (0, 0, width, height))
    assert np.abs(np.asarray(got) - area_average(pixels, size)).max() < 1


@pytest.mark.parametrize("side", [450, 375, 260, 200, 120, 90])
def test_other_factors_are_nearly_averages(side):
    """On what photographs are like: noise that is strongest in low frequencies."""
    noise = random_pixels(500, 400).astype(np.float32)
    smooth = Image.fromarray(noise.astype(np.uint8)).resize((50, 40)).resize((500, 400))
    pixels = np.asarray(smooth) // 2 + (noise / 16).astype(np.uint8)
    size = (side, round(side * 0.8))
    got = np.asarray(scale(Image.fromarray(pixels), size, (0, 0, 500, 400)))
    assert np.abs(got - area_average(pixels, size)).mean() < 1


@pytest.mark.parametrize("size", [(341, 256), (400, 300), (77, 250)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_bits_with_and_without_the_extensions_of_a_processor(monkeypatch, size, channels):
    image = Image.fromarray(random_pixels(500, 400, channels).squeeze())
    results = set()
    for extensions in CpuExtensions:
        resizer = Resizer()
        with contextlib.suppress(ValueError):  # this machine lacks it
            resizer.cpu_extensions = extensions
        monkeypatch.setattr("curation.download.resize._resizer", resizer)
        results.add(scale(image, size, (0, 0, 500, 400)).tobytes())
    assert len(results) == 1


def test_enlarging():
    image = Image.fromarray(random_pixels(20, 10))
    got = scale(image, (50, 25), (0, 0, 20, 10))
    assert (np.asarray(got) == np.asarray(image.resize((50, 25), Image.Resampling.LANCZOS))).all()


def test_a_region_is_scaled_without_what_is_round_it():
    pixels = random_pixels(100, 60)
    got = scale(Image.fromarray(pixels), (20, 20), (0, 0, 80, 40))
    inside = scale(Image.fromarray(pixels[:40, :80]), (20, 20), (0, 0, 80, 40))
    assert np.abs(np.asarray(got).astype(int) - np.asarray(inside)).mean() < 6


@given(size=st.tuples(st.integers(1, 40), st.integers(1, 40)), side=st.integers(1, 50))
def test_crops_take_the_middle(size, side):
    assume(side <= min(size))
    pixels = random_pixels(*size)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    got = np.asarray(frame(Image.fromarray(pixels), (side, side)))
    assert (got == pixels[top : top + side, left : left + side]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_borders_are_white(channels):
    pixels = random_pixels(5, 4, channels)
    got = np.asarray(frame(Image.fromarray(pixels.squeeze()), (10, 10))).reshape(10, 10, channels)
    assert (got[3:7, 2:7] == pixels).all()
    got = got.copy()
    got[3:7, 2:7] = 255
    assert (got == 255).all()
