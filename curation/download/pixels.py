"""Opening and decoding files of pictures: from bytes to opaque pixels, grey or RGB, of 8 bits."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from PIL import Image, ImageChops, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from curation.download import containers
from curation.download.resize import Size

IMAGE_ERRORS = (
    "not_an_image",
    "unsupported_image",
    "too_many_pixels",
    "too_small",
    "too_long",
    "damaged_image",
    "decoder_crash",
    "decoder_timeout",
    "decoder_memory",
)

# Not Image.open, which asks all plugins in turn, and reads on in a JPEG that has more pictures.
_READERS: dict[str, type[ImageFile.ImageFile]] = {
    "AVIF": AvifImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
}
_MESSAGE_CHARACTERS = 100
_PNG_BITS = 24  # where in a PNG the bits of a sample are
_NO_DATA = (128, (128, 128, 128))  # what libjpeg makes of data that are not there
_OTHER_DATA = b"\x5a" * 64

Region = tuple[float, float, float, float]


class ImageError(Exception):
    """A file that gives no picture.

    Attributes:
        error: one of `IMAGE_ERRORS`.
        message: what is wrong, the same every time.
    """

    def __init__(self, error: str, message: str) -> None:
        super().__init__(error, message)
        self.error = error
        self.message = message


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keeps Pillow from warning, and from refusing what our own limits allow."""
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@contextmanager
def _decoding() -> Iterator[None]:
    """Makes an `ImageError` of whatever a decoder raises: most have their own ideas of that."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        message = "".join(filter(str.isprintable, str(error)))[:_MESSAGE_CHARACTERS]
        if "out of memory" in message:
            raise MemoryError from error
        unsupported = message.lower().startswith(("cannot handle", "unsupported"))
        raise ImageError("unsupported_image" if unsupported else "damaged_image", message) from error


def open_image(data: bytes, *, max_area: int) -> tuple[ImageFile.ImageFile, bytes]:
    """Open a file as far as is needed to know its size.

    Args:
        data: the file.
        max_area: in pixels, above which some kinds are not opened, as it would take memory.

    Returns:
        Pillow's reader, and the bytes that it reads.

    Raises:
        ImageError: it cannot be opened, or should not be.
    """
    kind = containers.format_of(data)
    if kind not in _READERS:
        raise (
            ImageError("unsupported_image", "a picture of a kind that is not taken")
            if kind
            else ImageError("not_an_image", "begins like no kind of picture")
        )
    with _decoding():
        if kind in ("GIF", "WEBP"):
            judge_area(containers.gif_size(data) if kind == "GIF" else containers.webp_size(data), max_area)
        elif kind == "PNG":
            data = containers.bare_png(data)
        reader = _READERS[kind](BytesIO(data))
    judge_area(reader.size, max_area)
    return reader, data


def judge_area(size: Size, max_area: int) -> None:
    """Refuse what has more pixels than it may have."""
    if size[0] * size[1] > max_area:
        raise ImageError("too_many_pixels", f"{size[0]} x {size[1]} pixels")


def decode(reader: ImageFile.ImageFile, data: bytes, least: Size) -> tuple[Image.Image, Region]:
    """Decode an opened file.

    Args:
        reader: from `open_image`, not yet read from.
        data: what it reads.
        least: width and height that are wanted; large JPEGs come at a half, a quarter or an eighth of their
            size if that is as large.

    Returns:
        The picture, of mode L or RGB, and the part of it that is the whole original: where its size
        cannot be halved, there is a fraction of a pixel more.

    Raises:
        ImageError: the file is damaged or cut off.
    """
    width, height = reader.size
    tile = reader.tile[0][1] if reader.tile else None
    with _decoding():
        _load(reader, data, least)
        if reader.format == "JPEG" and reader.getpixel((reader.width - 1, reader.height - 1)) in _NO_DATA:
            _refuse_missing_data(reader, data, least)
        image = _opaque(reader, data)
    if reader.format == "GIF" and tile is not None and tile != (0, 0, width, height):
        whole = Image.new(image.mode, image.size, "white")
        whole.paste(image.crop(tile), tile)
        image = whole
    shrunk = reader.decoderconfig[0] if reader.format == "JPEG" and reader.decoderconfig else 1
    return image, (0, 0, width / shrunk, height / shrunk)


def _load(reader: ImageFile.ImageFile, data: bytes, least: Size) -> None:
    if isinstance(reader, JpegImageFile) and least != reader.size:
        reader.draft(None, least)
    reader.decodermaxblock = max(len(data), 1)  # in one go
    reader.load()


def _refuse_missing_data(reader: Image.Image, data: bytes, least: Size) -> None:
    """Tell a picture that is grey at its end from one whose data end early, which libjpeg only warns of.

    Other data are put behind those there are: who does not need them does not read them.
    """
    end = containers.jpeg_end(data)
    again = JpegImageFile(BytesIO(data[:end] + _OTHER_DATA + data[end:]))
    _load(again, data, least)
    if ImageChops.difference(reader, again).getbbox():
        raise ImageError("damaged_image", "JPEG is truncated")


def as_it_came(reader: ImageFile.ImageFile, data: bytes, wanted: str) -> bytes | None:
    """An opened file with its pixels as they are encoded, and no metadata.

    Args:
        reader: from `open_image`.
        data: what it reads.
        wanted: the format, by Pillow's name.

    Returns:
        None if it has to be encoded anew: it is of another format, transparent, not of 8 bits, or its
        metadata cannot be taken out.
    """
    deep = reader.format == "PNG" and data[_PNG_BITS] != 8
    if reader.format != wanted or reader.mode not in ("L", "RGB") or reader.has_transparency_data or deep:
        return None
    with _decoding():
        if reader.format == "JPEG":
            return containers.bare_jpeg(data)
        if reader.format == "PNG":
            return containers.without_exif(data)
    return data if containers.plain_webp(data) else None


def _opaque(image: ImageFile.ImageFile, data: bytes) -> Image.Image:
    """The pixels in 8 bits, transparency on white."""
    if image.format == "PNG":
        _mend_key(image, data)
    if image.mode == "I;16":
        deep = np.asarray(image)
        grey = (deep >> 8).astype(np.uint8)
        if "transparency" in image.info:
            grey[deep == image.info["transparency"]] = 255
        return Image.fromarray(grey)
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        opaque = Image.new("RGB", image.size, "white")
        opaque.paste(clear, mask=clear)
        return opaque
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _mend_key(image: ImageFile.ImageFile, data: bytes) -> None:
    """Give the transparent colour of a PNG the bits that Pillow gave its pixels."""
    key, bits = image.info.get("transparency"), data[_PNG_BITS]
    if image.mode == "L" and key is not None:
        image.info["transparency"] = key * 255 // ((1 << bits) - 1)
    elif image.mode == "RGB" and key is not None and bits == 16:
        image.info["transparency"] = tuple(sample >> 8 for sample in key)
