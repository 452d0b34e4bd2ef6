"""Lists of samples: what an arm of a comparison trains on."""

import filecmp
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.config.subset import Subset
from curation.core.identity import uniform
from curation.errors import InputError
from curation.trainer import filters
from curation.trainer.filters import Filter, Mask
from curation.trainer.listing import find_tars, read_texts

LIST = pa.schema([("shard", pa.string()), ("key", pa.string()), ("uids", pa.list_(pa.string()))])
"""A list: one row an image. `shard` is the path of its tar, relative to the list's folder; of the image's
texts `uids` stay. Null stands for all of them, in shards that know no uids."""

SALT = "subset"


@dataclass(frozen=True)
class Counts:
    """How much there was ("in"), how much each filter left, in their order, and how much is listed ("out").

    Attributes:
        images: by filter.
        texts: by filter; in shards that know no uids, one an image.
    """

    images: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)

    def add(self, step: str, texts: pa.Table) -> None:
        """Count what a step has left of a shard."""
        self.images[step] += int(_begins(texts).sum())
        self.texts[step] += len(texts)


def subset(config: Subset) -> Counts:
    """Write the list of what passes every filter; the same input gives the same bytes.

    In memory: one shard; 8 bytes a curated pair, 4 a scored text for `top_share`, 17 an image for `size`.

    Raises:
        InputError: shards, CURATED or SCORES cannot be read or do not belong together; fewer images are left
            than `size`, or none; the list exists and is another one.
    """
    output = Path(config.output).resolve()
    if output.with_suffix(".tar").exists():
        raise InputError(
            f"--output {config.output} would be taken for the table of a shard; name it otherwise"
        )
    tars = find_tars(config.shards)
    named = _filters(config)
    chosen = None if config.size is None else _chosen(config, _narrowed(tars, named, Counts()))
    counts = Counts()
    output.parent.mkdir(parents=True, exist_ok=True)
    draft = output.with_name(f"_{output.name}.{os.getpid()}.tmp")
    try:
        rest = _narrowed(tars, named, counts)
        _write(draft, rest if chosen is None else _by_chance(rest, chosen, counts), output.parent, counts)
        if not counts.images["out"]:
            raise InputError(f"no image is left ({_told(counts)}); loosen a filter")
        if output.exists() and not filecmp.cmp(draft, output, shallow=False):
            raise InputError(f"--output {config.output} is another list; delete it or name another")
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
    return counts


def _filters(config: Subset) -> dict[str, Filter]:
    """The filters that judge one text at a time, by name."""
    chosen: dict[str, Filter] = {}
    if config.curated is not None:
        chosen["curated"] = filters.curated(Path(config.curated))
    if config.scores is not None:
        scores = filters.Scores(Path(config.scores))
        if config.min_similarity is not None:
            chosen["min_similarity"] = filters.min_similarity(scores, config.min_similarity)
        if config.top_share is not None:
            chosen["top_share"] = filters.top_share(scores, config.top_share)
    return chosen


def _narrowed(
    tars: Sequence[Path], named: dict[str, Filter], counts: Counts
) -> Iterator[tuple[Path, pa.Table]]:
    """Each shard with those of its texts that pass all filters."""
    for tar in tars:
        texts = read_texts(tar)
        counts.add("in", texts)
        for name, passes in named.items():
            texts = texts.filter(pa.array(passes(tar, texts)))
            counts.add(name, texts)
        yield tar, texts


def _chosen(config: Subset, shards: Iterable[tuple[Path, pa.Table]]) -> Mask:
    """Which images are among the `size` of the smallest draws, in the order of the shards."""
    draws = np.concatenate(
        [
            uniform(config.seed, texts["image_id"].combine_chunks().filter(pa.array(_begins(texts))), SALT)
            for _, texts in shards
        ]
    )
    if len(draws) < config.size:
        raise InputError(f"--size is {config.size}, but only {len(draws)} images are left; ask for fewer")
    chosen = np.zeros(len(draws), bool)
    chosen[np.argsort(draws, kind="stable")[: config.size]] = True
    return chosen


def _by_chance(
    shards: Iterable[tuple[Path, pa.Table]], chosen: Mask, counts: Counts
) -> Iterator[tuple[Path, pa.Table]]:
    """Each shard with the texts of its chosen images."""
    place = 0
    for tar, texts in shards:
        image = np.cumsum(_begins(texts)) - 1 + place  # of each text
        texts = texts.filter(pa.array(chosen[image]))
        counts.add("size", texts)
        place = image[-1] + 1 if len(image) else place
        yield tar, texts


def _write(path: Path, shards: Iterable[tuple[Path, pa.Table]], folder: Path, counts: Counts) -> None:
    with pq.ParquetWriter(path, LIST, compression="zstd") as writer:
        for tar, texts in shards:
            counts.add("out", texts)
            if len(texts):
                writer.write_table(_listed(texts, os.path.relpath(tar, folder)))


def _listed(texts: pa.Table, shard: str) -> pa.Table:
    """The rows of LIST: the texts of each image together."""
    begins = np.flatnonzero(_begins(texts))
    uids = texts["uid"].combine_chunks()
    nameless = pa.array(uids.take(begins).is_null().to_numpy(zero_copy_only=False))
    offsets = pa.array(np.append(begins, len(texts)), pa.int32())
    lists = pa.ListArray.from_arrays(offsets, uids, mask=nameless)
    return pa.table([pa.repeat(shard, len(begins)), texts["key"].take(begins), lists], schema=LIST)


def _begins(texts: pa.Table) -> Mask:
    """Which texts are the first of their image."""
    keys = texts["key"].combine_chunks()
    begins = np.ones(len(keys), bool)
    begins[1:] = pc.not_equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False)
    return begins


def _told(counts: Counts) -> str:
    return ", ".join(f"{step} {images:,}" for step, images in counts.images.items() if step != "out")
