"""Matching and balancing with Spark on two cores: beside a stage that does nothing, and as the rows grow."""

import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.matching import captions, vocabulary
from benchmarks.report import Result, rates
from curation.config import Balance, Match
from curation.core.identity import pair_uid
from curation.record import Identity, claim
from curation.runs import balance, match
from curation.runs.tables import read_tables
from curation.schemas import PAIRS, spark_ddl
from curation.spark import Session
from curation.stages.match import match as match_stage

ROWS = 1_000_000
FILES = 8
SIZES = (1, 4, 16)  # million rows
MASTER = "local[2]"


def identity() -> Result:
    """Rows a second of matching, and of taking the same rows to Python and back."""
    with tempfile.TemporaryDirectory() as folder:
        pool = _pool(Path(folder), 1)
        session = Session("benchmark", master=MASTER)
        pairs = read_tables(session(), pool / "pairs")
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


def growth() -> Result:
    """Rows a second of the match and balance jobs, tables written, on more and more rows."""
    measured = {}
    session = Session("benchmark", master=MASTER)
    with tempfile.TemporaryDirectory() as folder:
        entries = Path(folder, "entries.txt")
        entries.write_text("\n".join(vocabulary()))
        for millions in SIZES:
            work = Path(folder, str(millions))
            pool, matches, curated = (str(work / name) for name in ("pool", "matches", "curated"))
            _pool(work, millions)
            matching = match(session, Match(pool=pool, vocabulary=str(entries), output=matches))[0]
            how = Balance(matches=(matches,), output=curated, target=millions * ROWS // 4)
            balancing = balance(session, how)[0]
            for name, record in (("match", matching), ("balance", balancing)):
                measured[f"{name} {millions}M rows"] = record.rows["in"] / record.seconds
    session.stop()
    return Result(
        "rows/s",
        measured,
        f"whole jobs, {len(vocabulary()):,} entries, two cores; balance with --target: two passes for t, one "
        "for the draw, one for the counts",
    )


def _pool(work: Path, millions: int) -> Path:
    """A POOL of so many rows: a million, and the same files again under other names."""
    with claim(work / "pool", Identity(job="extract", semantics=0, config={}, inputs=[millions])) as attempt:
        attempt.begin()
        (attempt.folder / "pairs").mkdir()
        for number in range(FILES):
            first = attempt.folder / "pairs" / f"part-{number}-0.parquet"
            pq.write_table(_pairs(number, ROWS // FILES), first, compression="zstd")
            for copy in range(1, millions):
                os.link(first, first.with_name(f"part-{number}-{copy}.parquet"))
        attempt.publish(
            rows={"in": millions * ROWS, "out": millions * ROWS}, dropped={}, facts={"against": []}, made={}
        )
    return work / "pool"


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
