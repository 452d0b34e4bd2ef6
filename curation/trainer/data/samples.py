"""One sample at a time: its bytes, its image as it is augmented in an epoch, its text."""

import math
import os
import warnings
from collections import OrderedDict
from io import BytesIO

import msgspec
import numpy as np
import numpy.typing as npt
from cykooz_resizer import CropBox, FilterType, ResizeAlg, ResizeOptions, Resizer
from PIL import Image

from curation.core.identity import uniform_of_numbers
from curation.errors import InputError
from curation.trainer.data.index import Index

_FORMATS = ("JPEG", "PNG", "WEBP")
_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
_DRAFT_FROM = 2  # times the size that is needed: JPEGs so much larger are scaled while they are decoded
_OPEN_SHARDS = 128

_TRIES = 10
_RATIOS = math.log(3 / 4), math.log(4 / 3)
_TO_UNIT = 2.0**-53

_RESIZE = ResizeAlg.convolution(FilterType.catmull_rom)  # which is Pillow's and torchvision's bicubic

Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""


class Fault(Exception):
    """A sample that cannot be used.

    Attributes:
        reason: one of a fixed list, to be counted by.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Json(msgspec.Struct):
    texts: list[str]


class Reader:
    """Bytes of images and texts; as many shards are open as were used last.

    Args:
        index: of the training set.
        open_shards: how many to keep open.
    """

    def __init__(self, index: Index, *, open_shards: int = _OPEN_SHARDS) -> None:
        self._index = index
        self._open: OrderedDict[int, int] = OrderedDict()
        self._limit = open_shards

    def image(self, sample: int) -> bytes:
        """The encoded image of a sample.

        Raises:
            Fault: the shard does not give it.
            InputError: the shard is not the one that was indexed.
        """
        row = self._index.samples[sample]
        return self._read(int(row["shard"]), int(row["image_offset"]), int(row["image_size"]))

    def text(self, sample: int, number: int) -> str:
        """One of the texts of a sample, by its number.

        Raises:
            Fault: the shard does not give it.
            InputError: the shard is not the one that was indexed.
        """
        row = self._index.samples[sample]
        shard = int(row["shard"])
        try:
            if not row["json_size"]:
                return self._read(shard, int(row["text_offset"]), int(row["text_size"])).decode()
            data = self._read(shard, int(row["json_offset"]), int(row["json_size"]))
            return msgspec.json.decode(data, type=_Json).texts[number]
        except (msgspec.DecodeError, IndexError):
            raise Fault("bad_json") from None
        except UnicodeDecodeError:
            raise Fault("bad_text") from None

    def close(self) -> None:
        """Close the shards."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _read(self, shard: int, offset: int, size: int) -> bytes:
        try:
            data = os.pread(self._descriptor(shard), size, offset)
        except OSError:
            raise Fault("read_error") from None
        if len(data) < size:
            raise Fault("read_error")
        return data

    def _descriptor(self, shard: int) -> int:
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        path = self._index.shards[shard]
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise InputError(f"{path} is gone since the run began; put it back and run again") from None
        if os.fstat(descriptor).st_size != self._index.sizes[shard]:
            os.close(descriptor)
            raise InputError(f"{path} is not the file that was indexed; put that back, or begin a new run")
        if len(self._open) >= self._limit:
            os.close(self._open.popitem(last=False)[1])
        self._open[shard] = descriptor
        return descriptor


class Augmentation:
    """A random part of an image, scaled to the size of the model: torchvision's RandomResizedCrop.

    Which part is a function of (seed, epoch, id of the text).

    Args:
        seed: of the run.
        image_size: side of what comes out, in pixels.
        smallest_crop: share of the image's area that a part has at the least; 1 at the most.
    """

    def __init__(self, *, seed: int, image_size: int, smallest_crop: float) -> None:
        self._seed, self._size, self._smallest = seed, image_size, smallest_crop
        self._resizer = Resizer()
        self._scaled = Image.new("RGB", (image_size, image_size))

    def __call__(self, data: bytes, epoch: int, text: np.uint64) -> npt.NDArray[np.uint8]:
        """Decode, cut and scale an image.

        Args:
            data: the encoded image.
            epoch: in which it is seen.
            text: id of the text that it is seen with.

        Returns:
            uint8 (3, image_size, image_size), RGB.

        Raises:
            Fault: the image cannot be decoded, or has more pixels than Pillow allows.
        """
        key = int(uniform_of_numbers(self._seed, np.array([text]), f"epoch-crop:{epoch}")[0] / _TO_UNIT)
        try:
            # Whatever has more pixels than Pillow allows is a fault from the first one on.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                image = Image.open(BytesIO(data), formats=_FORMATS)
                width, height = image.size
                box = draw_box(width, height, smallest=self._smallest, key=key)
                wanted = _DRAFT_FROM * self._size
                image.draft("RGB", (-(-width * wanted // box[2]), -(-height * wanted // box[3])))
                picture = _rgb(image)
        except Fault:
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise Fault("too_many_pixels") from error
        except Exception as error:  # most decoders have their own ideas of what to raise
            raise Fault("bad_image") from error
        return self._scale(picture, box, picture.width / width, picture.height / height)

    def _scale(self, picture: Image.Image, box: Box, x: float, y: float) -> npt.NDArray[np.uint8]:
        """A third of the time of Pillow's bicubic, and on average 0.15 of 255 levels from it."""
        part = CropBox(box[0] * x, box[1] * y, box[2] * x, box[3] * y)
        options = ResizeOptions(resize_alg=_RESIZE, crop_box=part, use_alpha=False)
        self._resizer.resize_pil(picture, self._scaled, options)
        return np.stack([np.asarray(band) for band in self._scaled.split()])


def draw_box(width: int, height: int, *, smallest: float, key: int) -> Box:
    """Draw a part of an image: its area, its shape, its place; after ten parts that do not fit, the middle.

    Args:
        width: of the image, in pixels.
        height: of the image.
        smallest: share of the area that the part has at the least.
        key: non-negative, below 2^128; the same key draws the same.

    Source:
        `RandomResizedCrop.get_params` of torchvision, ratio 3/4 to 4/3. Its draws are raw numbers of Philox,
        which stay the same in all versions of NumPy.
    """
    raw = np.random.Philox(key=key).random_raw(4 * _TRIES)
    draws = ((raw >> np.uint64(11)) * _TO_UNIT).tolist()
    for area, shape, across, down in zip(*[iter(draws)] * 4, strict=True):
        pixels = width * height * (smallest + area * (1 - smallest))
        ratio = math.exp(_RATIOS[0] + shape * (_RATIOS[1] - _RATIOS[0]))
        w, h = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(across * (width - w + 1)), int(down * (height - h + 1)), w, h
    ratio = min(max(width / height, math.exp(_RATIOS[0])), math.exp(_RATIOS[1]))
    w, h = min(width, max(1, round(height * ratio))), min(height, max(1, round(width / ratio)))
    return (width - w) // 2, (height - h) // 2, w, h


def _rgb(image: Image.Image) -> Image.Image:
    """The pixels in RGB, on white where there are none."""
    if image.mode not in _MODES:
        raise Fault("bad_image")  # of more than 8 bits: Pillow would cut off what is above 255
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, "white")
        canvas.paste(layer, mask=layer.getchannel("A"))
        return canvas
    image.load()
    return image if image.mode == "RGB" else image.convert("RGB")
