"""jobs/plan.py as a data engineer types it."""

import json
import re

import pytest

from tests.test_cli import assert_refused, run

RUN = ("--crawls", 15, "--cores", 256, "--network-mbit", 10_000)


@pytest.fixture(scope="module")
def said():
    result = run("plan", *RUN, "--price-core-hour", "0.04", COLUMNS="100", JAVA_HOME="/nowhere")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def test_a_400m_run_is_planned(said):
    assert "1.6B matched → 400M curated" in said
    for name in ("extract", "de-duplicate", "match", "balance", "download", "data set"):
        assert re.search(rf"^{name} ", said, re.MULTILINE)
    assert re.search(r"^extract +1\.5M files .* 300 TB +Common Crawl's connections", said, re.MULTILINE)
    assert re.search(r"^money +[\d,]+ at 0.04 a core-hour", said, re.MULTILINE)
    assert max(map(len, said.splitlines())) <= 100


def test_it_says_what_it_rests_on_and_what_to_do_next(said):
    assert "python jobs/balance.py --matches matches --t 20000 --output curated" in said
    assumptions = said.split("What this rests on")[1]
    for origin in ("published", "measured", "inferred", "assumed", "yours: --network-mbit"):
        assert f" {origin}" in assumptions
    for name in ("wat_mbyte", "pool_per_crawl", "extract_seconds", "yield", "busy", "kept share"):
        assert re.search(rf"^{name} ", assumptions, re.MULTILINE)


def test_every_figure_can_be_replaced_by_the_name_that_is_shown(said):
    names = re.findall(r"^([a-z_\d]+) +[\d.,e-]+ ", said.split("What this rests on")[1], re.MULTILINE)
    assert len(names) > 25
    result = run("plan", "--crawls", 15, "--cores", 256, "--assume", *(f"{name}=1" for name in names))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("yours: --assume") == len(names)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--crawls", 15), "--cores"),
        (("--cores", 4), "give either --crawls N or --files N"),
        (("--cores", 4, "--crawls", 1, "--model", "GPT"), "--model"),
        (("--cores", 4, "--crawls", 1, "--assume", "x=1"), "--assume x=1: give NAME=VALUE"),
        (("--cores", 4, "--crawls", 1, "--rates", "nowhere"), "--rates nowhere: No such file"),
        (("--cores", 4, "--files", "9" * 400), "--files is 999"),
        (("--cores", 2, "--calibrate", "/nowhere/rates.json"), "give a file in a folder that exists"),
    ],
)
def test_bad_flags(arguments, words):
    assert_refused(run("plan", *arguments), words)


def test_rates_are_read_from_a_file(tmp_path):
    per_unit = dict.fromkeys(("extract", "deduplicate", "match", "balance", "download"), 0.001)
    told = {"at": "2026-01-02", "machine": "an abacus", "how": "by hand", "cpu_seconds": per_unit}
    (tmp_path / "rates.json").write_text(json.dumps(told))
    result = run("plan", *RUN, "--rates", tmp_path / "rates.json")
    assert "measured: an abacus, 2026-01-02" in result.stdout
