"""Samples across head and tail, with the entries that kept them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core.identity import uniform
from curation.core.matcher import VocabularyMatcher
from curation.crawl.language import Languages
from curation.download.shard import SUCCESS, shard_name, shard_numbers
from curation.report.card.text import harmless

SHARDS = 4
"""Shards that samples are chosen from, spread evenly: enough to choose from, and soon read."""

_ROWS = 20_000
_SALT = "gallery"
_COLUMNS = [
    *("key", "url", "image_id", "texts", "keep_probabilities", "status"),
    *("original_width", "original_height"),
]


@dataclass(frozen=True)
class Entry:
    """An entry that occurs in a text, and what balancing did to it."""

    entry: str
    count: int
    probability: float
    kept_count: int


@dataclass(frozen=True)
class Text:
    """A text of a sample, its keep_probability and its entries, rarest first."""

    text: str
    keep_probability: float
    entries: Sequence[Entry]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """An image and its texts.

    Attributes:
        shard: number of the shard that it lies in.
        key: of the sample.
        host: of the image's URL.
        size: of the image as it came, in pixels.
        texts: harmless, and not too many.
        rarest: count of the rarest entry of its texts.
        tail: whether that entry keeps all its pairs.
    """

    shard: int
    key: str
    host: str
    size: str
    texts: Sequence[Text]
    rarest: int
    tail: bool


def choose_samples(shards: Path, counts: pa.Table, number: int) -> list[Sample]:
    """Choose samples: half of them of the head and half of the tail, spread over their entries.

    Entries are found anew in the texts, for shards hold none; so a few shards are read and nothing else.

    Args:
        shards: folder of the shards.
        counts: columns of `CURATED_COUNTS`.
        number: of samples, at most.

    Returns:
        Heaviest first. Each has another rarest entry, as far as there are enough.
    """
    rows = _rows(shards)
    if not rows or not number:
        return []
    found = _entries(rows, counts)
    head: list[_Candidate] = []
    tail: list[_Candidate] = []
    probability, count = counts["probability"].to_numpy(), counts["count"].to_numpy()
    for row, lists in zip(rows, found, strict=True):
        ids = [entry_id for ids in lists for entry_id in ids]
        if ids:
            rarest = min(ids, key=lambda entry_id: (count[entry_id], entry_id))
            (tail if probability[rarest] >= 1 else head).append((rarest, row, lists))
    half = number // 2
    chosen = _spread(tail, max(half, number - len(head)), count)
    chosen = _spread(head, number - len(chosen), count) + chosen
    return [_sample(rarest, row, lists, counts) for rarest, row, lists in chosen]


_Candidate = tuple[int, Mapping[str, Any], Sequence[Sequence[int]]]


def _rows(shards: Path) -> list[dict[str, Any]]:
    """Images of some shards, in an order of chance."""
    numbers = shard_numbers(shards)
    few = sorted(
        {numbers[int(place)] for place in np.linspace(0, len(numbers) - 1, min(SHARDS, len(numbers)))}
    )
    rows: list[dict[str, Any]] = []
    for shard in few:
        file = pq.ParquetFile(shards / f"{shard_name(shard)}.parquet")
        batch = next(file.iter_batches(_ROWS, columns=_COLUMNS), None)
        if batch is not None:
            came = batch.filter(pc.equal(batch["status"], SUCCESS))
            rows += [{**row, "shard": shard} for row in came.to_pylist()]
    chance = uniform(0, pa.array([row["image_id"] for row in rows], pa.string()), _SALT)
    return [rows[place] for place in np.argsort(chance, kind="stable")]


def _entries(rows: Sequence[Mapping[str, Any]], counts: pa.Table) -> list[list[list[int]]]:
    """For each image, for each of its texts, the ids of the entries in it."""
    texts = [text for row in rows for text in row["texts"]]
    names = counts["language"].unique().to_pylist()
    languages = Languages().identify(texts)[0] if len(names) > 1 else [None] * len(texts)
    lists = {
        name: counts.filter(pc.equal(counts["language"], name))["entry"].combine_chunks() for name in names
    }
    matcher = VocabularyMatcher(lists)
    found = iter(matcher.match(pa.array(texts, pa.string()), pa.array(languages, pa.string())).to_pylist())
    return [[next(found) for _ in row["texts"]] for row in rows]


def _spread(candidates: Sequence[_Candidate], number: int, count: Any) -> list[_Candidate]:
    """So many candidates, evenly over their rarest entries, one for each entry before a second for any."""
    turns: dict[int, int] = {}
    queued = []
    for candidate in candidates:
        turn = turns[candidate[0]] = turns.get(candidate[0], -1) + 1
        queued.append((turn, candidate))
    firsts = [candidate for turn, candidate in queued if turn == 0]
    if len(firsts) < number:
        firsts = [candidate for _, candidate in sorted(queued, key=lambda item: item[0])][:number]
    firsts.sort(key=lambda candidate: (-count[candidate[0]], candidate[0]))
    if len(firsts) <= number:
        return firsts
    places = [math.floor(n * len(firsts) / number) for n in range(number)]
    return [firsts[place] for place in places]


def _sample(rarest: int, row: Mapping[str, Any], lists: Sequence[Sequence[int]], counts: pa.Table) -> Sample:
    texts = zip(row["texts"], row["keep_probabilities"], lists, strict=True)
    width, height = row["original_width"], row["original_height"]
    return Sample(
        shard=row["shard"],
        key=row["key"],
        host=_host(row["url"]),
        size=f"{width} by {height}" if width and height else "",
        texts=[_text(text, probability, ids, counts) for text, probability, ids in list(texts)[:3]],
        rarest=counts["count"][rarest].as_py(),
        tail=counts["probability"][rarest].as_py() >= 1,
    )


def _text(text: str, keep_probability: float, ids: Sequence[int], counts: pa.Table) -> Text:
    rows = counts.take(pa.array(ids, pa.int64())).sort_by("count").slice(0, 6).to_pylist()
    entries = [
        Entry(harmless(row["entry"], 80), row["count"], row["probability"], row["kept_count"]) for row in rows
    ]
    return Text(harmless(text, 240), keep_probability, entries)


def _host(url: str) -> str:
    try:
        return harmless(urlsplit(url).hostname or "", 80)
    except ValueError:
        return ""
