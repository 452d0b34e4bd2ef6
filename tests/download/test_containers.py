import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from curation.download.containers import bare_jpeg, bare_png, exif_tags, format_of, gif_size, webp_size


def encoded(kind, size=(31, 17), mode="RGB", **options):
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF"])
def test_formats(kind):
    assert format_of(encoded(kind)) == kind
    assert format_of(b" " + encoded(kind)) == ""


@pytest.mark.parametrize("kind", ["TIFF", "ICO", "JPEG2000"])
def test_other_formats(kind):
    assert format_of(encoded(kind)) == "other"


@pytest.mark.timeout(5)
@pytest.mark.parametrize("piece", [b"<!-- -->", b"<?xml ", b"<?xml>", b" ", b"\0\0\0\x18ftypmif1"])
def test_looking_for_a_format_takes_no_time(piece):
    format_of(piece * 1_000_000)


@pytest.mark.parametrize("size", [(1, 1), (300, 2), (200, 999)])
def test_sizes(size):
    assert gif_size(encoded("GIF", size, comment=b"x" * 1000)) == size
    assert webp_size(encoded("WEBP", size)) == size
    assert webp_size(encoded("WEBP", size, lossless=True)) == size
    assert webp_size(encoded("WEBP", size, exif=b"Exif\0\0II*\0")) == size


@given(
    st.binary(max_size=60),
    st.sampled_from([b"GIF89a", b"RIFF    WEBPVP8 ", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]),
)
def test_nothing_but_value_errors(data, head):
    for read in (gif_size, webp_size, bare_png, bare_jpeg):
        try:
            read(head + data)
        except ValueError:
            continue


def exif(entries, order="<", directory=8):
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", directory)
    return head + struct.pack(order + "H", len(entries)) + b"".join(entries)


def entry(tag, kind, count, value, order="<"):
    return struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_exif(order, prefix):
    orientation = entry(0x0112, 3, 1, struct.pack(order + "H", 6), order)
    at = 8 + 2 + 3 * 12
    texts = [entry(0x010F, 2, 3, b"abc", order), entry(0x0110, 2, 9, struct.pack(order + "I", at), order)]
    block = prefix + exif([orientation, *texts], order) + b"the model"
    assert exif_tags(block) == {"Make": "abc", "Model": "the model", "Orientation": 6}


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II*\0",
        b"nonsense" * 9,
        exif([], directory=1 << 31),
        exif([entry(0x0112, 3, 1, b"\x09")]),
        exif([entry(0x0112, 2, 2, b"6")]),
        exif([entry(0x010F, 2, 1 << 31, b"\xff\xff\xff\xff")]),
        exif([entry(0x013B, 2, 3, b"abc")]),
    ],
)
def test_exif_that_says_nothing(block):
    assert exif_tags(block) == {}


@given(st.binary(max_size=200), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_any_exif(data, head):
    for name, value in exif_tags(head + data).items():
        assert 1 <= value <= 8 if name == "Orientation" else 0 < len(value) <= 100
