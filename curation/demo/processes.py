"""What this process and those that it has started have taken of the processor, by Linux's /proc."""

import os
import platform
from pathlib import Path

from curation.errors import InputError


def cpu_seconds(*, apart: int | None = None) -> float:
    """Processor time, user and system, of this process, its JVM, its workers, and those that have ended.

    Args:
        apart: a process that is left out, with all that it has started.

    Raises:
        InputError: there is no /proc.
    """
    if not Path("/proc/self/stat").exists():
        raise InputError("there is no /proc to read processor times from; calibrate on Linux")
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()  # a name may hold anything
        except OSError:
            continue  # it has ended; its parent has its time
        parents[int(path.parent.name)] = int(fields[1])
        ticks[int(path.parent.name)] = sum(map(int, fields[11:15]))
    # Under spark-submit the JVM has started us, not we the JVM.
    root = os.getppid() if "PYSPARK_GATEWAY_PORT" in os.environ else os.getpid()
    total = sum(ticks[pid] for pid in ticks if _descends(pid, root, apart, parents))
    return total / os.sysconf("SC_CLK_TCK")


def _descends(pid: int, root: int, apart: int | None, parents: dict[int, int]) -> bool:
    while pid in parents and pid not in (root, apart):
        pid = parents[pid]
    return pid == root


def processor() -> str:
    """What /proc calls the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
