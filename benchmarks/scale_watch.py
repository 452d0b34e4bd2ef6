"""What a job takes: memory and processor time of its processes, by role, and what Spark says of its tasks."""

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DRIVER_JVM, DRIVER_PYTHON, EXECUTOR = "driver JVM", "driver Python", "executor JVM"
WORKER, DECODER = "Python worker", "decoder"
ROLES = (DRIVER_JVM, DRIVER_PYTHON, EXECUTOR, WORKER, DECODER)

_SECONDS = 0.2
_TICKS = os.sysconf("SC_CLK_TCK")


class Watch:
    """Looks at processes five times a second while it is started.

    Memory is PSS, in which forked workers share what they have in common; of a role, its largest process.

    Args:
        driver: the process of spark-submit, or of a job without Spark.
        workers: Spark's workers, below which the executors are.
        output: folder whose size is watched, too.

    Attributes:
        megabytes: the most that a process of each role had.
        peak_bytes: the most that was in the output.
    """

    def __init__(self, driver: int, workers: list[int], output: Path) -> None:
        self._driver, self._workers, self._output = driver, workers, output
        self._cpu: dict[tuple[str, int], float] = {}
        self.megabytes: dict[str, float] = {}
        self.peak_bytes = 0

    @contextmanager
    def going(self) -> Iterator["Watch"]:
        """Look while the block runs."""
        over = threading.Event()
        threads = [
            threading.Thread(target=_often, args=(over, look, seconds), daemon=True)
            for look, seconds in ((self._look, _SECONDS), (self._measure, 5 * _SECONDS))
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            over.set()
            for thread in threads:
                thread.join()

    @property
    def cpu_seconds(self) -> dict[str, float]:
        """Of all processes of each role, user and system, until they were last seen."""
        total: dict[str, float] = defaultdict(float)
        for (role, _), seconds in self._cpu.items():
            total[role] += seconds
        return {role: round(total[role], 2) for role in ROLES if role in total}

    def _look(self) -> None:
        seconds, children = _processes()
        for process, role in self._roles(children):
            if process in seconds and (megabytes := _megabytes(process)):  # none: it has just ended
                self._cpu[role, process] = seconds[process]
                self.megabytes[role] = max(self.megabytes.get(role, 0.0), megabytes)

    def _roles(self, children: Mapping[int, list[int]]) -> Iterator[tuple[int, str]]:
        for process in (self._driver, *(process for process, _ in _below(self._driver, children))):
            yield process, DRIVER_PYTHON if "python" in _command(process) else DRIVER_JVM
        for worker in self._workers:
            for executor in children.get(worker, ()):
                yield executor, EXECUTOR
                for process, depth in _below(
                    executor, children
                ):  # the daemon, what it forks, what that starts
                    yield process, WORKER if depth < 3 else DECODER

    def _measure(self) -> None:
        self.peak_bytes = max(self.peak_bytes, size_bytes(self._output))


def size_bytes(folder: Path) -> int:
    """Of all files below a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).stat().st_size
            except OSError:
                continue  # moved or deleted meanwhile
    return total


def spark_metrics(folder: Path) -> dict[str, int]:
    """What the tasks of an application did, added up, from its event log: bytes, and the number of tasks.

    Args:
        folder: `spark.eventLog.dir`, with the log of one application, in one piece and not compressed.
    """
    sums: dict[str, int] = defaultdict(int)
    for path in folder.iterdir():
        with path.open() as lines:
            for line in lines:
                if line.startswith('{"Event":"SparkListenerTaskEnd"'):
                    _add_task(sums, json.loads(line))
    return dict(sums)


def _add_task(sums: dict[str, int], event: Mapping[str, Any]) -> None:
    sums["tasks"] += 1
    metrics = event.get("Task Metrics")
    if metrics is None:
        return
    sums["shuffle_bytes"] += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
    sums["spilled_bytes"] += metrics["Disk Bytes Spilled"]
    sums["result_bytes"] += metrics["Result Size"]


def _often(over: threading.Event, look: Callable[[], None], seconds: float) -> None:
    while True:
        began = time.monotonic()
        look()
        if over.wait(max(0.0, seconds - (time.monotonic() - began))):
            return


def _processes() -> tuple[dict[int, float], dict[int, list[int]]]:
    """Processor seconds of each process that there is, and the children of each."""
    seconds: dict[int, float] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        process = int(folder.name)
        seconds[process] = (int(fields[11]) + int(fields[12])) / _TICKS
        children[int(fields[1])].append(process)
    return seconds, children


def _below(process: int, children: Mapping[int, list[int]], depth: int = 1) -> Iterator[tuple[int, int]]:
    for child in children.get(process, ()):
        yield child, depth
        yield from _below(child, children, depth + 1)


def _megabytes(process: int) -> float:
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass  # it has ended meanwhile
    return 0.0


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text().partition("\0")[0]
    except OSError:
        return ""
