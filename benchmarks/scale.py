"""Each step at 1x, 4x, 16x and 64x of its input, on a cluster: `python -m benchmarks.scale [STEP…]`.

Every run is a spark-submit of the job on a standalone cluster of this machine: one worker with two cores,
heaps of a fixed size. Results go to `benchmarks/results/scale.json`, `docs/scale.md`
and `docs/images/scale.png`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyspark
from rich.console import Console

from benchmarks import scale_inputs as inputs
from benchmarks import scale_report as report
from benchmarks.scale_watch import Watch, size_bytes, spark_metrics
from benchmarks.web import serving
from tests.cluster.standalone import Standalone

FACTORS = (1, 4, 16, 64)
CORES = 2
DRIVER_MEMORY, EXECUTOR_MEMORY = "512m", "1g"
"""Heaps: small, and the same at every size, for a JVM takes what it is allowed before it cleans up."""

WATS = 2
PAIRS = 62_500
IMAGES = 256
DUMPS = 1
INDEXED = 16
_SHARD_SIZE = 128
_PORTS = 16
_SPARK_SUBMIT = Path(pyspark.__file__).parent / "bin" / "spark-submit"
_INDEX = "import sys; from pathlib import Path; from curation.trainer.data.index import build; " \
    "build([sys.argv[1]], Path(sys.argv[2]))"  # fmt: skip

Flags = Sequence[object]


@dataclass(frozen=True)
class Input:
    """What a step is run on.

    Attributes:
        amount: of it, in the unit of the step.
        flags: that name it.
    """

    amount: float
    flags: Flags


@dataclass(frozen=True)
class Step:
    """A step that is measured.

    Attributes:
        job: of `jobs/`; None for what is no job.
        unit: of its input.
        prepare: makes an input so many times as large as the smallest.
        largest: the largest factor that it is measured at.
    """

    job: str | None
    unit: str
    prepare: Callable[["Bench", Path, int], Input]
    largest: int = FACTORS[-1]


class Bench:
    """A cluster, and the folder of what is made for it.

    Attributes:
        folder: for inputs and outputs.
        ports: of the loopback web.
    """

    def __init__(self, folder: Path, cluster: Standalone, ports: Sequence[int]) -> None:
        self.folder, self._cluster, self.ports = folder, cluster, ports

    def measure(self, name: str, factor: int) -> dict[str, Any]:
        """Make the input, run the step once, and give what it took."""
        step, place = STEPS[name], self.folder / f"{name}-{factor}"
        given = step.prepare(self, place, factor)
        output = place / "output"
        measured = self.run(step.job, [*given.flags, "--output", output], output)
        if step.job is not None:
            measured["seconds"] = json.loads((output / "_run.json").read_text())["seconds"]
        return {"factor": factor, "amount": given.amount, "output_bytes": size_bytes(output), **measured}

    def run(self, job: str | None, flags: Flags, output: Path) -> dict[str, Any]:
        """Run a job to its end, which must be a good one."""
        events = self.folder / "events"
        shutil.rmtree(events, ignore_errors=True)
        events.mkdir()
        command = _submit(self._cluster.url, job, events) + list(map(str, flags)) if job else _plain(flags)
        began = time.monotonic()
        with tempfile.TemporaryFile() as told:
            process = subprocess.Popen(
                command, cwd=self._cluster.folder, env=self._environment(), stdout=told, stderr=told
            )
            watch = Watch(process.pid, [worker.pid for worker in self._cluster.workers], output)
            with watch.going():
                code = process.wait()
            told.seek(0)
            assert code == 0, f"{command}: exit code {code}\n{told.read().decode(errors='replace')[-4000:]}"
        return {
            "seconds": round(time.monotonic() - began, 3),
            "cpu_seconds": watch.cpu_seconds,
            "megabytes": {role: round(value, 1) for role, value in watch.megabytes.items()},
            "peak_bytes": watch.peak_bytes,
            **spark_metrics(events),
        }

    def _environment(self) -> dict[str, str]:
        return self._cluster.environment() | {"PYTHONPATH": str(Path(__file__).parents[1])}


def _submit(master: str, job: str, events: Path) -> list[str]:
    """Without the packed environment: its unpacking is no part of a step, and workers share our disk."""
    settings = {
        "spark.pyspark.driver.python": sys.executable,
        "spark.pyspark.python": sys.executable,
        "spark.driver.memory": DRIVER_MEMORY,
        "spark.executor.memory": EXECUTOR_MEMORY,
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events.as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
    }
    words = [str(_SPARK_SUBMIT), "--master", master]
    words += [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    return [*words, str(Path(__file__).parents[1] / "jobs" / f"{job}.py")]


def _plain(flags: Flags) -> list[str]:
    shards, _, output = map(str, flags)
    return [sys.executable, "-c", _INDEX, shards, output]


def _extract(bench: Bench, place: Path, factor: int, *, different: bool) -> Input:
    paths = inputs.wats(place / "wat", factor * WATS, different=different)
    return Input(sum(path.stat().st_size for path in paths) / 1e6, ["--input", *paths])


def _match(bench: Bench, place: Path, factor: int) -> Input:
    pool = inputs.pool(place / "pool", factor, PAIRS)
    return Input(factor * PAIRS, ["--pool", pool, "--vocabulary", inputs.VOCABULARY])


def _balance(bench: Bench, place: Path, factor: int) -> Input:
    """Of the matches that `match` made at this size, if it did."""
    matches = bench.folder / f"match-{factor}" / "output"
    if not matches.exists():
        given = _match(bench, place, factor)
        matches = place / "matches"
        bench.run("match", [*given.flags, "--output", matches], matches)
    rows = json.loads((matches / "_run.json").read_text())["rows"]["out"]
    return Input(rows, ["--matches", matches, "--t", 20 * factor])


def _download(bench: Bench, place: Path, factor: int) -> Input:
    curated = inputs.curated(place / "curated", factor * IMAGES, bench.ports)
    bounds = ["--host-connections", 64, "--host-rate", 10_000, "--allow-hosts", "127.0.0.1"]
    return Input(factor * IMAGES, ["--curated", curated, "--shard-size", _SHARD_SIZE, *bounds])


def _build_vocabulary(bench: Bench, place: Path, factor: int) -> Input:
    paths = inputs.dumps(place / "dumps", factor * DUMPS)
    return Input(sum(path.stat().st_size for path in paths) / 1e6, ["--wikipedia", *paths, "--min-count", 5])


def _index(bench: Bench, place: Path, factor: int) -> Input:
    """Of the shards that `download` made of the smallest input, again and again."""
    first = bench.folder / "index-first" / "output"
    if not first.exists():
        given = _download(bench, first.parent, 1)
        bench.run("download", [*given.flags, "--output", first], first)
    shards = inputs.shards(place / "shards", first, factor * INDEXED)
    return Input(factor * INDEXED * IMAGES, [shards])


STEPS = {
    "extract": Step("extract", "MB of WAT", partial(_extract, different=True)),
    "extract-duplicates": Step("extract", "MB of WAT", partial(_extract, different=False)),
    "match": Step("match", "pairs", _match),
    "balance": Step("balance", "matched pairs", _balance),
    "download": Step("download", "images", _download),
    "build_vocabulary": Step("build_vocabulary", "MB of bz2", _build_vocabulary),
    "index": Step(None, "images", _index),
}
_KEPT = {"match"}
"""Steps whose outputs others read."""


def run(names: Sequence[str], factors: Sequence[int], folder: str | None) -> dict[str, Any]:
    """Measure steps, each after a run that warms up; gives the runs by step."""
    console, found = Console(stderr=True), dict[str, Any]()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-", dir=folder)))
        ports = stack.enter_context(serving(inputs.PHOTOGRAPHS, ports=_PORTS))
        memory = "2g"
        cluster = stack.enter_context(Standalone(work / "cluster", workers=1, cores=CORES, memory=memory))
        bench = Bench(work, cluster, ports)
        for name in names:
            sizes = [factor for factor in factors if factor <= STEPS[name].largest]
            runs = []
            for factor in [sizes[0], *sizes]:
                shutil.rmtree(work / f"{name}-{factor}", ignore_errors=True)
                runs.append(bench.measure(name, factor))
                console.print(name, runs[-1], highlight=False)
                if name not in _KEPT:
                    shutil.rmtree(work / f"{name}-{factor}")
            found[name] = {"unit": STEPS[name].unit, "runs": runs[1:]}
    return found


def main(words: Sequence[str] = ()) -> None:
    """Measure, keep the results, and show them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--factors", nargs="+", type=int, default=FACTORS)
    parser.add_argument(
        "--folder", help="where there is room for some 10 GB; default: that for temporary files"
    )
    parser.add_argument("--show", action="store_true", help="measure nothing; show what was measured")
    told = parser.parse_args(words)
    for name in told.steps:
        if name not in STEPS:
            parser.error(f"no step {name!r}: there are {', '.join(STEPS)}")
    found = {} if told.show else run(told.steps or list(STEPS), sorted(told.factors), told.folder)
    report.publish(found, order=list(STEPS))


if __name__ == "__main__":
    main(sys.argv[1:])
