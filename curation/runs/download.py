"""Curated pairs to shards of images."""

import json
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from curation import io
from curation.config import Download, affecting_rows
from curation.download.engine import DONE, download_shard, shard_name
from curation.errors import InputError
from curation.log import progress
from curation.record import Attempt, Identity, RunRecord, claim, read_record
from curation.runs.tables import made_with, read_tables
from curation.spark import Session
from curation.stages.images import images, shard_sizes
from curation.stages.read import read

SEMANTICS = 2
SUCCESS = "success"
_IMAGES = "images"
_ERRORS_TOLD = 10


def download(session: Session, config: Download) -> list[RunRecord]:
    """Fetch the images of the curated pairs.

    A run that was stopped goes on with the shards that are missing.

    Args:
        session: starts Spark when there is work.
        config: what to fetch, and how.

    Returns:
        The record of the shards; its rows are pairs, images are among its facts.

    Raises:
        InputError: the curated pairs are missing or none, or the output cannot be made.
    """
    output = io.local_folder(config.output, "--output")
    curated = read_record(io.local_folder(config.curated, "--curated"), "balance")
    if not curated.rows["out"]:
        raise InputError(f"{curated.folder} holds no pairs; balance with a larger t")
    settings = affecting_rows(config)
    settings.pop("curated")
    identity = Identity(job="download", semantics=SEMANTICS, config=settings, inputs=[curated.run_id])
    with claim(output, identity) as attempt:
        if attempt.finished is not None:
            return [attempt.finished]
        spark = session()
        if not (attempt.scratch / _IMAGES).is_dir():
            with progress(spark, "shard"):
                _prepare(spark, attempt, curated, config.shard_size)
        with progress(spark, "download"):
            _fetch(spark, attempt, config)
        return [_publish(spark, attempt)]


def _prepare(spark: SparkSession, attempt: Attempt, curated: RunRecord, shard_size: int) -> None:
    """Write the images of each shard, in a form that stays while shards come to be."""
    attempt.begin()
    pairs = read_tables(spark, curated.folder / "pairs")
    shards = _number_of_shards(pairs, shard_size)
    draft = attempt.scratch / "images.draft"
    rows = images(pairs, shards=shards).repartition(shards, "shard")
    rows.write.partitionBy("shard").parquet(str(draft))
    draft.rename(attempt.scratch / _IMAGES)


def _number_of_shards(pairs: DataFrame, shard_size: int) -> int:
    """The first number of shards, in steps of a thirty-second, with which none is too large."""
    pairs = pairs.select("image_id").distinct().cache()
    try:
        shards = -(-pairs.count() // shard_size)
        while _largest(pairs, shards) > shard_size:
            shards += max(1, shards // 32)
        return shards
    finally:
        pairs.unpersist()


def _largest(pairs: DataFrame, shards: int) -> int:
    row = shard_sizes(pairs, shards=shards).agg(F.max("images")).first()
    assert row is not None  # an aggregate without groups has one row
    return int(row[0])


def _fetch(spark: SparkSession, attempt: Attempt, config: Download) -> None:
    missing = [
        str(folder)
        for folder in sorted((attempt.scratch / _IMAGES).glob("shard=*"))
        if not _is_done(attempt, int(folder.name.removeprefix("shard=")))
    ]
    if not missing:
        return
    reader = partial(download_shard, output=str(attempt.folder), options=config)
    numbers = spark.range(0, len(missing), 1, len(missing))
    read(numbers, paths=missing, reader=reader, schema=DONE).collect()


def _is_done(attempt: Attempt, shard: int) -> bool:
    """The statistics of a shard are published last; a killed attempt may have moved them already."""
    name = f"{shard_name(shard)}_stats.json"
    return any((folder / name).exists() for folder in (attempt.folder, attempt.output))


def _publish(spark: SparkSession, attempt: Attempt) -> RunRecord:
    folders = (attempt.folder, attempt.output)
    tables = [path for folder in folders for path in sorted(folder.glob("[0-9]*.parquet"))]
    by_status = {
        row["status"]: row
        for row in read_tables(spark, *tables)
        .groupBy("status")
        .agg(F.count("*").alias("images"), F.sum(F.size("uids")).alias("pairs"))
        .collect()
    }
    pairs = {status: int(row["pairs"]) for status, row in by_status.items()}
    statuses = {status: int(row["images"]) for status, row in by_status.items()}
    return attempt.publish(
        rows={"in": sum(pairs.values()), "out": pairs.pop(SUCCESS, 0)},
        dropped=pairs,
        facts={
            "shards": len(tables),
            "images": sum(statuses.values()),
            "images_by_status": statuses,
            "errors": dict(_errors(folders).most_common(_ERRORS_TOLD)),
        },
        made=made_with(spark),
    )


def _errors(folders: tuple[Path, ...]) -> Counter[str]:
    """How often each error occurred, by img2dataset's statistics."""
    errors: Counter[str] = Counter()
    for folder in folders:
        for path in folder.glob("[0-9]*_stats.json"):
            counted: Mapping[str, int] = json.loads(path.read_text())["status_dict"]
            errors.update({message: n for message, n in counted.items() if message != SUCCESS})
    return errors
