"""Megabytes of WAT a second to pairs, on one core: ours, cc2dataset, and merely reading with fastwarc."""

import os
import tempfile
from pathlib import Path

from cc2dataset.main import extract_documents_from_wat
from fastwarc import ArchiveIterator

from benchmarks.report import Result, rates
from curation.crawl.extract import Reading, read_file

COPIES = 30
DATA = Path(os.environ.get("CURATION_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


def run() -> Result | None:
    """Measure on the shared WAT of real pages, several times over; None without it."""
    source = DATA / "wat" / "pages.warc.wat.gz"
    if not source.is_file():
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pages.warc.wat.gz")
        path.write_bytes(source.read_bytes() * COPIES)
        megabytes = path.stat().st_size / 1e6
        measured = rates(
            megabytes,
            {
                "ours": lambda: _ours(path),
                "ours, not telling languages": lambda: _ours_without_languages(path),
                "cc2dataset": lambda: _cc2dataset(path),
                "fastwarc, reading only": lambda: _read(path),
            },
            rounds=3,
        )
        return Result(
            "MB gz/s",
            measured,
            f"{megabytes:.0f} MB of WAT; ours with absolute URLs, titles, languages (which cc2dataset "
            "does not tell) and a ledger",
        )


def _ours(path: Path) -> None:
    for _ in read_file(str(path), reading=Reading()):
        pass


def _ours_without_languages(path: Path) -> None:
    for _ in read_file(str(path), reading=Reading(languages=None)):
        pass


def _cc2dataset(path: Path) -> None:
    with path.open("rb") as stream:
        extract_documents_from_wat(stream, "image")


def _read(path: Path) -> None:
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream):
            record.reader.read()
