"""What tests of the trainer share: small shards of real JPEGs. Without torch there are no such tests."""

import importlib.util
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from curation.download.shard import SUCCESS, Shard, sample_key, write_shard
from tests.shards import SCHEMA, image_row

os.environ["HF_HUB_OFFLINE"] = "1"

collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["*"]

SHARD_SIZE = 100


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def photograph(number: int, size: tuple[int, int] = (48, 40), encode_format: str = "JPEG") -> bytes:
    """An encoded image, another for each number: soft blotches of colour."""
    coarse = np.random.default_rng(number).integers(0, 256, (4, 5, 3), np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    image.save(stream, encode_format)
    return stream.getvalue()


def write_images(folder: Path, *shards: Sequence[dict], images: dict[str, bytes] | None = None) -> Path:
    """SHARDS of given rows (`tests.shards.image_row`) as jobs/download.py writes them, and their folder.

    The image of a URL is `photograph` of the number that the URL ends in, but where `images` has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(shards):
        rows = [row | {"key": sample_key(number, at, SHARD_SIZE)} for at, row in enumerate(rows)]

        def image(at: int, rows: Sequence[dict] = rows) -> bytes:
            url = rows[at]["url"]
            return (images or {}).get(url) or photograph(int(url.rsplit("/", 1)[1]))

        table = pa.Table.from_pylist(rows, SCHEMA)
        write_shard(folder, Shard(number, table, image, encode_format="jpg"))
    return folder


def rows_of(numbers: Sequence[int]) -> list[dict]:
    """Rows of images that came, one number each: of number n there are n % 3 + 1 texts."""
    return [
        image_row(f"http://a.example/{n}", [f"text {k} of image {n}" for k in range(n % 3 + 1)])
        for n in numbers
    ]


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SHARDS of 50 images (48 x 40 pixels) in two shards, one of them failed; 98 texts. Not to be changed."""
    rows = rows_of(range(50))
    rows[7] |= image_row(rows[7]["url"], rows[7]["texts"], error="HTTP 404")
    assert rows[7]["status"] != SUCCESS
    return write_images(tmp_path_factory.mktemp("shards"), rows[:30], rows[30:])


@pytest.fixture(scope="session")
def make_shards() -> Callable[..., Path]:
    """`write_images`, for tests that want shards of their own."""
    return write_images
