"""Features of images and texts: decoded by worker processes, encoded in batches."""

import io
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import open_clip
import torch
from PIL import Image
from torch.utils.data import DataLoader

from curation.trainer.evaluation.datasets import Sample
from curation.trainer.models import Model, Preprocessing
from curation.trainer.texts import encode_texts

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Encoder:
    """A model and how it is run.

    Attributes:
        model: in evaluation mode, on its device.
        precision: of the towers; features are float32.
        batch_size: images or texts at once.
        workers: processes that read and decode images; 0 does it in this one.
    """

    model: Model
    precision: Precision = "fp32"
    batch_size: int = 64
    workers: int = 0

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.module.parameters()).device


@dataclass(frozen=True)
class Features:
    """Features of those images that could be decoded.

    Attributes:
        features: float32 (n, d) of length 1, on the encoder's device.
        whole: bool (all samples): which could be decoded.
    """

    features: torch.Tensor
    whole: np.ndarray

    @property
    def corrupt(self) -> int:
        """How many could not."""
        return int((~self.whole).sum())


def encode_images(encoder: Encoder, samples: Sequence[Sample]) -> Features:
    """The features of samples' images, in their order; images that cannot be decoded are left out.

    Args:
        encoder: the model.
        samples: from `read_samples`.
    """
    places = [(sample.tar, sample.offset, sample.size) for sample in samples]
    return _encode(encoder, _Stored(places, encoder.model.preprocessing))


def encode_bytes(encoder: Encoder, images: Sequence[bytes]) -> Features:
    """The same for encoded images in memory."""
    return _encode(encoder, _Images(images, encoder.model.preprocessing))


@torch.no_grad()
def encode_all_texts(encoder: Encoder, texts: Sequence[str]) -> torch.Tensor:
    """The features of texts: float32 (m, d) of length 1, on the encoder's device."""
    features = []
    for start in range(0, len(texts), encoder.batch_size):
        tokens = encoder.model.tokenizer(list(texts[start : start + encoder.batch_size]))
        lengths = _lengths(tokens)
        with _precision(encoder):
            features.append(encode_texts(encoder.model.module, tokens.to(encoder.device), lengths).float())
    return torch.cat(features)


def decode(data: bytes) -> Image.Image | None:
    """An image as RGB, or None if it cannot be decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's about large images and odd metadata
            return Image.open(io.BytesIO(data)).convert("RGB")
    except Exception:  # noqa: BLE001 - decoders fail on damaged files in every way there is
        return None


class _Images(torch.utils.data.Dataset):
    def __init__(self, images: Sequence, preprocessing: Preprocessing) -> None:
        self._images = images
        self._transform = evaluation_transform(preprocessing)
        self._blank = torch.zeros(3, preprocessing.image_size, preprocessing.image_size)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, position: int) -> tuple[torch.Tensor, bool]:
        image = decode(self._read(self._images[position]))
        return (self._blank, False) if image is None else (self._transform(image), True)

    def _read(self, image: bytes) -> bytes:
        return image


class _Stored(_Images):
    def _read(self, image: tuple[Path, int, int]) -> bytes:
        tar, offset, size = image
        with tar.open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)


def evaluation_transform(preprocessing: Preprocessing) -> Callable[[Image.Image], torch.Tensor]:
    """Open_clip's own preprocessing for evaluation: image -> float32 (3, s, s)."""
    return open_clip.image_transform(
        preprocessing.image_size,
        is_train=False,
        mean=preprocessing.mean,
        std=preprocessing.std,
        resize_mode=preprocessing.resize_mode,
        interpolation=preprocessing.interpolation,
    )


@torch.no_grad()
def _encode(encoder: Encoder, images: _Images) -> Features:
    loader = DataLoader(
        images,
        batch_size=encoder.batch_size,
        num_workers=encoder.workers,
        pin_memory=encoder.device.type == "cuda",
    )
    features, whole = [], []
    for batch, fine in loader:
        whole.append(fine.numpy())
        if fine.any():
            pixels = batch[fine].to(encoder.device, non_blocking=True)
            with _precision(encoder):
                encoded = encoder.model.module.encode_image(pixels)
            features.append(torch.nn.functional.normalize(encoded.float(), dim=-1))
    dimension = features[0].shape[1] if features else 0
    empty = torch.zeros(0, dimension, device=encoder.device)
    return Features(torch.cat([empty, *features]), np.concatenate(whole))


def _precision(encoder: Encoder) -> AbstractContextManager:
    return torch.autocast(encoder.device.type, torch.bfloat16, enabled=encoder.precision == "bf16")


def _lengths(tokens: torch.Tensor) -> torch.Tensor:
    """How many tokens matter, whatever a tokenizer pads with.

    Those up to the last that differs from the last of all, and one more, which is the end of the text if
    that is what the text is padded with.
    """
    differs = tokens != tokens[:, -1:]
    places = torch.arange(1, tokens.shape[1] + 1)
    return ((differs * places).amax(dim=1) + 1).clamp(max=tokens.shape[1])
