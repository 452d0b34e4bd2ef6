"""What a download and a retry have in common: images are placed, fetched into shards, and counted."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from curation.config import Download
from curation.download.review import CAPTIONS
from curation.download.shard import SUCCESS, gather, read_statistics, shard_files, shard_numbers
from curation.download.task import DONE, Orders
from curation.errors import InputError
from curation.log import progress
from curation.report.downloading import Reports
from curation.runs.tables import PROFILE, fit, read_tables
from curation.spark import cores, executor_cores
from curation.stages.duplicates import duplicates
from curation.stages.images import in_shards, shard_sizes
from curation.stages.read import read

IMAGES = "images"
DUPLICATES = "duplicates"
_REPORTS = "reports"
_GROUPS_A_CORE = 2
"""Groups of shards that a core fetches: few, for the shards of a group flow into one another."""

IMAGE_COLUMNS = ("image_id", "url", "uids", "texts", "keep_probabilities")
_COLUMNS = (
    *("key", *IMAGE_COLUMNS, "status", "error", "error_message", "original_width", "original_height"),
    *("sha256", "perceptual_hash", "size_bytes", "opt_outs"),
)

Engine = Callable[..., Iterator[pa.RecordBatch]]


def place(spark: SparkSession, images: DataFrame, scratch: Path, config: Download, *, first: int = 0) -> None:
    """Write the images of each shard, in a form that stays while shards come to be.

    Args:
        spark: the session.
        images: as `curation.stages.images.images` makes them.
        scratch: gets a folder `IMAGES` with a folder for each shard.
        config: of the download.
        first: number of the first shard.
    """
    shards = _number_of_shards(images, config.shard_size)
    if config.verify_hashes is not None:
        known = _table(spark, config.verify_hashes, "--verify-hashes", "sha256").where("sha256 is not null")
        images = images.join(
            known.groupBy("url").agg(F.min("sha256").alias("expected_sha256")), "url", "left"
        )
    if config.blur_boxes is not None:
        boxes = _table(spark, config.blur_boxes, "--blur-boxes", "boxes")
        boxes = boxes.groupBy("url").agg(F.flatten(F.sort_array(F.collect_list("boxes"))).alias("boxes"))
        images = images.join(boxes, "url", "left")
    draft = scratch / f"_{IMAGES}"
    placed = in_shards(images, shards=shards, first=first)
    placed.write.mode("overwrite").partitionBy("shard").parquet(str(draft))
    draft.rename(scratch / IMAGES)


def _number_of_shards(images: DataFrame, shard_size: int) -> int:
    """The first number of shards, in steps of a thirty-second, with which none is too large."""
    ids = images.select("image_id").cache()
    try:
        shards = -(-ids.count() // shard_size)
        while _largest(ids, shards) > shard_size:
            shards += max(1, shards // 32)
        return shards
    finally:
        ids.unpersist()


def _largest(ids: DataFrame, shards: int) -> int:
    row = shard_sizes(ids, shards=shards).agg(F.max("images")).first()
    assert row is not None  # an aggregate without groups has one row
    return int(row[0])


def _table(spark: SparkSession, path: str, flag: str, column: str) -> DataFrame:
    """The url and a column of a table of the user's."""
    try:
        return read_tables(spark, Path(path)).select("url", column)
    except AnalysisException as error:
        raise InputError(f"{flag} {path}: no Parquet with the columns url and {column}") from error


def publish(folder: Path, output: Path) -> None:
    """Move shards and the tables beside them into an output, a shard's statistics last."""
    for number in shard_numbers(folder):
        for path in shard_files(folder, number):
            path.replace(output / path.name)
    for table in (DUPLICATES, PROFILE):
        shutil.rmtree(output / table, ignore_errors=True)
        (folder / table).rename(output / table)


def take_back(output: Path, folder: Path, *, first: int) -> None:
    """Move shards from a number on out of an output: a run was killed while it published them."""
    for path in output.glob("[0-9]*"):
        if int(re.split(r"\D", path.name, maxsplit=1)[0]) >= first:
            path.replace(folder / path.name)


def fetch(spark: SparkSession, scratch: Path, engine: Engine, orders: Orders) -> None:
    """Make the shards of the images that were placed, except those that are there already."""
    gather(Path(orders.output))  # of a killed attempt
    reports = scratch / _REPORTS
    reports.mkdir(exist_ok=True)
    for old in reports.iterdir():
        old.unlink()  # of a killed attempt
    folders = sorted(map(str, (scratch / IMAGES).glob("shard=*")))
    at_once = cores(spark)
    groups = _groups(folders, _GROUPS_A_CORE * at_once)
    tasks = min(len(groups), at_once)
    decoders = _decoders(tasks, cores=at_once, executor_cores=executor_cores(spark))
    orders = replace(orders, reports=str(reports), share=1 / tasks, decoders=decoders)
    numbers = spark.range(0, len(groups), 1, len(groups))
    with progress(spark, "download", Reports(reports).line):
        read(numbers, paths=groups, reader=partial(engine, orders=orders), schema=DONE).collect()
    gather(Path(orders.output))


def _decoders(tasks: int, *, cores: int, executor_cores: int) -> int:
    """Processes that decode for a task: where tasks are few, for the idle cores of its executor too."""
    return max(1, min(cores // tasks, executor_cores))


def _groups(folders: Sequence[str], number: int) -> list[list[str]]:
    """The folders in so many runs of about the same length, none of them empty."""
    number = min(number, len(folders))
    edges = [len(folders) * n // number for n in range(number + 1)]
    return [list(folders[low:high]) for low, high in pairwise(edges)]


def latest(spark: SparkSession, *folders: Path, again: bool) -> DataFrame:
    """The rows of the images of some folders of shards.

    Args:
        spark: the session.
        folders: of shards.
        again: some images have been fetched again: of their rows, only the last is given.
    """
    tables = [path for folder in folders for path in sorted(folder.glob("[0-9]*.parquet"))]
    fit(spark, "look at shards", *tables)
    rows = read_tables(spark, *tables).select(*_COLUMNS)
    if not again:
        return rows
    place = F.struct(F.length("key"), "key")  # from the hundred thousandth shard on, keys are longer
    return rows.groupBy("image_id").agg(F.max_by(F.struct(*_COLUMNS), place).alias("row")).select("row.*")


def mark_duplicates(images: DataFrame, folder: Path) -> dict[str, int]:
    """Write the table of images that look like another one, and count them."""
    came = images.where(F.col("status") == SUCCESS)
    found = duplicates(came, number=came.count())
    found.write.mode("overwrite").parquet(str(folder))
    marked = images.sparkSession.read.parquet(str(folder))
    counts = {row["same_bytes"]: row["count"] for row in marked.groupBy("same_bytes").count().collect()}
    return {"same_bytes": counts.get(True, 0), "look_alike": counts.get(False, 0)}


@dataclass(frozen=True)
class Tally:
    """What has become of images, for the run record.

    Attributes:
        rows: pairs that went in, and that have their image.
        dropped: pairs, by error.
        facts: about images.
    """

    rows: dict[str, int]
    dropped: dict[str, int]
    facts: dict[str, Any]


def attempts(folder: Path) -> dict[str, int]:
    """How many images were tried, and how many came, by the statistics of shards."""
    told = [read_statistics(folder, number) for number in shard_numbers(folder)]
    return {name: sum(statistics[name] for statistics in told) for name in ("count", "successes")}


def tally(images: DataFrame, *folders: Path) -> Tally:
    """Count images and their pairs by how they ended.

    Args:
        images: `latest` of these folders.
        folders: of shards.
    """
    ends = images.groupBy(
        "status", "error", F.when(F.col("error").isNull(), F.col("error_message")).alias("message")
    )
    sums = ends.agg(
        F.count("*").alias("images"),
        F.sum(F.size("uids")).alias("pairs"),
        F.sum("size_bytes").alias("size_bytes"),
    )
    statuses, errors, dropped, captions = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    rows, size_bytes = {"in": 0, "out": 0}, 0
    for end in sums.collect():
        rows["in"] += end["pairs"]
        size_bytes += end["size_bytes"] or 0
        statuses[end["status"]] += end["images"]
        if end["status"] == SUCCESS:
            rows["out"] += end["pairs"]
        else:
            dropped[end["error"] or end["status"]] += end["pairs"]
            errors[end["error"] or end["message"]] += end["images"]
    numbers = [(folder, number) for folder in folders for number in shard_numbers(folder)]
    for folder, number in numbers:
        captions.update(read_statistics(folder, number).get(CAPTIONS, {}))
    facts = {
        "shards": len(numbers),
        "next_shard": max(number for _, number in numbers) + 1,
        "images": sum(statuses.values()),
        "images_by_status": dict(statuses),
        "errors": dict(errors.most_common()),
        "size_bytes": size_bytes,
        CAPTIONS: dict(captions),
    }
    return Tally(rows, dict(dropped), facts)
