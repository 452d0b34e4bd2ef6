"""Images of evaluation sets to their hashes and captions."""

import asyncio
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation import io
from curation.claim import claim
from curation.config import HashImages
from curation.download.datasets import Sample, dataset_files, read_dataset
from curation.download.decoders import Decoders
from curation.download.image import ImageError, ImageOptions
from curation.download.overlap import normal_caption
from curation.errors import InputError
from curation.log import counted
from curation.record import Identity, RunRecord
from curation.runs.tables import made_with
from curation.schemas import HASHES
from curation.spark import Session

SEMANTICS = 1
_WORKERS_A_DECODER = 2  # so that an image waits for it, rather than it for an image


def hash_images(session: Session, config: HashImages) -> list[RunRecord]:
    """Hash the images of evaluation sets as those of a download are hashed.

    Args:
        session: not needed.
        config: which sets.

    Returns:
        The record of the hashes; its rows are images.

    Raises:
        InputError: a set is missing, none, or called like another one.
    """
    output = io.local_folder(config.output, "--output")
    datasets = _named(config.dataset)
    identity = Identity(
        job="hash_images",
        semantics=SEMANTICS,
        config={},
        inputs=[{"dataset": name, **_digest(path)} for name, path in sorted(datasets.items())],
    )
    with claim(output, identity) as attempt:
        if attempt.finished is not None:
            return [attempt.finished]
        attempt.begin()
        rows, dropped = asyncio.run(_hash(datasets))
        table = pa.Table.from_pylist(sorted(rows, key=lambda row: (row["dataset"], row["name"])), HASHES)
        io.write_table(attempt.folder / "images", table)
        images = Counter(row["dataset"] for row in rows)
        return [
            attempt.publish(
                rows={"in": len(rows) + dropped.total(), "out": len(rows)},
                dropped=dropped,
                facts={"datasets": {name: images[name] for name in sorted(datasets)}},
                made=made_with(),
            )
        ]


def _named(datasets: Iterable[str]) -> Mapping[str, Path]:
    named: dict[str, Path] = {}
    for given in datasets:
        name, equals, path = given.partition("=")
        if not equals or Path(given).exists():
            path = given
            name = Path(path).absolute().name
            name = name if Path(path).is_dir() else name.partition(".")[0]
        if not name or "," in name or name in named:
            raise InputError(f"{given}: give the set a name of its own, without commas: NAME={path}")
        named[name] = Path(path)
    return named


def _digest(path: Path) -> dict[str, Any]:
    """Names the files of a set."""
    files = [
        [str(file.relative_to(path)), file.stat().st_size, file.stat().st_mtime_ns]
        for file in dataset_files(path)
    ]
    return {"files": len(files), "sha256": hashlib.sha256(json.dumps(files).encode()).hexdigest()}


async def _hash(datasets: Mapping[str, Path]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The rows of HASHES, in any order, and how many images gave none, by error."""
    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter()
    samples = counted(_samples(datasets), "hash")
    processes = os.cpu_count() or 1

    async def work() -> None:
        for name, sample in samples:
            try:
                rows.append(await _row(name, sample, decoders))
            except ImageError as error:
                dropped[error.error] += 1

    try:
        async with Decoders(ImageOptions(), processes=processes) as decoders, asyncio.TaskGroup() as workers:
            for _ in range(_WORKERS_A_DECODER * processes):
                workers.create_task(work())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return rows, dropped


def _samples(datasets: Mapping[str, Path]) -> Iterator[tuple[str, Sample]]:
    for name, path in datasets.items():
        for sample in read_dataset(path):
            yield name, sample


async def _row(name: str, sample: Sample, decoders: Decoders) -> dict[str, Any]:
    picture = await decoders.process(sample.data)
    captions = {normal_caption(caption) for caption in sample.captions}
    return {
        "dataset": name,
        "name": sample.name,
        "sha256": hashlib.sha256(sample.data).hexdigest(),
        "perceptual_hash": picture.perceptual_hash,
        "captions": sorted(captions - {""}),
    }
