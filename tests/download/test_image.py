import io
import json
import os
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from curation.download.image import IMAGE_ERRORS, ImageError, ImageOptions, process
from curation.download.resize import scale
from curation.errors import InputError

PLAIN = ImageOptions(resize_mode="no", encode_format="png", encode_quality=1)
EXIF = {0x010F: "Maker", 0x013B: "Artist Name", 0x8298: "(c) 2020", 0x927C: b"secret"}


def random_pixels(width=7, height=5, channels=3):
    return np.random.default_rng(width).integers(0, 256, (height, width, channels), np.uint8)


def photo(width=160, height=120):
    """Smooth, so that compression changes little."""
    noise = Image.fromarray(random_pixels(8, 6)).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(noise)


def encoded(image, kind, **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def pixels_of(picture):
    image = Image.open(io.BytesIO(picture.data))
    assert image.mode == "RGB"
    assert image.size == (picture.width, picture.height)
    return np.asarray(image)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(pixels, bits, colour, extra=b""):
    """A PNG by the book, of kinds that Pillow does not write."""
    height, width = pixels.shape[:2]
    if bits == 16:
        rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    elif bits == 8:
        rows = pixels.astype(np.uint8).reshape(height, -1)
    else:
        binary = (pixels.reshape(height, width, 1) >> np.arange(bits - 1, -1, -1)) & 1
        rows = np.packbits(binary.reshape(height, -1).astype(np.uint8), axis=1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        PngImagePlugin._MAGIC
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def refused(data, options=PLAIN, boxes=()):
    with pytest.raises(ImageError) as caught:
        process(data, options, boxes)
    assert caught.value.error in IMAGE_ERRORS
    assert len(caught.value.message) <= 100
    return caught.value.error


UPRIGHT = {  # what each orientation says of the pixels as they are stored
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored[::-1].transpose(1, 0, 2),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: stored[:, ::-1].transpose(1, 0, 2),
    0: lambda stored: stored,
    9: lambda stored: stored,
}


def with_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_orientation(orientation, kind):
    stored = random_pixels()
    data = encoded(stored, kind, exif=with_orientation(orientation), lossless=True)
    picture = process(data, PLAIN)
    expected = UPRIGHT[orientation](stored)
    assert (pixels_of(picture) == expected).all()
    assert (picture.original_height, picture.original_width) == expected.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_a_jpeg_that_is_scaled_cropped_and_blurred(orientation):
    """As if it had been upright in its file."""
    upright = photo(300, 200)
    back = {**{o: o for o in range(1, 9)}, 6: 8, 8: 6}
    stored = np.ascontiguousarray(UPRIGHT[back[orientation]](upright))
    options = ImageOptions(
        image_size=64, resize_mode="center_crop", encode_format="png", encode_quality=1, max_aspect_ratio=1.6
    )
    boxes = [(0.5, 0.1, 0.6, 0.4)]
    data = encoded(stored, "JPEG", quality=100, subsampling=0, exif=with_orientation(orientation))
    picture = process(data, options, boxes)
    expected = process(encoded(upright, "PNG"), options, boxes)
    assert (picture.original_width, picture.original_height) == (300, 200)
    assert np.abs(pixels_of(picture).astype(int) - pixels_of(expected)).max() <= 4
    assert json.loads(picture.exif) == {"Orientation": orientation}


def on_white(colours, alpha):
    colours, alpha = colours.astype(int), alpha.astype(int)
    return np.rint((colours * alpha + 255 * (255 - alpha)) / 255)


RGBA = random_pixels(9, 6, 4)
RGB, ALPHA, GREY = RGBA[..., :3], RGBA[..., 3:], RGBA[..., 0]
INDICES = RGBA[..., 0] % 16
PALETTE = random_pixels(16, 1)[0]
DEEP = np.random.default_rng(1).integers(0, 1 << 16, (6, 9, 3), np.uint16)
PLTE = chunk(b"PLTE", PALETTE.tobytes())


def in_rgb(grey):
    return np.repeat(grey.reshape(6, 9, 1), 3, axis=2)


def palette_image(mode="P"):
    image = Image.fromarray(INDICES).copy()
    image.putpalette(PALETTE.tobytes())
    return image


MODES = {
    "1": (encoded(Image.fromarray(GREY > 99), "PNG"), in_rgb((GREY > 99) * 255)),
    "L": (encoded(GREY, "PNG"), in_rgb(GREY)),
    "RGB": (encoded(RGB, "PNG"), RGB),
    "RGB in BMP": (encoded(RGB, "BMP"), RGB),
    "L in BMP": (encoded(GREY, "BMP"), in_rgb(GREY)),
    "RGB in WebP": (encoded(RGB, "WEBP", lossless=True), RGB),
    "RGBA": (encoded(RGBA, "PNG"), on_white(RGB, ALPHA)),
    "RGBA in WebP": (encoded(RGBA, "WEBP", lossless=True, exact=True), on_white(RGB, ALPHA)),
    "LA": (encoded(Image.fromarray(RGBA[..., 2:], "LA"), "PNG"), on_white(in_rgb(RGBA[..., 2]), ALPHA)),
    "P": (encoded(palette_image(), "PNG"), PALETTE[INDICES]),
    "P in GIF": (encoded(palette_image(), "GIF"), PALETTE[INDICES]),
    "P in BMP": (encoded(palette_image(), "BMP"), PALETTE[INDICES]),
    "P with one clear colour": (
        encoded(palette_image(), "PNG", transparency=3),
        np.where((INDICES == 3)[..., None], 255, PALETTE[INDICES]),
    ),
    "P in GIF with a clear colour": (
        encoded(palette_image(), "GIF", transparency=3),
        np.where((INDICES == 3)[..., None], 255, PALETTE[INDICES]),
    ),
    "P with alpha": (
        encoded(palette_image(), "PNG", transparency=bytes(range(0, 256, 16))),
        on_white(PALETTE[INDICES], INDICES[..., None] * 16),
    ),
    "2 bits": (png(GREY % 4, 2, 0), in_rgb(GREY % 4 * 85)),
    "2 bits, one clear": (
        png(GREY % 4, 2, 0, chunk(b"tRNS", b"\0\1")),
        in_rgb(np.where(GREY % 4 == 1, 255, GREY % 4 * 85)),
    ),
    "4 bits, one clear": (
        png(GREY % 16, 4, 0, chunk(b"tRNS", b"\0\5")),
        in_rgb(np.where(GREY % 16 == 5, 255, GREY % 16 * 17)),
    ),
    "1 bit, one clear": (png(GREY % 2, 1, 0, chunk(b"tRNS", b"\0\0")), np.full((6, 9, 3), 255)),
    "4 bits, palette": (png(INDICES, 4, 3, PLTE), PALETTE[INDICES]),
    "L, one clear": (
        png(GREY, 8, 0, chunk(b"tRNS", struct.pack(">H", GREY[0, 0]))),
        in_rgb(np.where(np.equal(GREY, GREY[0, 0]), 255, GREY)),
    ),
    "RGB, one clear": (
        png(RGB, 8, 2, chunk(b"tRNS", struct.pack(">3H", *RGB[0, 0].tolist()))),
        np.where(np.equal(RGB, RGB[0, 0]).all(axis=2, keepdims=True), 255, RGB),
    ),
    "16 bits, grey": (png(DEEP[..., 0], 16, 0), in_rgb(DEEP[..., 0] >> 8)),
    "16 bits, grey, one clear": (
        png(DEEP[..., 0], 16, 0, chunk(b"tRNS", struct.pack(">H", DEEP[0, 0, 0]))),
        in_rgb(np.where(DEEP[..., 0] == DEEP[0, 0, 0], 255, DEEP[..., 0] >> 8)),
    ),
    "16 bits, RGB": (png(DEEP, 16, 2), DEEP >> 8),
    "16 bits, RGB, one clear": (
        png(DEEP, 16, 2, chunk(b"tRNS", struct.pack(">3H", *DEEP[0, 0].tolist()))),
        np.where(np.equal(DEEP, DEEP[0, 0]).all(axis=2, keepdims=True), 255, DEEP >> 8),
    ),
    "16 bits, LA": (
        png(DEEP[..., :2], 16, 4),
        on_white(in_rgb(DEEP[..., 0] >> 8), DEEP[..., 1:2] >> 8),
    ),
}


@pytest.mark.parametrize("mode", MODES)
def test_colour_modes(mode):
    data, expected = MODES[mode]
    assert (pixels_of(process(data, PLAIN)) == expected).all()


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_jpeg(adobe):
    """Pillow writes them inverted, as Adobe does; without the marker they are read alike."""
    cmyk = Image.fromarray(photo()).convert("CMYK")
    data = encoded(cmyk, "JPEG", quality=100, subsampling=0)
    if not adobe:
        start = data.index(b"\xff\xee")
        data = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]
    got = pixels_of(process(data, PLAIN))
    assert np.abs(got.astype(int) - np.asarray(cmyk.convert("RGB"))).mean() < 2


def gif(screen, frame, at, indices, extension=b""):
    """A GIF whose first frame covers a part of its screen."""
    one = Image.new("P", frame)
    one.putdata(indices)
    one.putpalette(bytes(range(0, 12)))
    data = encoded(one, "GIF")
    descriptor = data.index(b",", 13 + (3 << (data[10] & 7) + 1))
    return (
        data[:6]
        + struct.pack("<HH", *screen)
        + data[10:descriptor]
        + extension
        + struct.pack("<cHH", b",", *at)
        + data[descriptor + 5 :]
    )


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
def test_gif_whose_first_frame_is_a_part(disposal):
    extension = b"!\xf9\x04" + bytes([disposal << 2, 0, 0, 0, 0])
    got = pixels_of(process(gif((6, 4), (2, 2), (3, 1), [0, 1, 2, 3], extension), PLAIN))
    expected = np.full((4, 6, 3), 255)
    expected[1:3, 3:5] = np.arange(12).reshape(2, 2, 3)
    assert (got == expected).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_the_first_frame_of_an_animation(kind):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("#ff0000", "#00ff00")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    assert np.abs(pixels_of(process(data, PLAIN)).astype(int) - (255, 0, 0)).max() <= 3


def test_default_image_of_an_animated_png():
    """That is what programs show which know nothing of animation."""
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    data = encoded(
        Image.new("RGB", (4, 4), "blue"), "PNG", save_all=True, default_image=True, append_images=frames
    )
    assert (pixels_of(process(data, PLAIN)) == (0, 0, 255)).all()


def test_avif():
    got = pixels_of(process(encoded(photo(), "AVIF", quality=100, subsampling="4:4:4"), PLAIN))
    assert np.abs(got.astype(int) - photo()).mean() < 2


def test_sizes_and_formats():
    data = encoded(photo(300, 200), "PNG")
    for kind, name in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")):
        options = ImageOptions(image_size=100, encode_format=kind, encode_quality=9)
        picture = process(data, options)
        assert (picture.width, picture.height) == (150, 100)
        assert (picture.original_width, picture.original_height) == (300, 200)
        image = Image.open(io.BytesIO(picture.data))
        assert (image.format, image.size, image.mode) == (name, (150, 100), "RGB")


def test_quality_and_subsampling_of_jpeg():
    image = Image.open(io.BytesIO(process(encoded(photo(), "PNG"), ImageOptions()).data))
    assert image.layer[0][1:3] == (2, 2)
    expected = encoded(photo(), "JPEG", quality=95)
    assert image.quantization == Image.open(io.BytesIO(expected)).quantization


@pytest.mark.parametrize(("width", "height"), [(2048, 1024), (1023, 517), (4099, 2051), (800, 3000)])
def test_large_jpegs_come_out_as_large_pngs_do(width, height):
    """Decoded at a fraction of their size, to the same place by a pixel's fraction."""
    pixels = photo(width, height)
    options = ImageOptions(image_size=128, encode_format="png", encode_quality=1)
    got = process(encoded(pixels, "JPEG", quality=95, subsampling=0), options)
    expected = process(encoded(pixels, "PNG", compress_level=1), options)
    assert np.abs(pixels_of(got).astype(int) - pixels_of(expected)).max() <= 3


def test_large_jpegs_are_not_decoded_in_full(monkeypatch):
    sizes = []
    monkeypatch.setattr(
        "curation.download.image.scale", lambda image, *rest: sizes.append(image.size) or scale(image, *rest)
    )
    data = encoded(photo(2000, 1100), "JPEG")
    process(data, ImageOptions(image_size=256))
    assert sizes[0] == (500, 275)
    sizes.clear()
    process(data, ImageOptions(image_size=276))
    assert sizes[0] == (1000, 550)


def test_limits():
    data = encoded(photo(40, 30), "PNG")
    assert process(data, ImageOptions(min_image_size=30, max_aspect_ratio=4 / 3, max_image_area=1200))
    assert refused(data, ImageOptions(min_image_size=31)) == "too_small"
    assert refused(data, ImageOptions(max_aspect_ratio=1.33)) == "too_long"
    assert refused(data, ImageOptions(max_image_area=1199)) == "too_many_pixels"


def test_what_enlarging_would_make_too_large():
    data = encoded(random_pixels(3000, 1), "PNG")
    assert refused(data, ImageOptions(enlarge=True)) == "too_many_pixels"
    assert refused(data, ImageOptions(enlarge=True, image_size=100)) == "too_long"


def bombs(side=60_000):
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    yield PngImagePlugin._MAGIC + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")
    yield gif((side, side), (2, 2), (0, 0), [0, 0, 0, 0])
    # Disposal would make Pillow fill a frame of this size on opening.
    small = gif((2, 2), (2, 2), (0, 0), [0, 0, 0, 0], b"!\xf9\x04\x08\0\0\0\0")
    at = small.index(b"," + bytes(4))
    yield small[: at + 5] + struct.pack("<HH", side, side) + small[at + 9 :]
    jpeg = encoded(photo(), "JPEG")
    at = jpeg.index(b"\xff\xc0")
    yield jpeg[: at + 5] + struct.pack(">HH", side, side) + jpeg[at + 9 :]
    webp = encoded(RGBA, "WEBP", exif=with_orientation(1))
    yield webp[:24] + b"\xff\x3f\0\xff\x3f\0" + webp[30:]
    bmp = encoded(RGB, "BMP")
    yield bmp[:18] + struct.pack("<ii", side, -side) + bmp[26:]


@pytest.mark.parametrize("data", list(bombs()), ids=["png", "gif", "gif frame", "jpeg", "webp", "bmp"])
def test_bombs_are_judged_before_they_are_decoded(data, monkeypatch):
    def fail(*_):
        raise AssertionError("takes memory")

    for name in ("new", "fill"):
        monkeypatch.setattr(Image.core, name, fail)
    monkeypatch.setattr("PIL._webp.WebPAnimDecoder", fail)
    assert refused(data) == "too_many_pixels"


def test_our_limit_is_the_only_one(monkeypatch):
    """Pillow warns of, then refuses what is above its own."""
    for limit in (1, 3):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            process(encoded(RGB, "PNG"), PLAIN)
            # Only here does it look at what is larger than the screen.
            process(gif((1, 1), (2, 2), (0, 0), [0, 1, 2, 3]), PLAIN)
        assert limit == Image.MAX_IMAGE_PIXELS


def test_text_and_profiles_are_not_inflated():
    bomb = zlib.compress(bytes(50 << 20))
    extra = (
        chunk(b"iCCP", b"x\0\0" + bomb)
        + chunk(b"zTXt", b"x\0\0" + bomb)
        + chunk(b"iTXt", b"x\0\1\0\0\0" + bomb)
    )
    assert (pixels_of(process(png(RGB, 8, 2, extra), PLAIN)) == RGB).all()


WHOLE = {
    "JPEG": encoded(photo(), "JPEG"),
    "progressive": encoded(photo(), "JPEG", progressive=True),
    "PNG": encoded(photo(), "PNG"),
    "GIF": encoded(Image.fromarray(photo()).quantize(64), "GIF"),
    "WEBP": encoded(photo(), "WEBP"),
    "BMP": encoded(photo(), "BMP"),
    "AVIF": encoded(photo(), "AVIF"),
}


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("part", [0.05, 0.5, 0.95])
def test_cut_off_files(kind, part):
    data = WHOLE[kind]
    assert process(data, PLAIN)
    assert refused(data[: int(len(data) * part)]) == "damaged_image"


@pytest.mark.parametrize("part", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("image_size", [16, 1000])
def test_jpegs_whose_data_end_before_their_end_marker(part, image_size):
    data = encoded(photo(800, 600), "JPEG", quality=95)
    options = ImageOptions(image_size=image_size)
    assert process(data, options)
    assert refused(data[: int(len(data) * part)] + b"\xff\xd9", options) == "damaged_image"


def test_jpegs_that_end_in_grey():
    for mode, colour in (("RGB", (128, 128, 128)), ("L", 128)):
        image = Image.fromarray(photo()).convert(mode)
        image.paste(colour, (40, 40, 160, 120))
        for options in ({}, {"progressive": True}, {"restart_marker_blocks": 3}):
            assert process(encoded(image, "JPEG", quality=100, **options), PLAIN)


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"PLTE", b"tRNS"])
def test_checksums_of_png(kind):
    data = MODES["P with alpha"][0]
    place = data.index(kind) + 4 + int.from_bytes(data[data.index(kind) - 4 : data.index(kind)], "big")
    assert refused(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]) == "damaged_image"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "not_an_image"),
        (b"<!DOCTYPE html><html></html>", "not_an_image"),
        (b"BM is how this text begins, and goes on", "not_an_image"),
        (b"%PDF-1.7", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9", "not_an_image"),
        (encoded(RGB, "TIFF"), "unsupported_image"),
        (encoded(RGB, "ICO"), "unsupported_image"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported_image"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "unsupported_image"),
        (b"\xff\xd8\xff", "damaged_image"),
        (b"GIF89a", "damaged_image"),
    ],
)
def test_what_is_no_picture(data, error):
    assert refused(data) == error


def test_jpeg_of_12_bits():
    data = WHOLE["JPEG"]
    at = data.index(b"\xff\xc0") + 4
    assert refused(data[:at] + b"\x0c" + data[at + 1 :]) == "unsupported_image"


def with_metadata(kind, pixels=RGB, **options):
    exif = Image.Exif()
    exif.update(EXIF)
    exif.get_ifd(0x8825).update({1: "N", 2: (50.0, 0.0, 0.0)})
    more = {"comment": b"a comment"} if kind == "JPEG" else {}
    if kind == "PNG":
        more["pnginfo"] = PngImagePlugin.PngInfo()
        more["pnginfo"].add_text("Author", "Artist Name")
    return encoded(
        pixels, kind, exif=exif, xmp=b"<x>secret</x>", icc_profile=b"profile" * 99, **more, **options
    )


@pytest.mark.parametrize("encode_format", ["jpg", "png", "webp"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("skip_reencode", [True, False])
def test_no_metadata_stays(kind, encode_format, skip_reencode):
    options = ImageOptions(encode_format=encode_format, encode_quality=9, skip_reencode=skip_reencode)
    picture = process(with_metadata(kind), options)
    for word in (b"Maker", b"Artist", b"secret", b"comment", b"profile", b"Exif", b"eXIf", b"ICC"):
        assert word not in picture.data
    assert json.loads(picture.exif) == {"Make": "Maker", "Copyright": "(c) 2020"}
    assert pixels_of(picture).shape == (6, 9, 3)


def test_exif_texts_are_bounded():
    exif = Image.Exif()
    exif[0x010F] = "long" * 10_000
    exif[0x0110] = "two\nlines\x07 "
    exif[0x0131] = "\0\0"
    tags = json.loads(process(encoded(RGB, "JPEG", exif=exif), PLAIN).exif)
    assert tags == {"Make": "long" * 25, "Model": "twolines"}


def test_without_exif():
    assert process(encoded(RGB, "JPEG"), PLAIN).exif == "{}"


KEEP = ImageOptions(skip_reencode=True, resize_mode="keep_ratio", image_size=256)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpegs_stay_as_they_are(mode, options):
    image = Image.fromarray(photo()).convert(mode)
    bare = encoded(image, "JPEG", **options)
    assert process(bare, KEEP).data == bare
    full = with_metadata("JPEG", image, **options) + b"and more"
    assert process(full, KEEP).data == bare
    assert process(bare, KEEP).perceptual_hash == process(bare, PLAIN).perceptual_hash


def test_thumbnails_do_not_stay():
    bare = WHOLE["JPEG"]
    segment = b"\xff\xe0\x00\x13" + bare[6:18] + b"\1\1abc"
    assert process(bare[:2] + segment + bare[20:], KEEP).data == bare


def test_pngs_and_webps_stay_as_they_are():
    for kind, name in (("PNG", "png"), ("WEBP", "webp")):
        options = ImageOptions(skip_reencode=True, encode_format=name, encode_quality=9)
        bare = WHOLE[kind]
        assert process(bare, options).data == bare
        assert pixels_of(process(with_metadata(kind, photo()), options)) is not None
    options = ImageOptions(skip_reencode=True, encode_format="png", encode_quality=9)
    assert process(with_metadata("PNG", photo()), options).data == encoded(photo(), "PNG")


@pytest.mark.parametrize(
    ("data", "options", "boxes"),
    [
        (WHOLE["PNG"], {}, ()),
        (WHOLE["JPEG"], {"image_size": 100}, ()),
        (WHOLE["JPEG"], {"resize_mode": "border"}, ()),
        (WHOLE["JPEG"], {}, [(0, 0, 0.5, 0.5)]),
        (encoded(photo(), "JPEG", exif=with_orientation(3)), {}, ()),
        (encoded(Image.fromarray(photo()).convert("CMYK"), "JPEG"), {}, ()),
        (MODES["RGBA"][0], {"encode_format": "png", "encode_quality": 9}, ()),
        (MODES["P"][0], {"encode_format": "png", "encode_quality": 9}, ()),
        (MODES["16 bits, RGB"][0], {"encode_format": "png", "encode_quality": 9}, ()),
        (MODES["RGB, one clear"][0], {"encode_format": "png", "encode_quality": 9}, ()),
    ],
)
def test_what_needs_a_change_is_encoded_anew(data, options, boxes):
    anew = process(data, ImageOptions(**options), boxes)
    assert process(data, ImageOptions(**options, skip_reencode=True), boxes) == anew
    assert anew.data != data


def test_damaged_files_are_not_kept():
    data = WHOLE["JPEG"]
    assert refused(data[: len(data) // 2], KEEP) == "damaged_image"


def test_boxes_are_blurred_and_do_not_change_the_hash():
    data = encoded(photo(320, 240), "PNG")
    picture = process(data, PLAIN, [(0.25, 0.25, 0.75, 0.75)])
    plain = process(data, PLAIN)
    changed = (pixels_of(picture) != pixels_of(plain)).any(axis=2)
    assert changed[120, 160]
    assert not changed[:5].any()
    assert picture.perceptual_hash == plain.perceptual_hash
    with pytest.raises(ValueError, match="box"):
        process(data, PLAIN, [(1, 1, 0, 0)])


@pytest.mark.parametrize(
    "options",
    [
        {"encode_format": "png", "encode_quality": 10},
        {"encode_quality": 101},
        {"encode_quality": -1},
        {"image_size": 0},
        {"encode_format": "webp", "image_size": 16_384},
    ],
)
def test_options_out_of_range(options):
    with pytest.raises(InputError, match=r"is from \d+ to \d+ for"):
        ImageOptions(**options)


def test_memory_errors_are_told(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("curation.download.image.scale", fail)
    assert refused(WHOLE["PNG"]) == "decoder_memory"


def test_the_same_everywhere():
    """Twice here, and in another process."""
    program = (
        "import sys; from curation.download.image import process, ImageOptions\n"
        "picture = process(sys.stdin.buffer.read(), ImageOptions(image_size=100))\n"
        "sys.stdout.buffer.write(picture.data + picture.perceptual_hash.encode())"
    )
    first, second = (process(WHOLE["JPEG"], ImageOptions(image_size=100)) for _ in range(2))
    assert first == second
    other = subprocess.run(
        [sys.executable, "-c", program], input=WHOLE["JPEG"], capture_output=True, check=True, env=os.environ
    )
    assert other.stdout == first.data + first.perceptual_hash.encode()
    assert other.stderr == b""


@pytest.mark.filterwarnings("ignore:value is deprecated")
def test_the_same_as_img2dataset(shared_data):
    """On average 1.6 levels apart, and 2.9 where a JPEG is decoded at half its size."""
    from img2dataset.resizer import Resizer

    files = sorted((shared_data / "images" / "coco-mini").glob("*.jpg"))[::8]
    modes = {"keep_ratio": 2, "center_crop": 2, "keep_ratio_largest": 3, "border": 3}
    for mode, most in modes.items():
        theirs = Resizer(256, mode, resize_only_if_bigger=True)
        apart = []
        for file in files:
            data, *sizes, error = theirs(io.BytesIO(file.read_bytes()))
            picture = process(file.read_bytes(), ImageOptions(resize_mode=mode))
            assert error is None
            assert [
                picture.width,
                picture.height,
                picture.original_width,
                picture.original_height,
            ] == sizes
            expected = np.asarray(Image.open(io.BytesIO(data))).astype(int)
            apart.append(np.abs(expected - pixels_of(picture)).mean())
        assert max(apart) < 2 * most
        assert sum(apart) / len(apart) < most
