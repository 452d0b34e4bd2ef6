import hashlib
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from curation.claim import amend
from curation.config import Takedown
from curation.download.shard import REMOVED
from curation.download.takedown import TAKEN_DOWN
from curation.errors import InputError
from curation.record import read_record
from curation.report.takedown import tell
from curation.runs import takedown
from curation.schemas import SHARD
from tests.conftest import ROOT
from tests.runs.conftest import assert_profiled
from tests.shards import assert_consistent, image_row, make_shards, read_members, read_rows, tally
from tests.test_cli import assert_refused, run

HOSTS = ("a.example", "img.b.example", "b.example", "xb.example", "c.example")
LEFT = {"key", "image_id", "uids", "status", "error"}


def rows(first, number):
    """Images of some hosts, with one to three texts; some failed, one of them was removed before."""
    errors = {4: "not_found", 7: "timeout", 11: "blocked_hash"}
    return [
        image_row(
            f"http://{HOSTS[n % 5]}/{n} of 30.jpg",
            [f"text {n} {m}" for m in range(1 + n % 3)],
            errors.get(n % 15),
        )
        for n in range(first, first + number)
    ]


@pytest.fixture
def shards(tmp_path):
    return make_shards(tmp_path / "shards", rows(0, 12), rows(12, 12), rows(24, 6), encode_format="webp")


def take_down(record, **asked):
    given = {name: value if isinstance(value, bool) else tuple(value) for name, value in asked.items()}
    (after,) = takedown(None, Takedown(shards=str(record.folder), **given))
    return after


def contents(folder):
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_gone(record, rows):
    """Rows keep their ids, and nothing that they were is to be found in the folder."""
    after = {row["key"]: row for row in read_rows(record.folder)}
    everything = b"".join(data for _, data in read_members(record.folder))
    everything += json.dumps(list(after.values())).encode() + (record.folder / "_run.json").read_bytes()
    hosts = pq.read_table(record.folder / "profile")["value"].to_pylist()
    left_hosts = {row["url"].split("/")[2] for row in after.values() if row["url"]}
    assert set(HOSTS) & set(hosts) == set(HOSTS) & left_hosts
    for row in rows:
        left = {name: value for name, value in after[row["key"]].items() if value is not None}
        assert left == {name: row[name] for name in LEFT} | {"status": REMOVED, "error": TAKEN_DOWN}
        for secret in (row["url"], *row["texts"], row["sha256"], row["perceptual_hash"]):
            assert secret is None or secret.encode() not in everything


def assert_tallied(record):
    """The record and the profile say what the rows say."""
    everything = read_rows(record.folder)
    rows, dropped, facts = tally(everything)
    read = read_record(record.folder, "download")
    assert read.facts["online"] is True
    latest = {row["image_id"]: row for row in everything}
    assert_profiled(record.folder, pa.Table.from_pylist(list(latest.values()), SHARD))
    assert (read.rows, read.dropped) == (rows, dropped)
    assert {name: read.facts[name] for name in facts} == facts
    marked = pq.read_table(record.folder / "duplicates").num_rows
    assert read.facts["duplicates"] == {"same_bytes": marked, "look_alike": 0}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"host": ["b.example"]}, lambda n, row: n % 5 in (1, 2)),
        ({"host": ["B.Example."]}, lambda n, row: n % 5 in (1, 2)),
        ({"url": ["http://a.example/25 of 30.jpg"]}, lambda n, row: n == 25),
        ({"url": ["HTTP://A.example:80/25%20of%2030.jpg#top"]}, lambda n, row: n == 25),
        ({"sha256": [rows(14, 1)[0]["sha256"].upper()]}, lambda n, row: n == 14),
        ({"uid": [rows(4, 1)[0]["image_id"]]}, lambda n, row: n == 4),
    ],
)  # fmt: skip
def test_images_by_each_kind_of_request(shards, asked, expected):
    before, files = read_rows(shards.folder), contents(shards.folder)
    gone = [row for n, row in enumerate(before) if expected(n, row)]
    after = take_down(shards, **asked)
    assert_gone(shards, gone)
    assert_consistent(shards.folder)
    assert_tallied(shards)
    keys = {row["key"] for row in gone}
    kept = [row for row in read_rows(shards.folder) if row["key"] not in keys]
    assert kept == [row for row in before if row["key"] not in keys]
    numbers = {key[:5] for key in keys}
    untouched = {name for name in files if name[0].isdigit() and name[:5] not in numbers}
    assert {name: contents(shards.folder)[name] for name in untouched} == {
        name: files[name] for name in untouched
    }
    entry = after.facts["takedowns"][-1]
    assert (entry["images"], entry["texts"], entry["shards"]) == (len(gone), 0, len(numbers))
    assert after.fresh


def test_the_table_of_duplicates_forgets_those_that_are_gone(shards):
    folder = shards.folder / "duplicates"
    assert pq.read_table(folder)["key"].to_pylist() == ["0000003", "0000006", "0000009"]
    take_down(shards, url=["http://img.b.example/6 of 30.jpg"])
    assert pq.read_table(folder)["key"].to_pylist() == ["0000003", "0000009"]
    assert [path.name for path in folder.iterdir()] == ["part-0.parquet"]
    (folder / ".part-0.parquet.crc").write_bytes(b"of another file that stays")
    take_down(shards, url=["http://b.example/7 of 30.jpg"])
    assert (folder / ".part-0.parquet.crc").exists()


def test_texts_go_one_by_one_and_the_image_with_the_last(shards):
    before = {row["key"]: row for row in read_rows(shards.folder)}
    two, three, failed = before["0000001"], before["0000102"], before["0000004"]
    after = take_down(shards, uid=[two["uids"][0], *three["uids"][:2], failed["uids"][1]])
    rows = {row["key"]: row for row in read_rows(shards.folder)}
    assert rows["0000001"] == two | {
        "uids": two["uids"][1:],
        "texts": ["text 1 1"],
        "caption": "text 1 1",
        "keep_probabilities": [0.51],
    }
    assert rows["0000102"]["texts"] == ["text 14 2"]
    assert rows["0000004"]["texts"] == ["text 4 0"]
    assert [after.facts["takedowns"][-1][name] for name in ("images", "texts", "shards")] == [0, 4, 2]
    assert_consistent(shards.folder)
    assert_tallied(shards)
    take_down(shards, uid=[two["uids"][1]])
    assert_gone(shards, [two | {"uids": two["uids"][1:]}])
    assert_tallied(shards)


def test_a_url_as_it_stands_in_the_shards_is_found_whatever_it_is(tmp_path):
    urls = [
        "http://2130706433/1.jpg",
        "http:\\\\a.example\\1.jpg",
        "http://a.example/1.jpg#1",
        "http://b.example/",
    ]
    record = make_shards(tmp_path / "shards", [image_row(url, [f"of {url}"]) for url in urls])
    before = read_rows(record.folder)
    assert take_down(record, url=urls[:3]).facts["takedowns"][-1]["images"] == 3
    assert_gone(record, before[:3])


def test_lists_tell_requests_apart_by_their_form(shards, tmp_path):
    before = read_rows(shards.folder)
    listed = [
        "# requests of May",
        before[0]["uids"][0].upper(),
        before[2]["image_id"] + "  # by mail",
        before[5]["sha256"],
        before[8]["url"],
        "img.b.example",
        "",
    ]
    (tmp_path / "list").write_text("\n".join(listed), encoding="utf-8")
    after = take_down(shards, list=[str(tmp_path / "list")], host=["img.b.example"])
    assert_gone(shards, [row for n, row in enumerate(before) if n in (0, 2, 5, 8) or n % 5 == 1])
    entry = after.facts["takedowns"][-1]
    assert entry["requested"] == {"ids": 2, "sha256": 1, "urls": 1, "hosts": 1}
    asked = ["hosts img.b.example", f"ids {before[0]['uids'][0]}", f"ids {before[2]['image_id']}"]
    asked += [f"sha256 {before[5]['sha256']}", f"urls {before[8]['url']}"]
    assert entry["sha256"] == hashlib.sha256("\n".join(sorted(asked)).encode()).hexdigest()
    assert set(entry) == {"at", "requested", "sha256", "images", "texts", "shards"}


def test_a_second_takedown_finds_the_rest_and_both_are_on_record(shards):
    take_down(shards, host=["b.example"])
    again = take_down(shards, host=["b.example", "c.example"])
    assert [entry["images"] for entry in again.facts["takedowns"]] == [12, 6]
    assert_tallied(shards)


@pytest.mark.parametrize(
    "asked", [{"host": ["nobody.example"]}, {"uid": ["0" * 32]}, {"url": ["https://a.example/"]}]
)
def test_where_nothing_matches_nothing_is_written(shards, asked):
    files = contents(shards.folder)
    after = take_down(shards, **asked)
    assert not after.fresh
    assert contents(shards.folder) == files
    assert "nothing in the shards matches" in told(after)


def test_a_dry_run_counts_alone(shards):
    files = contents(shards.folder)
    after = take_down(shards, host=["b.example"], dry_run=True)
    assert contents(shards.folder) == files
    assert "would be taken down  12 images, and 0 texts of others, in 3 shards" in told(after)
    assert "taken down  12 images" in told(take_down(shards, host=["b.example"]))


def told(record):
    console = Console(width=150)
    with console.capture() as capture:
        console.print(tell([record], record.folder / "_log"))
    return capture.get()


def test_what_was_fetched_again_goes_in_every_row(tmp_path):
    """What only the last try knows, the sha256, finds the earlier tries too, and none counts twice."""
    first, second = rows(0, 8), [image_row("http://b.example/7 of 30.jpg", ["text 7 0", "text 7 1"])]
    record = make_shards(tmp_path / "shards", first, second, retries=1)
    before = read_rows(record.folder)
    assert [row["url"] for row in before].count(second[0]["url"]) == 2
    after = take_down(record, sha256=[second[0]["sha256"]], uid=[before[1]["uids"][0]])
    assert_gone(record, [before[7], before[8]])
    assert [after.facts["takedowns"][-1][name] for name in ("images", "texts", "shards")] == [1, 1, 2]
    assert_consistent(record.folder)
    assert_tallied(record)


class KilledError(Exception):
    pass


def killed(monkeypatch, at):
    """Takes down what is asked for until the n-th file is to be replaced."""
    replaced = []
    replace = type(ROOT).replace

    def stop(self, target):
        if len(replaced) == at:
            raise KilledError
        replaced.append(target)
        return replace(self, target)

    monkeypatch.setattr(type(ROOT), "replace", stop)


@pytest.mark.parametrize("at", range(10))  # the plan, three files of two shards, duplicates, profile, record
@pytest.mark.parametrize("other", [False, True])
def test_killed_at_any_point_and_run_again_gives_the_same(tmp_path, monkeypatch, at, other):
    made = [make_shards(tmp_path / name, rows(0, 12), rows(12, 12)) for name in ("one", "two")]
    asked = {"host": ["b.example"], "uid": [rows(0, 1)[0]["uids"][0], rows(5, 1)[0]["uids"][1]]}
    take_down(made[0], **asked)
    with monkeypatch.context() as patch:
        killed(patch, at)
        with pytest.raises(KilledError):
            take_down(made[1], **asked)
    if other and at >= 1:  # the plan was written down: whoever comes next carries it out
        take_down(made[1], host=["nobody.example"])
    else:
        assert take_down(made[1], **asked).fresh
    assert_same(*made)


def assert_same(*made):
    """Folders with the same bytes, but for when it was."""
    one, two = (
        {name: data for name, (data, _) in contents(record.folder).items() if name != "_run.json"}
        for record in made
    )
    assert one == two
    assert_consistent(made[-1].folder)
    first, second = (json.loads((record.folder / "_run.json").read_text()) for record in made)
    for record in (first, second):
        record.pop("seconds")
        record["facts"]["takedowns"][0].pop("at")
    assert first == second


def test_killed_outright(tmp_path):
    """Without a chance to clear up."""
    made = [make_shards(tmp_path / name, rows(0, 12), rows(12, 12)) for name in ("one", "two")]
    take_down(made[0], host=["b.example"])
    code = """
import os, pathlib, signal, sys
from curation.config import Takedown
from curation.runs import takedown
replace = pathlib.Path.replace
def stop(self, target):
    if self.name == "00001.parquet":
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
pathlib.Path.replace = stop
takedown(None, Takedown(shards=sys.argv[1], host=("b.example",)))
"""
    assert subprocess.run([sys.executable, "-c", code, str(made[1].folder)], cwd=ROOT).returncode == -9
    assert list(made[1].folder.glob("_sealing-*"))
    take_down(made[1], host=["b.example"])
    assert_same(*made)


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"uid": ["abc"]}, "--uid: a uid has 32 hex digits"),
        ({"sha256": ["0" * 63]}, "--sha256: a sha256 has 64"),
        ({"url": ["ftp://a.example/1.jpg"]}, "--url: no URL"),
        ({"url": ["a.example"]}, "--url: no URL"),
        ({"host": ["http://a.example"]}, "--host: neither"),
        ({"host": ["# a.example"]}, "--host: neither"),
        ({"list": ["a.example", "", "# a", "what is this?"]}, "list, line 4: neither"),
        ({"list": ["a" * 40]}, "list, line 1: neither"),
        ({"list": ["# nothing"]}, "nothing to take down"),
    ],
)
def test_what_is_no_request_is_told_and_not_quoted(shards, tmp_path, asked, complaint):
    if "list" in asked:
        (tmp_path / "list").write_text("\n".join(asked["list"]))
        asked = {"list": [str(tmp_path / "list")]}
    files = contents(shards.folder)
    with pytest.raises(InputError, match=complaint) as error:
        take_down(shards, **asked)
    assert "what is" not in str(error.value)
    assert contents(shards.folder) == files


def test_shards_in_which_a_retry_was_stopped_are_left_alone(shards):
    with pytest.raises(RuntimeError), amend(shards.folder, "download") as amendment:
        (amendment.folder / "_scratch").mkdir()
        raise RuntimeError
    files = contents(shards.folder)
    with pytest.raises(InputError, match=r"a retry of .* was stopped"):
        take_down(shards, host=["b.example"])
    assert contents(shards.folder) == files


def test_a_damaged_shard_is_named_and_can_be_done_without(shards):
    before = read_rows(shards.folder)
    (shards.folder / "00001.tar").write_bytes((shards.folder / "00001.tar").read_bytes()[:5000])
    (shards.folder / "00002.parquet").write_bytes(b"PAR1")
    for number in (2, 1):
        with pytest.raises(InputError, match=f"shard 0000{number} of .* is damaged .* delete its files"):
            take_down(shards, host=["a.example"])
        for path in shards.folder.glob(f"0000{number}*"):
            path.unlink()
    after = take_down(shards, host=["a.example"])
    assert_gone(shards, [row for n, row in enumerate(before[:12]) if n % 5 == 0])
    assert after.fresh


def test_the_job_needs_no_spark_and_leaves_no_trace_of_what_it_was_asked(shards, tmp_path):
    result = run("takedown", "--shards", shards.folder, "--host", "b.example", JAVA_HOME="/nowhere")
    assert result.returncode == 0, result.stderr
    assert "taken down  12 images" in result.stdout
    assert "b.example" not in (shards.folder / "_log").read_text()
    assert_refused(run("takedown", "--shards", shards.folder), "give what is to be taken down")
    assert_refused(run("takedown", "--shards", tmp_path / "no", "--host", "a.example"), "no finished run")
    assert not (tmp_path / "no").exists()
