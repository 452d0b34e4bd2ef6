"""Rates of this machine: each step on material made for the purpose, by the processor time that it takes."""

import functools
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import functions as F

import curation
from curation import io
from curation.claim import Attempt, claim
from curation.config import Balance, Download, Extract, Match, Plan
from curation.core.identity import image_id, pair_uid
from curation.demo.load import Images, Texts, pool_files, wat_files
from curation.demo.processes import cpu_seconds, processor
from curation.demo.server import HOST
from curation.errors import InputError
from curation.log import announce, log_file
from curation.plan.rates import Rates
from curation.record import Identity, RunRecord
from curation.runs import balance, download, extract, match
from curation.runs.tables import read_tables, write_kept, write_profile
from curation.spark import Session, cores
from curation.stages.deduplicate import deduplicate

SECONDS = 30.0
"""Time for a step, beside what warms it up: all five are done within five minutes."""

SEEN = 7
"""How often each pair comes among the candidates: of those of all WATs, 15% are distinct (cc2dataset)."""

_KEPT = 0.25
_IMAGES = 60  # to begin with, for each second
_VOCABULARY = Path(curation.__file__).parents[1] / "metadata" / "english"

Work = Callable[[int], Callable[[], float]]
"""Prepares so many times the smallest amount; what comes back does it, and says how many units it was."""


@dataclass(frozen=True)
class _Spent:
    units: float
    cpu_seconds: float
    seconds: float


def calibrate(config: Plan) -> tuple[Rates, str]:
    """Measure this machine, and write the rates down.

    Args:
        config: where to write, and how many cores to use.

    Returns:
        The rates, and the path of the file.

    Raises:
        InputError: the file cannot be written, or this is no checkout on Linux.
    """
    path = Path(str(config.calibrate)).absolute()
    if not path.parent.is_dir() or path.is_dir():
        raise InputError(f"--calibrate {config.calibrate}: give a file in a folder that exists")
    with tempfile.TemporaryDirectory(prefix="curation-") as folder:
        log = Path(folder, "_log")
        session = Session("calibrate", master=f"local[{config.cores}]", log=log)
        try:
            with log_file(log):
                rates = measure(session, Path(folder), SECONDS)
        finally:
            session.stop()
    io.write_json(path, asdict(rates))
    return rates, str(config.calibrate)


def measure(session: Session, folder: Path, seconds: float) -> Rates:
    """Run every step for so long.

    Args:
        session: of this machine alone.
        folder: for the material, which is deleted as soon as it has served.
        seconds: for each step; the material grows with it.

    Raises:
        InputError: there is no vocabulary beside the library, or no /proc.
    """
    if not _VOCABULARY.is_dir():
        raise InputError(f"{_VOCABULARY} is missing; calibrate in a checkout of the project")
    steps = _Steps(session, folder, seconds)
    per_pair = {"deduplicate": _rate("de-duplicate", steps.deduplicate, seconds)}
    per_pair["match"] = _rate("match", steps.match, seconds)
    per_pair["balance"] = _rate("balance", steps.balance, seconds)
    per_mbyte = _without(
        _rate("extract", steps.extract, seconds), steps.pairs_per_mbyte * per_pair["deduplicate"]
    )
    with Images() as steps.images:
        per_image = _rate("download", steps.download, seconds, apart=steps.images.pid)
    return Rates(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=f"{processor()}, {cores(session())} cores",
        how=f"jobs/plan.py --calibrate, {seconds:g} s a step, curation {curation.__version__}, Spark "
        f"{session().version}, Python {platform.python_version()}",
        cpu_seconds={"extract": per_mbyte, **per_pair, "download": per_image},
    )


def _rate(name: str, work: Work, seconds: float, *, apart: int | None = None) -> float:
    """Processor seconds a unit, of what a longer run takes beyond a short one: start-up is in both.

    Args:
        name: told the user.
        work: of the step.
        seconds: for the longer run.
        apart: a process that is not counted.
    """
    announce(f"measuring {name} …")
    work(1)()  # Java and numba compile what is used often, and Python workers start
    short = _spent(work(1), apart)
    long = _spent(work(max(2, round(seconds / short.seconds))), apart)
    if long.cpu_seconds <= short.cpu_seconds or long.units <= short.units:
        return long.cpu_seconds / long.units  # too short for a difference to tell
    return (long.cpu_seconds - short.cpu_seconds) / (long.units - short.units)


def _without(whole: float, part: float) -> float:
    """What is left of a rate without a part that was measured by itself; all of it, where noise is larger."""
    return whole - part if part < whole else whole


def _spent(prepared: Callable[[], float], apart: int | None) -> _Spent:
    began, before = time.perf_counter(), cpu_seconds(apart=apart)
    units = prepared()
    return _Spent(units, cpu_seconds(apart=apart) - before, time.perf_counter() - began)


class _Steps:
    """The work of each step, on material that lies in a folder.

    Attributes:
        pairs_per_mbyte: candidates in a MB of the WAT files, known once they have been read.
        images: serves them.
    """

    def __init__(self, session: Session, folder: Path, seconds: float) -> None:
        self.pairs_per_mbyte = 0.0
        self.images: Images
        self._session, self._folder, self._size = session, folder, max(1, round(seconds))
        self._texts = Texts(_VOCABULARY)

    def deduplicate(self, times: int) -> Callable[[], float]:
        pairs = read_tables(self._session(), *self._pairs).drop("uid", "seen")
        copies = self._session().range(SEEN * times).withColumnRenamed("id", "copy")
        url = F.concat("url", F.lit("?"), (F.col("copy") % times).cast("string"))
        candidates = pairs.crossJoin(F.broadcast(copies)).withColumn("url", url).drop("copy")
        output = self._new("distinct")

        def run() -> float:
            distinct = deduplicate(candidates).withColumn("drop_reason", F.lit(None).cast("string"))
            rows, _ = write_kept(distinct, output / "pairs", [])
            write_profile(read_tables(self._session(), output / "pairs"), output)
            return float(SEEN * rows)

        return run

    def match(self, times: int) -> Callable[[], float]:
        pool = self._pool(times)
        config = Match(pool=str(pool), vocabulary=str(_VOCABULARY), output=str(self._new("matches")))
        return lambda: float(match(self._session, config)[0].rows["in"])

    def balance(self, times: int) -> Callable[[], float]:
        matches, t = self._matches
        source = self._copies(matches, self._new("more-matches"), times)
        config = Balance(matches=(str(source),), t=t * times, output=str(self._new("curated")))
        return lambda: float(balance(self._session, config)[0].rows["in"])

    def extract(self, times: int) -> Callable[[], float]:
        folder = self._new("wats")
        folder.mkdir()
        paths = [folder / f"{copy}-{path.name}" for copy in range(times) for path in self._wats]
        for path in paths:
            os.link(self._folder / "material" / path.name.partition("-")[2], path)
        config = Extract(input=(str(folder / "*.gz"),), output=str(self._new("pool")))
        mbytes = sum(path.stat().st_size for path in paths) / 1e6

        def run() -> float:
            (record,) = extract(self._session, config)
            self.pairs_per_mbyte = record.rows["in"] / mbytes
            return mbytes

        return run

    def download(self, times: int) -> Callable[[], float]:
        curated = self._curated(_IMAGES * self._size * times)
        config = Download(
            curated=str(curated), output=str(self._new("shards")), shard_size=1000, allow_hosts=(HOST,)
        )
        return lambda: float(download(self._session, config)[0].rows["out"])

    def _new(self, name: str) -> Path:
        """A folder for an output, in the place of the last one."""
        shutil.rmtree(self._folder / name, ignore_errors=True)
        return self._folder / name

    @functools.cached_property
    def _pairs(self) -> list[Path]:
        return pool_files(self._folder / "pairs", self._texts.texts, rows=3000 * self._size)

    @functools.cached_property
    def _wats(self) -> list[Path]:
        """Two files, large as real ones are: a task for each MB would cost more than reading it."""
        parts = wat_files(self._folder / "material", self._texts, files=2 * self._size)
        halves = [self._folder / "material" / f"half-{number}.warc.wat.gz" for number in range(2)]
        for number, half in enumerate(halves):
            half.write_bytes(b"".join(part.read_bytes() for part in parts[number::2]))
        return halves

    @functools.cached_property
    def _matches(self) -> tuple[RunRecord, float]:
        """MATCHES of the smallest pool, and the t that keeps as much of them as MetaCLIP's of its own."""
        pool, output = self._pool(1), self._new("few-matches")
        config = Match(pool=str(pool), vocabulary=str(_VOCABULARY), output=str(output))
        (matches,) = match(self._session, config)
        target = max(1, round(_KEPT * matches.rows["out"]))
        how = Balance(matches=(str(output),), target=target, output=str(self._new("curated")))
        (curated,) = balance(self._session, how)
        return matches, float(curated.facts["t"]["en"])

    def _pool(self, times: int) -> Path:
        def fill(attempt: Attempt) -> int:
            _link(self._pairs, attempt.folder / "pairs", times)
            return times * int(sum(pq.read_metadata(path).num_rows for path in self._pairs))

        return _made(self._new("pool"), "extract", {"against": []}, fill)

    def _copies(self, matches: RunRecord, output: Path, times: int) -> Path:
        """The same matches so many times, and as often counted."""

        def fill(attempt: Attempt) -> int:
            _link(sorted((matches.folder / "pairs").glob("*.parquet")), attempt.folder / "pairs", times)
            counts = io.read_table(matches.folder / "counts")
            more = pa.array(counts["count"].to_numpy() * times)
            place = counts.schema.get_field_index("count")
            io.write_table(attempt.folder / "counts", counts.set_column(place, "count", more))
            shutil.copytree(matches.folder / "vocabulary", attempt.folder / "vocabulary")
            return times * int(matches.rows["out"])

        return _made(output, "match", dict(matches.facts), fill)

    def _curated(self, images: int) -> Path:
        def fill(attempt: Attempt) -> int:
            urls = pa.array([f"{self.images.origin}/{n}.jpg" for n in range(images)])
            texts = pa.array(self._texts.texts(images))
            columns = {"uid": pair_uid(urls, texts), "url": urls, "text": texts, "image_id": image_id(urls)}
            table = pa.table({**columns, "keep_probability": pa.array([0.5] * images)})
            io.write_table(attempt.folder / "pairs", table)
            return images

        return _made(self._new("curated"), "balance", {}, fill)


def _made(folder: Path, job: str, facts: dict[str, object], fill: Callable[[Attempt], int]) -> Path:
    """An output such as a job would have published."""
    with claim(folder, Identity(job=job, semantics=0, config={}, inputs=[])) as attempt:
        attempt.begin()
        rows = fill(attempt)
        attempt.publish(rows={"in": rows, "out": rows}, dropped={}, facts=facts, made={})
    return folder


def _link(paths: Sequence[Path], folder: Path, times: int) -> None:
    folder.mkdir()
    for path in paths:
        for copy in range(times):
            os.link(path, folder / f"{path.stem}-{copy}.parquet")
