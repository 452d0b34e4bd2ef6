"""How soon a worker can match, and the memory it takes: ours beside an automaton, each in its own process."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa

from benchmarks.report import Result, seconds


def run() -> Result:
    """Times a second that a worker could be made ready: loading and building, compiled code in its cache."""
    from benchmarks.matching import ENTRIES, vocabulary

    measured: dict[str, list[float]] = {"ours": [], "ahocorasick-rs": []}
    memory = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "entries.arrow")
        table = pa.table({"entry": vocabulary()})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        for attempt in range(6):
            for engine, found in measured.items():
                command = [sys.executable, "-m", "benchmarks.ready", engine, str(path)]
                told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                if attempt:  # the first may have to compile
                    found.append(float(told[0]))
                    memory[engine] = told[1]
    return Result(
        "1/s",
        {engine: 1 / min(found) for engine, found in measured.items()},
        f"{ENTRIES:,} entries; memory of the process at its most: "
        + ", ".join(f"{engine} {megabytes} MB" for engine, megabytes in memory.items()),
    )


def _be_ready(engine: str, path: str) -> tuple[float, int]:
    """Seconds that it takes, and the most memory that the process had, in MB."""
    with pa.memory_map(path) as source:
        entries = pa.ipc.open_file(source).read_all()["entry"].combine_chunks()

    def ours() -> None:
        from curation.core.matcher import Matcher

        Matcher(entries).match(pa.array(["a text"]))

    def rust() -> None:
        from ahocorasick_rs import AhoCorasick

        AhoCorasick([f" {entry} " for entry in entries.to_pylist()], store_patterns=False)

    taken = seconds(ours if engine == "ours" else rust)
    # Not ru_maxrss, which begins with what the parent had.
    high_water = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return taken, int(high_water[1]) // 1024 if high_water else 0


if __name__ == "__main__":
    print(*_be_ready(*sys.argv[1:]))  # noqa: T201 (for `run`, which starts it)
