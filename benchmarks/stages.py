"""Matching with Spark on two cores, beside a stage that does nothing."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.matching import captions, vocabulary
from benchmarks.report import Result, rates
from curation.core.identity import pair_uid
from curation.runs.tables import read_tables
from curation.schemas import PAIRS, spark_ddl
from curation.spark import Session
from curation.stages.match import match as match_stage

ROWS = 1_000_000
FILES = 8
MASTER = "local[2]"


def identity() -> Result:
    """Rows a second of matching, and of taking the same rows to Python and back."""
    with tempfile.TemporaryDirectory() as folder:
        _write_pairs(Path(folder))
        session = Session("benchmark", master=MASTER)
        pairs = read_tables(session(), Path(folder))
        unchanged = pairs.mapInArrow(lambda batches: batches, spark_ddl(PAIRS))
        matched = match_stage(pairs, lists={"en": pa.array(vocabulary())}, sha256="benchmark")
        measured = rates(
            ROWS,
            {
                "match": matched.write.format("noop").mode("overwrite").save,
                "identity mapInArrow": unchanged.write.format("noop").mode("overwrite").save,
            },
        )
        session.stop()
    return Result("rows/s", measured, f"{ROWS:,} pairs, {len(vocabulary()):,} entries, two cores")


def _write_pairs(folder: Path) -> None:
    """PAIRS, in some files."""
    for number in range(FILES):
        pq.write_table(_pairs(number, ROWS // FILES), folder / f"part-{number}.parquet", compression="zstd")


def _pairs(number: int, rows: int) -> pa.Table:
    texts = captions(ROWS)[number * rows : (number + 1) * rows]
    urls = [f"https://cdn{number}.example.com/2024/{n}/photo-{n * 7919}.jpg" for n in range(rows)]
    columns = {
        "uid": pair_uid(pa.array(urls), pa.array(texts)),
        "url": urls,
        "text": texts,
        "text_source": ["alt"] * rows,
        "page_url": [f"https://www.example.com/{n // 7}" for n in range(rows)],
        "crawl": ["CC-MAIN-2024-51"] * rows,
        "language": ["en"] * rows,
        "language_score": [0.9] * rows,
        "seen": [1] * rows,
        "opt_outs": [[]] * rows,
    }
    return pa.table(columns, PAIRS)
