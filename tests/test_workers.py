"""Python workers killed while they match, balance and download: Spark starts others, and nothing changes."""

import os
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from curation.config import Balance, Download, Match
from curation.demo.server import Answer, Server
from curation.runs import balance, download, match
from tests.conftest import ROOT
from tests.runs.conftest import make_pool, rows
from tests.runs.test_download import GOOD
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


WRITING = "_attempt-*/pairs/_temporary"
A_SHARD_IS_THERE = "_attempt-*/*_stats.json"


def run_killing(job, output, *arguments, when=WRITING):
    """Run a job, and kill the workers that are there when it has come so far, until a task has been lost."""
    command = [sys.executable, ROOT / "jobs" / f"{job}.py", "--output", output, *arguments]
    command += ["--master", "local[2,4]"]  # four tries a task, as on a cluster
    rounds = 0
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while process.poll() is None:
            writing = rounds < 3 and list(output.glob(when))
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


def test_downloading_with_killed_workers(session, tmp_path):
    with Server(lambda path: Answer(body=GOOD, delay_seconds=0.05)) as server:
        table = pairs([f"a cat {n}" for n in range(160)])
        table = table.set_column(1, "url", [[f"{server.origin}/{n}.jpg" for n in range(160)]])
        make_pool(tmp_path / "pool", table)
        (tmp_path / "entries.txt").write_text("cat")
        pool, matches, curated = (str(tmp_path / name) for name in ("pool", "matches", "curated"))
        match(session, Match(pool=pool, vocabulary=str(tmp_path / "entries.txt"), output=matches))
        balance(session, Balance(matches=(matches,), output=curated, t=1000))
        how = {"shard_size": 10, "threads": 2, "allow_hosts": ("127.0.0.1",)}
        (whole,) = download(session, Download(curated=curated, output=str(tmp_path / "shards"), **how))
        flags = ("--shard-size", 10, "--threads", 2, "--allow-hosts", "127.0.0.1")
        other = tmp_path / "shards-2"
        run_killing("download", other, "--curated", curated, *flags, when=A_SHARD_IS_THERE)
    assert whole.rows["out"] == 160
    files = [path for path in sorted(whole.folder.glob("[0-9]*")) if path.is_file()]
    assert len(files) > 3 * 10
    assert [path.name for path in sorted(other.glob("[0-9]*"))] == [path.name for path in files]
    for path in files:
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name
    assert not list(other.rglob("_sealing*"))
