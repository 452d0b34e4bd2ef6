import io

import numpy as np
import pytest
from PIL import Image

from curation.download.fingerprint import FLAT, is_flat, perceptual_hash


def distance(a, b):
    return (int(a, 16) ^ int(b, 16)).bit_count()


def drawing(seed, size=(320, 240)):
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


VARIANTS = {
    "low quality": lambda image: encoded(image, "JPEG", quality=50),
    "webp": lambda image: encoded(image, "WEBP", quality=60),
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "double": lambda image: image.resize((image.width * 2, image.height * 2)),
    "square": lambda image: image.resize((256, 256)),
    "thumbnail": lambda image: encoded(image.resize((128, image.height * 128 // image.width)), "JPEG"),
    "grey": lambda image: image.convert("L"),
}


def slow_hash(image):
    """By the definition of the transform, in floating point."""
    grey = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX), float)
    place = np.arange(32)
    bits = [
        (
            grey
            * np.cos(np.pi * down * (2 * place[:, None] + 1) / 64)
            * np.cos(np.pi * across * (2 * place + 1) / 64)
        ).sum()
        for down in range(8)
        for across in range(8)
    ][1:]
    return "0" + "".join("1" if value > np.median(bits) + 16 else "0" for value in bits)


@pytest.mark.parametrize("seed", range(5))
def test_definition(seed):
    image = drawing(seed)
    assert format(int(perceptual_hash(image), 16), "064b") == slow_hash(image)


@pytest.mark.parametrize("variant", VARIANTS)
def test_copies_of_a_drawing_are_near(variant):
    for seed in range(10):
        assert (
            distance(perceptual_hash(drawing(seed)), perceptual_hash(VARIANTS[variant](drawing(seed)))) <= 4
        )


def test_different_drawings_are_far():
    hashes = [perceptual_hash(drawing(seed)) for seed in range(40)]
    assert min(distance(a, b) for n, a in enumerate(hashes) for b in hashes[:n]) >= 12


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (300, 200), "white"),
        encoded(Image.effect_noise((300, 200), 3).convert("RGB"), "JPEG", quality=60),
        Image.linear_gradient("L"),
        Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_180),
        Image.new("L", (1, 1)),
    ],
    ids=["white", "noise", "gradient", "other gradient", "dot"],
)
def test_nothing_to_tell_it_by(image):
    assert perceptual_hash(image) == FLAT
    assert is_flat(FLAT)


def test_drawings_are_not_flat():
    assert not any(is_flat(perceptual_hash(drawing(seed))) for seed in range(20))


def test_photographs(shared_data):
    """The figures of the docstring."""
    files = sorted((shared_data / "images" / "coco-mini").glob("*.jpg"))
    images = [Image.open(file).convert("RGB") for file in files]
    hashes = [perceptual_hash(image) for image in images]
    for make in VARIANTS.values():
        apart = [
            distance(old, perceptual_hash(make(image)))
            for old, image in list(zip(hashes, images, strict=True))[::5]
        ]
        assert max(apart) <= 6
        assert sum(bits <= 3 for bits in apart) >= 0.9 * len(apart)
    assert min(distance(a, b) for n, a in enumerate(hashes) for b in hashes[:n]) == 14
