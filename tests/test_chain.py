"""The whole chain as users run it: jobs in processes of their own, killed and started again."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

from curation.config import Balance, Extract, Match
from curation.core.identity import uniform
from curation.demo.server import Answer, Server
from curation.runs import balance, extract, match
from curation.vocabulary.vocabulary import read_vocabulary
from tests import reference
from tests.conftest import ROOT
from tests.runs.conftest import rows, write_wat
from tests.test_cli import run

STEPS = ("pool", "matches", "curated", "shards")


def curate(work, *arguments, master="local[2]"):
    return run("curate", "--output", work, "--master", master, *arguments)


@pytest.fixture(scope="module")
def photographs(shared_data, tmp_path_factory):
    """COCO's photographs on loopback, and a WAT that links them with their captions."""
    folder = shared_data / "images" / "coco-mini"
    with (folder / "captions.tsv").open(newline="") as stream:
        captions = list(csv.reader(stream, delimiter="\t"))

    def answer(path):
        file = folder / path.lstrip("/")
        return (
            Answer(body=file.read_bytes(), delay_seconds=0.05)
            if file.suffix == ".jpg" and file.is_file()
            else None
        )

    with Server(answer) as server:
        links = [{"path": "IMG@/src", "url": f"/{name}", "alt": caption} for name, caption in captions]
        wat = write_wat(tmp_path_factory.mktemp("wat") / "coco.wat.gz", server.origin + "/", links)
        yield server, wat, captions


def test_photographs_through_the_whole_chain(tmp_path, photographs, wordnet):
    server, wat, captions = photographs
    arguments = ["--input", wat, "--vocabulary", wordnet, "--t", 20, "--image-size", 64]
    arguments = ["--allow-hosts", "127.0.0.1", *arguments]
    result = curate(tmp_path / "work", *arguments)
    assert result.returncode == 0, result.stderr
    entries = read_vocabulary(str(wordnet)).entries("en").to_pylist()
    pool = {row["uid"]: row["text"] for row in rows(tmp_path / "work" / "pool" / "pairs")}
    assert len(pool) == len({(name, caption.strip()) for name, caption in captions})
    expected = reference.curate(pool, entries, 20, lambda uid: uniform(0, pa.array([uid]))[0])
    assert {row["uid"] for row in rows(tmp_path / "work" / "curated" / "pairs")} == expected.kept
    assert pq.read_table(tmp_path / "work" / "curated" / "counts")["count"].to_pylist() == expected.counts
    shards = [str(path) for path in sorted((tmp_path / "work" / "shards").glob("*.tar"))]
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))
    assert {uid for sample in samples for uid in sample["json"]["uids"]} == expected.kept
    assert all(
        sample["txt"] in sample["json"]["texts"] and min(sample["jpg"].size) == 64 for sample in samples
    )
    assert max(server.requests.values()) == 1

    again = curate(tmp_path / "work", *arguments)
    assert again.returncode == 0
    assert again.stdout.count("done before") == 4
    assert max(server.requests.values()) == 1
    refused = curate(tmp_path / "work", *arguments[:-4], "--t", 30)
    assert refused.returncode == 2
    assert "holds a run with t = 20.0 (now 30.0); name another --output, or delete it" in refused.stderr


def kill_when(pattern: str, work: Path, arguments: list) -> None:
    """Start the chain, and kill its driver as soon as a file of the pattern is there.

    JVM and workers follow when they notice. Every step of it is killed in tests/cluster.
    """
    command = [
        sys.executable,
        ROOT / "jobs" / "curate.py",
        "--output",
        work,
        "--master",
        "local[2]",
        *arguments,
    ]
    with subprocess.Popen(
        list(map(str, command)), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 120
        while not list(work.glob(pattern)):
            assert process.poll() is None, f"it ended before there was any {pattern}"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)


def contents(work: Path) -> dict:
    """What must be the same however a run went: rows of tables, bytes of shards and counts."""
    tables = {f"{name}/pairs": rows(work / name / "pairs") for name in STEPS[:3]}
    assert all(tables.values())
    files = [*work.glob("shards/*.tar"), *work.glob("shards/*.parquet"), *work.glob("*/counts/*.parquet")]
    return tables | {str(path.relative_to(work)): path.read_bytes() for path in files}


@pytest.mark.long
def test_a_chain_whose_driver_was_killed_ends_as_a_quiet_one(tmp_path, photographs, wordnet):
    _, wat, _ = photographs
    arguments = ["--input", wat, "--vocabulary", wordnet, "--t", 20, "--image-size", 64]
    arguments = ["--allow-hosts", "127.0.0.1", *arguments]
    arguments += ["--shard-size", 40, "--threads", 2]
    assert curate(tmp_path / "quiet", *arguments, master="local[1]").returncode == 0
    work = tmp_path / "killed"
    kill_when("shards/_attempt-*/_sealed/*/*_stats.json", work, arguments)
    assert not (work / "shards" / "_run.json").exists()
    result = curate(work, *arguments)
    assert result.returncode == 0, result.stderr
    assert contents(work) == contents(tmp_path / "quiet")
    assert not list(work.glob("*/_attempt-*"))
    for name in STEPS:
        assert {path.name for path in (work / name).iterdir() if path.name.startswith("_")} == {"_run.json"}


ON_ONE_CORE = """
import sys
from curation.config import Balance, Extract, Match
from curation.runs import balance, extract, match
from curation.spark import Session

wat, vocabulary, work = sys.argv[1:]
session = Session("one core", master="local[1]")
extract(session, Extract(input=(wat,), output=f"{work}/pool"))
match(session, Match(pool=f"{work}/pool", vocabulary=vocabulary, output=f"{work}/matches"))
balance(session, Balance(matches=(f"{work}/matches",), t=20, output=f"{work}/curated"))
"""


@pytest.mark.long
def test_real_pages_are_curated_alike_on_one_core_and_two(session, tmp_path, shared_data, wordnet):
    wat = str(shared_data / "wat" / "pages.warc.wat.gz")
    one, two = tmp_path / "local[1]", tmp_path / "local[2]"  # Spark takes such names for globs
    subprocess.run([sys.executable, "-c", ON_ONE_CORE, wat, str(wordnet), str(one)], check=True, timeout=120)
    extract(session, Extract(input=(wat,), output=str(two / "pool")))
    match(session, Match(pool=str(two / "pool"), vocabulary=str(wordnet), output=str(two / "matches")))
    balance(session, Balance(matches=(str(two / "matches"),), t=20, output=str(two / "curated")))
    assert contents(one) == contents(two)
    entries = read_vocabulary(str(wordnet)).entries("en").to_pylist()
    pool = {row["uid"]: row["text"] for row in rows(two / "pool" / "pairs")}
    expected = reference.curate(pool, entries, 20, lambda uid: uniform(0, pa.array([uid]))[0])
    curated = rows(two / "curated" / "pairs")
    assert {row["uid"] for row in curated} == expected.kept
    assert all(row["keep_probability"] == expected.keep[row["uid"]] for row in curated)
    assert pq.read_table(two / "curated" / "counts")["count"].to_pylist() == expected.counts
