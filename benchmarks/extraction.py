"""Extraction: records to pairs on one core, and the whole job on two, beside cc2dataset and mere reading."""

import os
import tempfile
from itertools import count
from pathlib import Path

from cc2dataset.main import deduplicate_repartition_count, extract_documents_from_wat, process_wat
from fastwarc import ArchiveIterator
from pyspark.sql import SparkSession

from benchmarks.report import Result, rates
from curation.config import Extract
from curation.crawl.extract import Reading, read_file
from curation.runs import extract
from curation.spark import Session

COPIES = 30
FILES = 8
DATA = Path(os.environ.get("CURATION_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
SOURCE = DATA / "wat" / "pages.warc.wat.gz"


def records() -> Result | None:
    """Megabytes of WAT a second to pairs, on one core; None without the shared WAT of real pages."""
    if not SOURCE.is_file():
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pages.warc.wat.gz")
        path.write_bytes(SOURCE.read_bytes() * COPIES)
        megabytes = path.stat().st_size / 1e6
        measured = rates(
            megabytes,
            {
                "ours": lambda: _ours(path, Reading(languages=None)),
                "ours, and telling languages": lambda: _ours(path, Reading()),
                "cc2dataset": lambda: _cc2dataset(path),
                "fastwarc, reading only": lambda: _read(path),
            },
        )
    return Result(
        "MB gz/s",
        measured,
        f"{megabytes:.0f} MB of WAT, one core; ours with absolute URLs, titles, opt-outs and a ledger. "
        "Languages of repeated pages are remembered, so on a crawl telling them costs more than here",
    )


def job() -> Result | None:
    """Megabytes of WAT a second by the whole Spark job, Parquet written; None without the shared WAT."""
    if not SOURCE.is_file():
        return None
    session = Session("benchmark", master="local[2]")
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{n}.warc.wat.gz") for n in range(FILES)]
        for path in paths:
            path.write_bytes(SOURCE.read_bytes() * (COPIES // FILES))
        outputs = (str(Path(folder, f"pool-{n}")) for n in count())

        def ours() -> None:
            extract(session, Extract(input=tuple(map(str, paths)), output=next(outputs)))

        megabytes = sum(path.stat().st_size for path in paths) / 1e6
        measured = rates(
            megabytes,
            {"ours": ours, "cc2dataset": lambda: _cc2dataset_job(session(), paths, next(outputs))},
            rounds=3,
        )
        session.stop()
    return Result(
        "MB gz/s",
        measured,
        f"{FILES} files, {megabytes:.0f} MB of WAT, two cores, de-duplicated; ours with languages and a "
        "ledger",
    )


def _ours(path: Path, reading: Reading) -> None:
    for _ in read_file(str(path), reading=reading):
        pass


def _cc2dataset(path: Path) -> None:
    with path.open("rb") as stream:
        extract_documents_from_wat(stream, "image")


def _cc2dataset_job(spark: SparkSession, paths: list[Path], output: str) -> None:
    """What cc2dataset's `process_one_part` does, which itself reads from Common Crawl's servers alone."""
    files = spark.sparkContext.parallelize(list(map(str, paths)), len(paths))
    rows = files.mapPartitions(lambda part: (row for path in part for row in process_wat(path, "image")))
    frame = rows.toDF(["uid", "url", "alt", "cc_filename", "page_url"])
    deduplicate_repartition_count(frame, output, len(paths), spark)


def _read(path: Path) -> None:
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream):
            record.reader.read()
