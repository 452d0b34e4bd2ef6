"""`make demo` as a user sees it."""

import os
import re
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import webdataset

from curation.demo.server import Server
from curation.demo.web import DAMAGES


def demo(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "curation.demo", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100", "PYSPARK_SUBMIT_ARGS": "--master local[2] pyspark-shell"},
        timeout=240,
    )


@pytest.fixture
def port():
    """A port that was free a moment ago."""
    server = Server({}.get)
    with server:
        return server.port


def test_the_demo(tmp_path, port):
    result = demo("--output", tmp_path / "demo", "--port", port)
    assert result.returncode == 0, result.stderr
    work = tmp_path / "demo" / "work"
    found = re.search(r"found in the files +([\d,]+)", result.stdout)
    steps = dict(re.findall(r"^(extract|match|balance|download) +([\d,]+)", result.stdout, re.MULTILINE))
    assert (
        int(found[1].replace(",", ""))
        > int(steps["extract"].replace(",", ""))
        > int(steps["match"].replace(",", ""))
    )
    assert re.search(r"^cat +\d+ +\d+ +█", result.stdout, re.MULTILINE)
    assert "malformed_json 1" in result.stdout
    assert "1 of 6 files are cut off" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    assert "WARN" not in result.stdout + result.stderr

    counts = pq.read_table(work / "curated" / "counts").to_pylist()
    cat = next(row for row in counts if row["entry"] == "cat")
    assert cat["count"] > 100
    assert cat["kept_count"] < cat["count"] / 3
    rare = [row for row in counts if 0 < row["count"] <= 10]
    assert len(rare) > 50
    assert all(row["kept_count"] == row["count"] for row in rare)

    shards = sorted((work / "shards").glob("*.parquet"))
    assert len(shards) > 2
    rows = [row for path in shards for row in pq.read_table(path).to_pylist()]
    status = {damage: {row["status"] for row in rows if f"/{damage}/" in row["url"]} for damage in DAMAGES}
    assert status.pop("moved") == {"success"}
    assert {name for name, seen in status.items() if "success" in seen or not seen} == set()
    tars = [str(path) for path in sorted((work / "shards").glob("*.tar"))]
    samples = list(webdataset.WebDataset(tars, shardshuffle=False).decode("pil"))
    assert len(samples) == sum(row["status"] == "success" for row in rows) > 200

    again = demo("--output", tmp_path / "demo", "--port", port)
    assert again.returncode == 0
    assert again.stdout.count("done before") == 4


def test_a_taken_port_is_one_clear_line(tmp_path):
    with Server({}.get) as server:
        result = demo("--output", tmp_path / "demo", "--port", server.port)
    assert result.returncode == 2
    assert re.fullmatch(
        r"error: port \d+ of 127\.0\.0\.1 is taken; name another --port and --output\n", result.stderr
    )
    assert not (tmp_path / "demo").exists()
