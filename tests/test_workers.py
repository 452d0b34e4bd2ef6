"""Python workers killed while they match and balance: Spark starts others, and nothing changes."""

import os
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from curation.config import Balance, Match
from curation.runs import balance, match
from tests.conftest import ROOT
from tests.runs.conftest import make_pool, rows
from tests.stages.conftest import pairs

ROWS = 60_000


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A pool that keeps two workers busy for a while, and a vocabulary."""
    folder = tmp_path_factory.mktemp("work")
    rng = random.Random(0)
    words = [f"word{number}" for number in range(2000)]
    texts = [f"{' '.join(rng.choices(words, k=8))} {number}" for number in range(ROWS)]
    make_pool(folder / "pool", pairs(texts))
    (folder / "entries.txt").write_text("\n".join([*words, *(f"{a} {b}" for a, b in pairwise(words))]))
    return folder


def workers_below(process: int) -> list[int]:
    """The Python workers that Spark's daemon has forked for this driver."""
    parents, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            commands[int(folder.name)] = (folder / "cmdline").read_text()
        except OSError:
            continue  # it has ended meanwhile
        parents[int(folder.name)] = int(stat[1])

    def descends(pid):
        while pid in parents and pid != process:
            pid = parents[pid]
        return pid == process

    daemons = {pid for pid, command in commands.items() if "pyspark.daemon" in command}
    return [pid for pid in daemons if parents[pid] in daemons and descends(pid)]


def run_killing(job, output, *arguments):
    """Run a job, and kill the workers that are there when it writes, until a task has been lost."""
    command = [sys.executable, ROOT / "jobs" / f"{job}.py", "--output", output, *arguments]
    command += ["--master", "local[2,4]"]  # four tries a task, as on a cluster
    rounds = 0
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while process.poll() is None:
            writing = rounds < 3 and list(output.glob("_attempt-*/pairs/_temporary"))
            if writing and not lost_a_task(output) and (workers := workers_below(process.pid)):
                for pid in workers:
                    os.kill(pid, signal.SIGKILL)
                rounds += 1
                time.sleep(0.2)  # for Spark to notice
            time.sleep(0.002)
        assert process.returncode == 0, process.stderr.read().decode()
    assert lost_a_task(output)


def lost_a_task(output):
    return "Lost task" in (output / "_log").read_text()


def same(one, other):
    assert rows(one / "pairs") == rows(other / "pairs")
    files = [path.relative_to(one) for path in one.glob("counts/*.parquet")]
    assert files
    assert all((one / file).read_bytes() == (other / file).read_bytes() for file in files)


def test_matching_with_killed_workers(session, work):
    how = {"pool": str(work / "pool"), "vocabulary": str(work / "entries.txt")}
    match(session, Match(**how, output=str(work / "matches")))
    run_killing("match", work / "matches-2", "--pool", how["pool"], "--vocabulary", how["vocabulary"])
    same(work / "matches", work / "matches-2")


def test_balancing_with_killed_workers(session, work):
    match(
        session,
        Match(pool=str(work / "pool"), vocabulary=str(work / "entries.txt"), output=str(work / "matches")),
    )
    matches = str(work / "matches")
    balance(session, Balance(matches=(matches,), output=str(work / "curated"), target=40_000))
    run_killing("balance", work / "curated-2", "--matches", matches, "--target", 40_000)
    same(work / "curated", work / "curated-2")
    cards = [(work / name / "datacard.json").read_bytes() for name in ("curated", "curated-2")]
    assert cards[0] == cards[1]
