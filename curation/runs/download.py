"""Curated pairs to shards of images."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from curation import io
from curation.claim import Amendment, Attempt, amend, claim
from curation.config import Download, affecting_rows
from curation.download import img2dataset, task
from curation.download.addresses import split_allowed
from curation.download.errors import FETCH_ERRORS
from curation.download.overlap import EvaluationSets, read_sets
from curation.download.review import Classifier
from curation.download.shard import FAILED_TO_DOWNLOAD
from curation.download.task import Orders
from curation.errors import InputError
from curation.log import announce, progress
from curation.record import Identity, RunRecord, read_record
from curation.runs.shards import (
    DUPLICATES,
    IMAGE_COLUMNS,
    IMAGES,
    attempts,
    fetch,
    latest,
    mark_duplicates,
    place,
    publish,
    take_back,
    tally,
)
from curation.runs.tables import fit, made_with, read_tables, write_profile
from curation.runs.takedown import PENDING
from curation.spark import Session
from curation.stages.images import images, uncut

SEMANTICS = 3

_UNCUT = ("match", "extract")

_NO_CONTACT = "Without --contact, those whom you visit cannot tell who asks: give a URL or an address.\n"

_ENGINES = {"curation": task.download_shards, "img2dataset": img2dataset.download_shards}
_MAY_PASS = [error for error, kind in FETCH_ERRORS.items() if kind.later]


@dataclass(frozen=True)
class _Lists:
    """What the user's lists say, and the checksums that stand for them in the run's identity."""

    blocked: frozenset[str]
    evaluation: EvaluationSets | None
    contents: dict[str, Any]

    def orders(self, output: Path, config: Download) -> Orders:
        """What all tasks are told."""
        return Orders(output=str(output), options=config, blocked=self.blocked, evaluation=self.evaluation)


def download(session: Session, config: Download) -> list[RunRecord]:
    """Fetch the images of the curated pairs, or of all pairs of MATCHES or a POOL.

    A run that was stopped goes on with the shards that are missing.

    Args:
        session: starts Spark when there is work.
        config: what to fetch, and how.

    Returns:
        The record of the shards; its rows are pairs, images are among its facts.

    Raises:
        InputError: the curated pairs are missing or none, a list is none, or the output cannot be made.
    """
    output = io.local_folder(config.output, "--output")
    curated = read_record(io.local_folder(config.curated, "--curated"), "balance", *_UNCUT)
    if not curated.rows["out"]:
        raise InputError(f"{curated.folder} holds no pairs; balance with a larger t")
    if config.retry_failed:
        read_record(output, "download")
    lists = _read_lists(config)
    settings = affecting_rows(config) | lists.contents
    for name in ("curated", "retry_failed"):
        settings.pop(name)
    identity = Identity(job="download", semantics=SEMANTICS, config=settings, inputs=[curated.run_id])
    with claim(output, identity) as attempt:
        if attempt.finished is None:
            if config.contact is None and not config.allow_hosts and config.engine == "curation":
                announce(_NO_CONTACT)
            return [_download(session(), attempt, curated, config, lists)]
        if not config.retry_failed:
            return [attempt.finished]
    with amend(output, "download") as amendment:
        return [_retry(session(), amendment, config, lists)]


def _download(
    spark: SparkSession, attempt: Attempt, curated: RunRecord, config: Download, lists: _Lists
) -> RunRecord:
    if not (attempt.scratch / IMAGES).is_dir():
        attempt.begin()
        fit(spark, "shard", curated.folder / "pairs")
        with progress(spark, "shard"):
            pairs = read_tables(spark, curated.folder / "pairs")
            if curated.job in _UNCUT:
                pairs = uncut(pairs)
            place(spark, images(pairs), attempt.scratch, config)
    take_back(attempt.output, attempt.folder, first=0)
    fetch(spark, attempt.scratch, _ENGINES[config.engine], lists.orders(attempt.folder, config))
    rows = latest(spark, attempt.folder, again=False)
    with progress(spark, "look-alikes"):
        found = mark_duplicates(rows, attempt.folder / DUPLICATES)
    write_profile(rows, attempt.folder)
    counted = tally(rows, attempt.folder)
    facts = counted.facts | {
        "online": curated.config.get("online", False),
        "duplicates": found,
        "retries": [],
    }
    return attempt.publish(rows=counted.rows, dropped=counted.dropped, facts=facts, made=made_with(spark))


def _retry(spark: SparkSession, amendment: Amendment, config: Download, lists: _Lists) -> RunRecord:
    """Add shards of what failed in a way that may pass."""
    before, output, folder = amendment.record.facts, amendment.record.folder, amendment.folder
    scratch = folder / "_scratch"
    if (folder / PENDING).exists():
        raise InputError(f"a takedown of {output} was stopped; run jobs/takedown.py again first")
    take_back(output, folder, first=before["next_shard"])
    if not (scratch / IMAGES).is_dir():
        failed = latest(spark, output, again=bool(before["retries"])).where(_may_pass())
        if failed.isEmpty():
            raise InputError(f"nothing in {output} failed in a way that may pass; there is nothing to retry")
        scratch.mkdir(exist_ok=True)
        with progress(spark, "shard"):
            place(spark, failed.select(*IMAGE_COLUMNS), scratch, config, first=before["next_shard"])
    fetch(spark, scratch, _ENGINES[config.engine], lists.orders(folder, config))
    rows = latest(spark, output, folder, again=True)
    with progress(spark, "look-alikes"):
        found = mark_duplicates(rows, folder / DUPLICATES)
    write_profile(rows, folder)
    counted = tally(rows, output, folder)
    retry = {"at": made_with()["at"], **attempts(folder)}
    facts = counted.facts | {"duplicates": found, "retries": [*before["retries"], retry]}
    publish(folder, output)
    return amendment.save(rows=counted.rows, dropped=counted.dropped, facts=dict(before) | facts)


def _may_pass() -> Column:
    of_ours = F.col("error").isin(_MAY_PASS)
    of_img2dataset = F.col("error").isNull() & (F.col("status") == FAILED_TO_DOWNLOAD)
    return of_ours | of_img2dataset


def _read_lists(config: Download) -> _Lists:
    """Read all that can be wrong before anything is begun."""
    hashes = [
        line.strip().lower() for path in config.block_hashes for line in io.read_lines(path, "--block-hashes")
    ]
    hashes = sorted({line for line in hashes if line and not line.startswith("#")})
    for line in hashes:
        if len(line) != 64 or set(line) - set("0123456789abcdef"):
            raise InputError(f"--block-hashes: {line[:80]!r} is no sha256, which has 64 hex digits")
    sets = [
        read_record(io.local_folder(path, "--exclude-hashes"), "hash_images")
        for path in config.exclude_hashes
    ]
    Classifier.load(config)
    try:
        split_allowed(config.allow_hosts)
    except ValueError as error:
        raise InputError(f"--allow-hosts: {error}") from None
    return _Lists(
        blocked=frozenset(hashes),
        evaluation=read_sets([record.folder for record in sets]) if sets else None,
        contents={
            "block_hashes": hashlib.sha256("\n".join(hashes).encode()).hexdigest() if hashes else None,
            "exclude_hashes": sorted(record.run_id for record in sets),
            "verify_hashes": _files(config.verify_hashes, "--verify-hashes"),
            "blur_boxes": _files(config.blur_boxes, "--blur-boxes"),
        },
    )


def _files(path: str | None, flag: str) -> list[list[Any]] | None:
    """What stands for a table of the user's: name, size and time of its files."""
    if path is None:
        return None
    table = Path(path)
    files = sorted(table.glob("*.parquet")) if table.is_dir() else [table] if table.is_file() else []
    if not files:
        raise InputError(f"{flag} {path}: there is no Parquet file")
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
