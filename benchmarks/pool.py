"""Count and balance on a simulated pool as large as a disk holds, and what larger ones will cost.

Pairs have short made-up urls and texts: some 26 bytes a row on the disk, where those of real pages have 41
and more, without the matches. Entries are those of `metadata/english`, whose ranks are drawn by lot.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console

from benchmarks import pool_model as model
from benchmarks.pool_model import Ints
from benchmarks.report import Result, seconds
from curation import io
from curation.claim import claim
from curation.config import Balance
from curation.core.expectation import Expectation
from curation.core.identity import pair_uid
from curation.core.lists import Lists
from curation.record import Identity
from curation.runs import balance
from curation.runs.match import SEMANTICS, Counts, count_entries
from curation.schemas import MATCH_COUNTS, MATCHES
from curation.spark import Session
from curation.vocabulary.vocabulary import Vocabulary, read_vocabulary

SIMULATED = 50_000_000
PARTS = (16, 4, 1)
FILES = 64
CORES = 2
CURVE_PAIRS = 1_000_000
SEED = 0
VOCABULARY = "metadata/english"
LAW = model.Law()


@dataclass(frozen=True)
class Point:
    """What a pool of one size took.

    Attributes:
        pairs: of the pool.
        bytes_each: of a row of it on the disk.
        t: 20,000 scaled to the pool.
        count_seconds: for the counts of all entries.
        balance_seconds: for the job: size curve, draw, counts, profile.
        head_share: of the matches, by the commonest 3.2% of the entries.
        kept: share of the pairs.
    """

    pairs: int
    bytes_each: float
    t: float
    count_seconds: float
    balance_seconds: float
    head_share: float
    kept: float


def run(pairs: int = SIMULATED) -> Result:
    """Pairs a second of count and of balance on a sixteenth, a fourth and all of a pool; prints tables."""
    vocabulary = read_vocabulary(VOCABULARY)
    session = Session("benchmark", master=f"local[{CORES}]")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = simulate(folder / "pool", pairs)
        _run_part(session, folder / "warm", files[:1], vocabulary)  # starts Spark, compiles what it runs
        points = [
            _run_part(session, folder / f"part{part}", files[: FILES // part], vocabulary) for part in PARTS
        ]
    session.stop()
    larger = _extrapolated(points)
    Console(soft_wrap=True).print(_told(points, larger), markup=False, highlight=False)
    rates = {}
    for point in points:
        millions = f"{point.pairs / 1e6:.3g}M pairs"
        rates[f"count {millions}"] = point.pairs / point.count_seconds
        rates[f"balance {millions}"] = point.pairs / point.balance_seconds
    return Result("pairs/s", rates, _note(points, larger))


def simulate(folder: Path, pairs: int, seed: int = SEED) -> list[Path]:
    """Write the table of a MATCHES folder: the same bytes for the same seed.

    Args:
        folder: to be made.
        pairs: how many, rounded down to whole files.
        seed: of all chance.

    Returns:
        Its files.
    """
    folder.mkdir(parents=True)
    files = [folder / f"part-{number:05d}.parquet" for number in range(FILES)]
    with ProcessPoolExecutor(CORES, get_context("spawn")) as processes:
        rows = pairs // FILES
        list(processes.map(_write, files, range(FILES), [rows] * FILES, [seed] * FILES))
    return files


def _write(path: Path, number: int, rows: int, seed: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=[seed, number]))
    entry_ids = _entry_ids(rng, rows, _ids_by_rank(seed))
    names = pc.cast(pa.array(np.arange(number * rows, (number + 1) * rows)), pa.string())
    urls = pc.binary_join_element_wise("http://a.example/", names, "")
    constant = {
        "text_source": "alt",
        "page_url": "http://a.example/",
        "crawl": "CC-MAIN-2024-51",
        "language": "en",
        "language_score": 0.9,
        "seen": 1,
        "opt_outs": [],
    }
    columns = {"uid": pair_uid(urls, names), "url": urls, "text": names} | {
        name: pa.repeat(pa.scalar(value, MATCHES.field(name).type), rows) for name, value in constant.items()
    }
    pq.write_table(pa.table(columns | {"entry_ids": entry_ids}, MATCHES), path, compression="zstd")


def _ids_by_rank(seed: int) -> Ints:
    """Which entry has which rank: int64 (500,000)."""
    ids: Ints = np.random.default_rng(seed).permutation(model.ENTRIES)
    return ids


def _entry_ids(rng: np.random.Generator, rows: int, ids: Ints) -> pa.ListArray:
    text, rank = model.draw(rng, rows, LAW)
    order = np.lexsort((ids[rank], text))
    offsets = np.searchsorted(text, np.arange(rows + 1))
    return pa.ListArray.from_arrays(offsets.astype(np.int32), ids[rank][order].astype(np.int32))


def _run_part(session: Session, folder: Path, files: Sequence[Path], vocabulary: Vocabulary) -> Point:
    """Count and balance the pool of some of the files."""
    matches, curated = folder / "matches", folder / "curated"
    pairs = sum(pq.read_metadata(file).num_rows for file in files)
    counts, counting = _match(session, matches, files, vocabulary, pairs)
    t = model.T * pairs / model.PAIRS
    record = balance(session, Balance(matches=(str(matches),), output=str(curated), t=t))[0]
    descending = np.sort(counts)[::-1]
    return Point(
        pairs=pairs,
        bytes_each=sum(file.stat().st_size for file in files) / pairs,
        t=t,
        count_seconds=counting,
        balance_seconds=record.seconds,
        head_share=float(descending[: model.HEAD_ENTRIES].sum() / counts.sum()),
        kept=record.rows["out"] / pairs,
    )


def _match(
    session: Session, output: Path, files: Sequence[Path], vocabulary: Vocabulary, pairs: int
) -> tuple[Counts, float]:
    """A MATCHES folder of files that are there; how long counting took."""
    spark = session()
    identity = Identity(job="match", semantics=SEMANTICS, config={}, inputs=["simulated", pairs, SEED])
    with claim(output, identity) as attempt:
        attempt.begin()
        table = attempt.folder / "pairs"
        table.mkdir()
        for file in files:
            os.link(file, table / file.name)
        start = time.perf_counter()
        counts = count_entries(spark, table, len(vocabulary))
        taken = time.perf_counter() - start
        columns = [vocabulary.table[name] for name in ("language", "entry_id", "entry")]
        io.write_table(attempt.folder / "counts", pa.table([*columns, pa.array(counts)], MATCH_COUNTS))
        io.write_table(attempt.folder / "vocabulary", vocabulary.table, name="entries.parquet")
        facts = {
            "vocabulary_sha256": vocabulary.sha256,
            "vocabulary_manifest": {},
            "pool": "simulated",
            "pool_rows": {"rows_in": pairs, "dropped": {}, "rows_out": pairs},
            "against": [],
            "matches": int(counts.sum()),
            "entries": len(vocabulary),
            "entries_matched": int(np.count_nonzero(counts)),
        }
        attempt.publish(rows={"in": pairs, "out": pairs}, dropped={}, facts=facts, made={})
    return counts, taken


def _told(points: Sequence[Point], larger: Sequence[Sequence[str]]) -> str:
    """The tables of docs/scale.md."""
    pools = ("1.6B at t = 20,000", "10.7B at 170,000", "10.7B at 20,000")
    return "\n\n".join(
        [
            _table(("published", "figure", "model"), model.fit_table()),
            _table(("kept if", *pools), model.company_table()),
            _table(
                ("pairs", "t", "count", "pairs/s", "balance", "pairs/s", "head's share", "kept"),
                [_measured(point) for point in points],
            ),
            _table(("pairs", "count", "balance"), larger),
        ]
    )


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(names) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (names, rule, *rows))


def _measured(point: Point) -> list[str]:
    return [
        f"{point.pairs:,}",
        f"{point.t:,.1f}",
        f"{point.count_seconds:.1f} s",
        f"{point.pairs / point.count_seconds:,.0f}",
        f"{point.balance_seconds:.1f} s",
        f"{point.pairs / point.balance_seconds:,.0f}",
        f"{point.head_share:.1%}",
        f"{point.kept:.1%}",
    ]


def _extrapolated(points: Sequence[Point]) -> list[list[str]]:
    """Core-hours of larger pools: the slope of what was measured, and what a longer size curve adds."""
    pools = [model.PAIRS, model.PAIRS_2]
    count, draw = (_seconds_a_pair(points, step) * CORES for step in ("count_seconds", "balance_seconds"))
    here, *there = _curve_seconds([points[-1].pairs, *pools])
    return [
        [f"{pairs / 1e9:.1f}B", *(f"{cost * pairs / 3600:.1f} core-hours" for cost in (count, draw + more))]
        for pairs, more in zip(pools, (larger - here for larger in there), strict=True)
    ]


def _curve_seconds(pools: Sequence[float]) -> list[float]:
    """Seconds of one core for a pair's part of the size curve, whose grid has four points an octave."""
    ids = _ids_by_rank(SEED)
    pairs = _entry_ids(np.random.default_rng(SEED), CURVE_PAIRS, ids)
    taken = []
    for size in pools:
        counts = np.zeros(model.ENTRIES, np.int64)
        counts[ids] = np.rint(model.counts() * size / model.PAIRS)
        lists = Lists(counts, np.full(model.ENTRIES, "en", object))
        expectation = Expectation(counts, lists.numbers, lists.grid().t)
        expectation.add(pairs[:1])  # compiles
        taken.append(seconds(partial(expectation.add, pairs)) / len(pairs))
    return taken


def _seconds_a_pair(points: Sequence[Point], step: str) -> float:
    """The slope of the seconds of a step over pairs: what it costs to begin is left out."""
    pairs = [point.pairs for point in points]
    return float(np.polyfit(pairs, [getattr(point, step) for point in points], 1)[0])


def _note(points: Sequence[Point], larger: Sequence[Sequence[str]]) -> str:
    last = points[-1]
    independent = model.kept_if_independent(model.T)
    costs = "; ".join(f"{pairs}: count {count}, balance {drawn}" for pairs, count, drawn in larger)
    return (
        f"simulated pool of {last.pairs:,} pairs, {last.bytes_each:.0f} bytes a row, spread {LAW.spread}, "
        f"company {LAW.company}, t = {last.t:,.1f}, {CORES} cores: head's share {last.head_share:.1%} "
        f"(published {model.HEAD_SHARE:.1%}), kept {last.kept:.1%} (published {model.KEPT:.1%}; were matches "
        f"independent, {independent:.1%}); by the slope, {costs}"
    )
