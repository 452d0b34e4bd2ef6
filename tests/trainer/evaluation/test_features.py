import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from curation.trainer.evaluation.datasets import TEST, find_datasets, read_samples
from curation.trainer.evaluation.features import (
    Encoder,
    _lengths,
    decode,
    encode_all_texts,
    encode_bytes,
    encode_images,
    evaluation_transform,
)
from curation.trainer.models import Preprocessing
from tests.trainer.conftest import photograph
from tests.trainer.evaluation.conftest import labelled, write_dataset


@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_the_same_pixels_as_open_clip(resize_mode: str, interpolation: str) -> None:
    preprocessing = Preprocessing(32, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), interpolation, resize_mode)
    theirs = open_clip.image_transform(
        32, False, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), resize_mode=resize_mode, interpolation=interpolation
    )
    image = Image.open(io.BytesIO(photograph(1, (60, 41))))
    ours = evaluation_transform(preprocessing)(decode(photograph(1, (60, 41))))
    assert torch.equal(ours, theirs(image))
    assert ours.shape == (3, 32, 32)


def test_features_in_order_without_those_that_cannot_be_decoded(encoder: Encoder, tmp_path: Path) -> None:
    samples = labelled([0] * 10)
    samples[3] |= {"jpg": b"no image"}
    samples[8] |= {"jpg": photograph(8)[:200]}
    folder = write_dataset(tmp_path / "zoo", samples[:6], samples[6:], classnames=["cat"])
    (dataset,), _ = find_datasets([str(folder)])
    read = read_samples(dataset, TEST)
    found = encode_images(encoder, read)
    assert found.corrupt == 2
    assert np.flatnonzero(~found.whole).tolist() == [3, 8]
    assert found.features.shape == (8, 32)
    assert torch.allclose(found.features.norm(dim=1), torch.ones(8))
    transform = open_clip.image_transform(32, is_train=False)
    pixels = torch.stack(
        [
            transform(Image.open(io.BytesIO(photograph(number))))
            for number in range(10)
            if number not in (3, 8)
        ]
    )
    with torch.no_grad():
        expected = encoder.model.module.encode_image(pixels, normalize=True)
    assert torch.allclose(found.features, expected, atol=1e-6)
    assert (expected[0] - expected[1]).abs().max() > 1e-4
    none = encode_bytes(encoder, [b"no image"] * 3)
    assert (none.corrupt, len(none.features)) == (3, 0)
    assert not found.features.requires_grad


def test_workers_change_nothing(encoder: Encoder, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "zoo", labelled([0] * 20), classnames=["cat"])
    (dataset,), _ = find_datasets([str(folder)])
    read = read_samples(dataset, TEST)
    alone = encode_images(encoder, read)
    assert torch.equal(encode_images(replace(encoder, workers=2), read).features, alone.features)


def test_texts_are_open_clips_in_their_order(encoder: Encoder) -> None:
    texts = ["a cat", "dog " * 100, "", "a house with a garden and a dog in front of it " * 2] * 4
    with torch.no_grad():
        expected = encoder.model.module.encode_text(encoder.model.tokenizer(texts), normalize=True)
    ours = encode_all_texts(encoder, texts)
    assert torch.allclose(ours, expected, atol=1e-6)
    half = encode_all_texts(replace(encoder, precision="bf16"), texts)
    assert half.dtype == torch.float32
    assert 1e-4 < (half - expected).abs().max() < 0.05


def test_images_in_bf16(encoder: Encoder) -> None:
    images = [photograph(number) for number in range(4)]
    full, half = (
        encode_bytes(replace(encoder, precision=name), images).features for name in ("fp32", "bf16")
    )
    assert half.dtype == torch.float32
    assert 1e-5 < (half - full).abs().max() < 0.05


def test_how_many_tokens_matter() -> None:
    zeros = torch.tensor([[1, 5, 9, 0, 0, 0], [1, 9, 0, 0, 0, 0], [1, 5, 6, 7, 8, 9]])
    ends = torch.tensor([[1, 5, 9, 9, 9, 9], [1, 9, 9, 9, 9, 9], [1, 5, 6, 7, 8, 9]])
    for tokens in (zeros, ends):
        lengths = _lengths(tokens)
        assert (lengths >= torch.tensor([3, 2, 6])).all()
        assert (lengths <= torch.tensor([4, 3, 6])).all()


def test_no_colour_no_opacity_and_a_palette_become_rgb() -> None:
    for mode in ("L", "RGBA", "P", "CMYK"):
        stream = io.BytesIO()
        Image.new(mode, (5, 5)).save(stream, "TIFF")
        assert decode(stream.getvalue()).mode == "RGB"
    assert decode(b"") is None
