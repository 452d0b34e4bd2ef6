"""`make demo` as a user sees it."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack

import pyarrow.parquet as pq
import pytest
import webdataset

from curation.config import Curate
from curation.demo.__main__ import PORTS, VOCABULARY, serve
from curation.demo.server import Server
from curation.demo.wat import write_wats
from curation.demo.web import DAMAGES, Web, rare_names
from curation.errors import InputError
from curation.runs import curate
from curation.vocabulary.vocabulary import read_vocabulary
from tests.notebooks.running import NOTEBOOKS, run_notebook

ERRORS = {
    "missing": "not_found",
    "slow": "timeout",
    "cut": "incomplete",
    "page": "not_an_image",
    "loop": "too_many_redirects",
    "error": "server_error",
    "noai": "opted_out",
    "empty": "not_an_image",
}
"""What a damage leads to."""


def demo(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "curation.demo", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80", "PYSPARK_SUBMIT_ARGS": "--master local[2] pyspark-shell"},
        timeout=240,
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """What a first demo printed, and its folder."""
    folder = tmp_path_factory.mktemp("first") / "demo"
    return demo("--output", folder), folder


@pytest.fixture(scope="module")
def web():
    return Web(rare_names(read_vocabulary(str(VOCABULARY)).entries("en").to_pylist()))


def test_it_ends_well_and_says_nothing_noisy(first):
    result, _ = first
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("A small web, drawn for this demo: ")
    assert re.search(
        r"nothing goes over a network\.\n\nt = 10 \(en\): expected to keep [\d.]+ ± [\d.]+ pairs\n$",
        result.stderr,
    )
    assert not re.search("Traceback|WARN|Setting default", result.stdout + result.stderr)
    for said in ("malformed_json 1", "files cut off", "images are not there", "shards ", "look ", "next "):
        assert said in result.stdout


def test_the_funnel_adds_up(first):
    result, folder = first
    records = [
        json.loads((folder / "work" / name / "_run.json").read_text())
        for name in ("pool", "matches", "curated", "shards")
    ]
    for record in records:
        assert record["rows"]["in"] - record["rows"]["out"] == sum(record["dropped"].values())
    assert [record["rows"]["in"] for record in records[1:]] == [
        record["rows"]["out"] for record in records[:-1]
    ]
    table = re.findall(r"^(extract|match|balance|download) +([\d,]+)", result.stdout, re.MULTILINE)
    assert [int(pairs.replace(",", "")) for _, pairs in table] == [
        record["rows"]["out"] for record in records
    ]
    assert records[0]["dropped"].keys() == {
        "duplicate",
        "empty_text",
        "no_url",
        "data_uri",
        "text_too_long",
    }


def test_the_head_is_cut_and_the_tail_is_whole(first):
    result, folder = first
    assert re.search(r"^cat +\d+ +\d+ +█+░+", result.stdout, re.MULTILINE)
    counts = pq.read_table(folder / "work" / "curated" / "counts").to_pylist()
    cat = next(row for row in counts if row["entry"] == "cat")
    assert cat["count"] > 200
    assert cat["kept_count"] < cat["count"] / 3
    rare = [row for row in counts if 0 < row["count"] <= 10]
    assert len(rare) > 150
    assert all(row["kept_count"] == row["count"] for row in rare)


def test_shards_hold_what_could_be_had(first):
    shards = first[1] / "work" / "shards"
    tables = sorted(shards.glob("*.parquet"))
    assert len(tables) > 2
    rows = [row for path in tables for row in pq.read_table(path).to_pylist()]
    damaged = {damage: [row for row in rows if f"/{damage}/" in row["url"]] for damage in DAMAGES}
    assert {len(some) for some in damaged.values()} == {2}
    assert {row["status"] for row in damaged.pop("moved")} == {"success"}
    for damage, some in damaged.items():
        assert "success" not in {row["status"] for row in some}, damage
        assert all(row["error"] == ERRORS[damage] for row in some), damage
    healthy = [row for row in rows if row["url"].split("/")[3] not in DAMAGES]
    assert {row["status"] for row in healthy} == {"success"}
    assert max(len(row["texts"]) for row in rows) > 1
    tars = [str(path) for path in sorted(shards.glob("*.tar"))]
    samples = list(webdataset.WebDataset(tars, shardshuffle=False).decode("pil"))
    assert len(samples) == sum(row["status"] == "success" for row in rows) > 300


def test_run_again_it_has_nothing_to_do(first):
    result, folder = first
    again = demo("--output", folder)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("done before") == 4

    def numbers(said):
        return re.findall(r"^(\w+ +[\d,]+)  ", said, re.MULTILINE)

    assert numbers(again.stdout) == numbers(result.stdout) != []


@pytest.mark.long
def test_no_image_is_asked_for_twice(session, web, tmp_path):
    with Server(web.answer) as server:
        wats = write_wats(web.pages(server.origin), tmp_path / "web")
        curate(
            session,
            Curate(
                input=tuple(map(str, wats[:3])),
                vocabulary=str(VOCABULARY),
                t=10.0,
                output=str(tmp_path / "work"),
                timeout_seconds=1,
                retries=0,
                allow_hosts=("127.0.0.1",),
            ),
        )
        asked = Counter({path: n for path, n in server.requests.items() if "/loop/" not in path})
    assert len(asked) > 200
    assert set(asked.values()) == {1}
    pool = pq.read_table(tmp_path / "work" / "pool" / "pairs", columns=["url", "seen"])
    assert all(url.startswith(server.origin) for url in pool["url"].to_pylist())
    assert max(pool["seen"].to_pylist()) > 1


def test_it_serves_on_the_port_that_earlier_pages_name(web, tmp_path):
    with Server(web.answer) as stranger:
        port = stranger.port
        (tmp_path / str(port)).mkdir()
        with pytest.raises(InputError, match=f"port {port} of 127.0.0.1 is taken"):
            serve(web, tmp_path)
    with serve(web, tmp_path) as server:
        assert server.port == port


def test_without_earlier_pages_it_takes_a_free_port(web, tmp_path):
    with ExitStack() as stack:
        ports = [stack.enter_context(serve(web, tmp_path / "none")).port for _ in range(2)]
    assert ports[0] < ports[1]
    assert set(ports) <= set(PORTS)


def test_a_taken_port_is_one_clear_line(tmp_path):
    with Server({}.get) as server:
        folder = tmp_path / "demo" / "web" / str(server.port)
        folder.mkdir(parents=True)
        result = demo("--output", tmp_path / "demo")
    assert result.returncode == 2
    assert re.fullmatch(
        r"error: port \d+ of 127\.0\.0\.1 is taken; free it, or name another --output\n", result.stderr
    )
    assert not (tmp_path / "demo" / "work").exists()


def test_every_notebook_runs_on_it(first):
    _, folder = first
    for path in NOTEBOOKS:
        said, shown = run_notebook(path, folder / "work")
        assert len(shown) > 4 or "make it with jobs/compare.py" in said, path.name
        assert "made before profiles" not in said


def test_the_card_is_written(first):
    result, folder = first
    assert str(folder / "card.html") in result.stdout.replace("\n", "")
    html = (folder / "card.html").read_text(encoding="utf-8")
    assert html.count("<img") > 10
    assert len(html) < 3_000_000
