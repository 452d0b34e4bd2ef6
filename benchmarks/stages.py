"""Matching with Spark on two cores, beside a stage that does nothing."""

import tempfile
from itertools import islice
from pathlib import Path

import pyarrow as pa

from benchmarks.matching import captions, vocabulary
from benchmarks.report import Result, rates
from curation.demo.load import pool_files
from curation.runs.tables import read_tables
from curation.schemas import PAIRS, spark_ddl
from curation.spark import Session
from curation.stages.match import match as match_stage

ROWS = 1_000_000
MASTER = "local[2]"


def identity() -> Result:
    """Rows a second of matching, and of taking the same rows to Python and back."""
    with tempfile.TemporaryDirectory() as folder:
        texts = iter(captions(ROWS))
        pool_files(Path(folder), lambda rows: list(islice(texts, rows)), rows=ROWS // 8)
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
