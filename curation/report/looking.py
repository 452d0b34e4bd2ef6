"""Images that look alike, to be looked at: read from single shards."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.download.shard import sample_key, shard_name, shard_numbers
from curation.report.card.gallery import Sample, Text
from curation.report.inert import inert
from curation.schemas import DUPLICATES

_COLUMNS = ["key", "url", "texts", "keep_probabilities", "original_width", "original_height"]


@dataclass(frozen=True)
class Pair:
    """Two images of which one looks like the other, or has its bytes.

    Attributes:
        image: that is marked.
        original: with the smaller key.
        distance: in how many bits of 64 their hashes differ.
        same_bytes: whether their bytes were the same.
    """

    image: Sample
    original: Sample
    distance: int
    same_bytes: bool


def look_alikes(shards: Path, duplicates: pa.Table, number: int, *, shard_size: int) -> list[Pair]:
    """Choose pairs of images that look alike, from the nearest to the furthest.

    Only pairs whose shards are both there are chosen, so a few copied shards are enough.

    Args:
        shards: folder of the shards.
        duplicates: columns of `DUPLICATES`.
        number: of pairs, at most.
        shard_size: of the download's configuration; it tells a key's shard.
    """
    digits = len(sample_key(0, 0, shard_size)) - len(shard_name(0))
    there = pa.array(shard_numbers(shards), pa.int64())
    here = duplicates.filter(
        pc.and_(
            pc.is_in(_shards_of(duplicates["key"], digits), there),
            pc.is_in(_shards_of(duplicates["duplicate_of"], digits), there),
        )
    )
    here = here.sort_by([("distance", "ascending"), ("key", "ascending")])
    places = np.unique(np.linspace(0, len(here) - 1, min(number, len(here))).round().astype(np.int64))
    chosen = here.take(pa.array(places, pa.int64())).select(DUPLICATES.names).to_pylist()
    keys = [row[name] for row in chosen for name in ("key", "duplicate_of")]
    samples = _samples(shards, keys, digits)
    return [
        Pair(samples[row["key"]], samples[row["duplicate_of"]], row["distance"], row["same_bytes"])
        for row in chosen
        if row["key"] in samples and row["duplicate_of"] in samples
    ]


def _shards_of(keys: pa.ChunkedArray, digits: int) -> pa.ChunkedArray:
    """The numbers of the shards that keys begin with."""
    names = pc.utf8_slice_codeunits(keys, 0, -digits) if digits else keys
    return names.cast(pa.int64())


def _samples(shards: Path, keys: list[str], digits: int) -> dict[str, Sample]:
    samples = {}
    numbers = _shards_of(pa.chunked_array([keys], pa.string()), digits).to_pylist()
    for number in sorted(set(numbers)):
        wanted = [key for key, of_key in zip(keys, numbers, strict=True) if of_key == number]
        path = shards / f"{shard_name(number)}.parquet"
        rows = pq.read_table(path, columns=_COLUMNS, filters=[("key", "in", wanted)])
        samples.update({row["key"]: _sample(number, row) for row in rows.to_pylist()})
    return samples


def _sample(number: int, row: Mapping[str, Any]) -> Sample:
    texts = zip(row["texts"], row["keep_probabilities"], strict=True)
    return Sample(
        shard=number,
        key=row["key"],
        host=_host(row["url"]),
        size=f"{row['original_width']} by {row['original_height']}",
        texts=[Text(inert(text), probability, ()) for text, probability in texts],
        rarest=0,
        tail=False,
    )


def _host(url: str) -> str:
    try:
        return inert(urlsplit(url).hostname or "")
    except ValueError:
        return ""
