"""Inputs by s3://, from a store on loopback: listed page by page, streamed, and read on when it breaks."""

import gzip
import multiprocessing
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest
from fsspec.config import conf, set_conf_env
from fsspec.registry import _registry

from curation.config import Extract
from curation.core.drivers import AccessError
from curation.crawl import patience
from curation.crawl.extract import Reading, read_file
from curation.crawl.files import list_crawl, list_inputs, open_input
from curation.crawl.members import ReadError
from curation.crawl.patience import patient
from curation.errors import InputError
from curation.runs import extract
from curation.spark import Session
from tests.crawl.archives import gzipped, numbered, response
from tests.crawl.s3 import KEY, PAGE, Asked, Fault, Store, environment, serving
from tests.runs.conftest import rows

FILE = random.Random(0).randbytes(300_000)


@pytest.fixture
def store() -> Iterator[Store]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for; nobody waits."""
    seconds: list[float] = []
    monkeypatch.setattr(patience, "pause", seconds.append)
    return seconds


def fresh() -> None:
    """Clients made from here on know the environment as it is."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def content(path: str, size: int = 1 << 20) -> bytes:
    with patient(path) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


def kinds(asked: list[Asked]) -> Counter[str]:
    return Counter("list" if request.is_listing else request.method for request in asked)


# Which files there are


def test_a_folder_of_many_is_listed_in_pages_and_nothing_is_asked_of_each(store: Store) -> None:
    for n in range(PAGE + 1):
        store.put(f"crawl/wat/{n:05}.gz", b"x" * n)
    files = list_inputs(["s3://crawl/wat/*.gz"])
    assert [file.path for file in files] == [f"s3://crawl/wat/{n:05}.gz" for n in range(PAGE + 1)]
    assert [file.size_bytes for file in files] == list(range(PAGE + 1))
    assert len({file.modified for file in files}) == PAGE + 1
    # Two ask whether a file is called like the glob; the other two are the pages.
    assert kinds(store.asked) == {"HEAD": 1, "list": 3}
    assert [asked.query["prefix"] for asked in store.asked[2:]] == ["wat/"] * 2
    assert [bool(asked.query.get("continuation-token")) for asked in store.asked[2:]] == [False, True]


TREE = (
    "a/1/wat/x.gz",
    "a/1/wat/y.gz",
    "a/1/warc/x.gz",
    "a/2/wat/x.gz",
    "a/22/wat/x.txt",
    "a/z.gz",
    "q?[1].gz",
)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a/*.gz", ["a/z.gz"]),
        ("a/*/wat/*.gz", ["a/1/wat/x.gz", "a/1/wat/y.gz", "a/2/wat/x.gz"]),
        ("a/?/w*/x.*", ["a/1/warc/x.gz", "a/1/wat/x.gz", "a/2/wat/x.gz"]),
        ("a/*/*/x.gz", ["a/1/warc/x.gz", "a/1/wat/x.gz", "a/2/wat/x.gz"]),
        ("*/z.gz", ["a/z.gz"]),
        ("a/[13]/wat/*", ["a/1/wat/x.gz", "a/1/wat/y.gz"]),
        ("a/**/y.gz", ["a/1/wat/y.gz"]),
        ("a/2*/**", ["a/2/wat/x.gz", "a/22/wat/x.txt"]),
        ("**/*.txt", ["a/22/wat/x.txt"]),
        ("a/2/wat/*", ["a/2/wat/x.gz"]),
        ("a/2/wat/x.gz", ["a/2/wat/x.gz"]),
        ("q?[1].gz", ["q?[1].gz"]),
        ("*/z.gz/*", []),
    ],
)
def test_globs(store: Store, pattern: str, found: list[str]) -> None:
    for key in (*TREE, "a/", "a/2/wat/", "a/22/"):  # consoles make folders so
        store.put(f"b/{key}", key.encode())
    if not found:
        with pytest.raises(InputError, match="no file matches"):
            list_inputs([f"s3://b/{pattern}"])
        return
    assert [file.path for file in list_inputs([f"s3://b/{pattern}"])] == [f"s3://b/{key}" for key in found]


def test_only_folders_that_may_match_are_listed(store: Store) -> None:
    for n in range(5):
        for kind in ("warc", "wat", "wet"):
            store.put(f"b/segments/{n}/{kind}/0.gz")
    assert len(list_inputs(["s3://b/segments/*/wat/*.gz"])) == 5
    assert [asked.query["prefix"] for asked in store.asked if asked.is_listing][1:] == [
        "segments/",
        *(f"segments/{n}/wat/" for n in range(5)),
    ]


@pytest.mark.parametrize("pattern", ["*/wat/*.gz", "[0-9]/wat/*.gz", "**/*.gz"])
@pytest.mark.parametrize("how", ["SlowDown", "denied"])
def test_a_folder_that_cannot_be_listed_is_not_passed_over(store: Store, how: str, pattern: str) -> None:
    for n in range(3):
        store.put(f"b/{n}/wat/0.gz")
    if how == "denied":
        store.buckets["b"].denied.add("" if pattern.startswith("**") else "1/")
    else:
        assert len(list_inputs([f"s3://b/{pattern}"])) == 3
        store.faults.append(Fault("b", "SlowDown", listing=store.asked[-1].query["prefix"]))
    with pytest.raises(InputError, match=r"reduce your request rate|Access Denied|Forbidden"):
        list_inputs([f"s3://b/{pattern}"])


def test_a_file_is_the_same_by_its_name_and_by_a_glob_and_shows_when_it_changes(store: Store) -> None:
    store.put("b/x.gz", b"one")
    (listed,) = list_inputs(["s3://b/*.gz"])
    assert list_inputs(["s3://b/x.gz", "s3a://b/x.gz"]) == [listed]
    store.put("b/x.gz", b"one", when="2025-01-01T00:00:00.000Z")  # copied again, with nothing new
    assert list_inputs(["s3://b/*.gz"]) == [listed]
    store.put("b/x.gz", b"two")
    (changed,) = list_inputs(["s3://b/*.gz"])
    assert (changed.path, changed.size_bytes) == (listed.path, listed.size_bytes)
    assert changed != listed


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("s3://b/missing.gz", "no file matches s3://b/missing.gz"),
        ("s3://b/*.missing", r"no file matches s3://b/\*.missing"),
        ("s3://missing/x.gz", "no file matches s3://missing/x.gz"),
        ("s3://missing/*.gz", r"no file matches s3://missing/\*.gz"),
        ("s3://b/folder", r"s3://b/folder is a folder; name its files"),
        ("s3://b/denied/x.gz", "cannot look up s3://b/denied/x.gz: PermissionError"),
        ("s3://b/denied/*.gz", r"cannot look up s3://b/denied/\*.gz: PermissionError"),
    ],
)
def test_what_is_not_there_or_denied_is_one_clear_line(store: Store, pattern: str, message: str) -> None:
    store.put("b/folder/x.gz")
    store.put("b/denied/x.gz")
    store.buckets["b"].denied.add("denied/")
    with pytest.raises(InputError, match=message) as caught:
        list_inputs([pattern])
    assert "\n" not in str(caught.value)


NO_CREDENTIALS = "s3:// needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE"


def test_who_has_no_credentials_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.put("b/x.gz", FILE)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    fresh()
    for pattern in (path, "s3://b/*"):
        with pytest.raises(InputError) as caught:
            list_inputs([pattern])
        assert NO_CREDENTIALS in str(caught.value)
        assert "check the path" not in str(caught.value)
    with pytest.raises(AccessError, match=NO_CREDENTIALS), open_input(path):
        pass
    assert store.asked == []


def test_wrong_credentials(store: Store, monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    path = store.put("b/x.gz", FILE)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY + "X")
    fresh()
    refused = r"s3:// refuses the credentials \(InvalidAccessKeyId\): correct or renew them, or use a role"
    with pytest.raises(InputError, match="PermissionError"):  # a HEAD has no body to tell a code in
        list_inputs([path])
    with pytest.raises(AccessError, match=refused):
        patient(path)
    assert waits == []


def test_credentials_that_run_out_are_no_fault_of_the_file(store: Store, waits: list[float]) -> None:
    """Else every file after it would be an error in the ledger, and the pool would lack them."""
    path = store.put("b/x.warc.wat.gz", gzip.compress(b"WARC/1.0\r\n" * 100))
    store.faults += [Fault("x", cut=10), Fault("x", "ExpiredToken")]
    with pytest.raises(AccessError, match=r"\(ExpiredToken\): correct or renew them"):
        list(read_file(path, reading=Reading()))
    assert len(waits) == 1  # for the connection that broke


def test_a_public_bucket_needs_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.put("b/x.gz", FILE)
    store.buckets["b"].public = True
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setitem(conf, "s3", {})
    set_conf_env(conf, {"FSSPEC_S3_ANON": "true"})  # what fsspec does when it is imported
    assert [file.path for file in list_inputs(["s3://b/*.gz"])] == [path]
    assert content(path) == FILE
    assert not any("Authorization" in asked.headers for asked in store.asked)


def test_requester_pays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.put("b/x.gz", FILE)
    store.buckets["b"].requester_pays = True
    with pytest.raises(InputError, match="PermissionError"):
        list_inputs(["s3://b/*.gz"])
    monkeypatch.setitem(conf, "s3", {})
    set_conf_env(conf, {"FSSPEC_S3_REQUESTER_PAYS": "true"})
    assert [file.path for file in list_inputs(["s3://b/*.gz"])] == [path]
    assert content(path) == FILE


@pytest.mark.parametrize(
    ("url", "module", "needs"),
    [
        ("s3://b/x.gz", "s3fs", "s3:// needs s3fs: pip install 'curation[s3]'"),
        ("gs://b/x.gz", "gcsfs", "gs:// needs gcsfs: pip install gcsfs"),
        ("az://b/x.gz", "adlfs", "az:// needs adlfs: pip install adlfs"),
    ],
)
def test_what_must_be_installed(monkeypatch: pytest.MonkeyPatch, url: str, module: str, needs: str) -> None:
    monkeypatch.delitem(_registry, url.partition(":")[0], raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == module] or [module]:
        monkeypatch.setitem(sys.modules, name, None)
    for pattern in (url, url.replace("x", "*")):
        with pytest.raises(InputError) as caught:
            list_inputs([pattern])
        assert str(caught.value) == f"cannot look up {pattern}: {needs}"
    with pytest.raises(InputError) as caught:
        list_crawl(["CC-MAIN-2024-51"], kind="wat", limit=None, seed=0, base_url=url)
    assert str(caught.value).endswith(f".paths.gz: {needs}")
    with pytest.raises(AccessError) as error, open_input(url):
        pass
    assert str(error.value) == needs


# How one is read


def test_a_good_day_is_one_request(store: Store, waits: list[float]) -> None:
    path = store.put("b/odd key #1?%2F é.gz", FILE)
    with open_input(path) as stream:
        assert stream.size == len(FILE)  # type: ignore[attr-defined]
        assert stream.read() == FILE
        assert stream.read(5) == b""
    with open_input(path, 1000) as stream:
        assert stream.read() == FILE[1000:]
    assert store.got(path.removeprefix("s3://")) == [None, "bytes=1000-"]
    assert kinds(store.asked) == {"GET": 2}
    assert waits == []


def test_an_empty_object(store: Store) -> None:
    assert content(store.put("b/empty")) == b""


def test_no_more_is_fetched_than_is_read(store: Store) -> None:
    size = 64 << 20
    with open_input(store.put("b/large", bytes(size))) as stream:
        assert len(stream.read(1 << 20)) > 0
        assert store.sent < size / 2  # what the buffers of sockets hold
    assert store.hung_up.wait(10)
    assert kinds(store.asked) == {"GET": 1}


@pytest.mark.parametrize("cut", [1, len(FILE) // 2, len(FILE) - 1])
def test_a_body_that_breaks_is_read_on_from_there(store: Store, waits: list[float], cut: int) -> None:
    path = store.put("b/x", FILE)
    store.faults.append(Fault(cut=cut))
    assert content(path) == FILE
    assert store.got("b/x") == [None, f"bytes={cut}-"]
    assert store.sent == len(FILE)
    assert len(waits) == 1


@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "reset"])
def test_refusals_that_pass(store: Store, waits: list[float], code: str) -> None:
    path = store.put("b/x", FILE)
    store.faults += [Fault("x", code), Fault("x", cut=1000), Fault("x", code), Fault("x", code)]
    assert content(path) == FILE
    assert store.got("b/x")[-1] == "bytes=1000-"
    assert len(waits) == (2 if code == "reset" else 4)  # after a reset aiohttp asks once more by itself
    assert store.faults == []


def test_what_does_not_pass_is_given_up(store: Store, waits: list[float]) -> None:
    path = store.put("b/x", FILE)
    store.faults += [Fault("x", "SlowDown")] * patience.TRIES
    with pytest.raises(ReadError, match=r"reduce your request rate\. \(given up after 8 tries\)"):
        patient(path)
    assert len(waits) == patience.TRIES - 1


def test_what_will_not_pass_is_asked_for_once(store: Store, waits: list[float]) -> None:
    path = store.put("b/x", FILE)
    store.buckets["b"].denied.add("denied")
    store.put("b/denied")
    for wrong, message in (
        ("s3://b/missing", "FileNotFoundError: The specified key does not exist"),
        ("s3://missing/x", "FileNotFoundError: The specified bucket does not exist"),
        ("s3://b/denied", "PermissionError: Access Denied"),
    ):
        store.forget()
        with pytest.raises(ReadError, match=message):
            patient(wrong)
        assert len(store.asked) == 1
    store.shutdown()
    store.server_close()
    fresh()
    with pytest.raises(ReadError, match="Could not connect to the endpoint"):
        patient(path)
    assert waits == []


def test_an_object_that_changes_is_not_patched_together(store: Store) -> None:
    path = store.put("b/x", FILE)
    store.faults.append(Fault(cut=1000))
    with patient(path) as stream:
        assert stream.read(5000) == FILE[:1000]
        store.put("b/x", FILE[::-1])
        with pytest.raises(ReadError, match="changed while it was read"):
            stream.read(5000)


def _read_in_child(path: str, answers: Any) -> None:
    answers.put(content(path) == FILE and len(list_inputs([path])) == 1)


def test_a_process_forked_after_the_first_request_reads_as_well(store: Store) -> None:
    """What fsspec runs its requests on is a thread, and threads are not forked."""
    path = store.put("b/x", FILE)
    assert list_inputs([path])
    assert content(path) == FILE
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    child = fork.Process(target=_read_in_child, args=(path, answers))
    child.start()
    child.join(100)
    if child.is_alive():
        child.kill()
        pytest.fail("the child hangs")
    assert answers.get()


# The job


@pytest.fixture
def workers(session: Session, store: Store, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Spark, whose Python workers find the store, too; their environment is older than it."""
    for name, value in environment(store.url).items():
        monkeypatch.setitem(session().sparkContext.environment, name, value)
    return session


PAGES = b"<img src=/a.jpg alt='in a page'><figure><img src=/b.jpg><figcaption>below</figcaption></figure>"


@pytest.fixture
def local(tmp_path: Path, store: Store) -> Path:
    """WAT and WARC files in a folder, and the same in a bucket."""
    files = {f"crawl/{n}.warc.wat.gz": gzipped([*numbered(n + 1), numbered(9)[8 - n]]) for n in range(3)} | {
        "crawl/9.warc.gz": gzipped([response(PAGES)])
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
        store.put(f"b/{name}", data)
    return tmp_path


def ledger(folder: Path, root: str) -> list[dict[str, Any]]:
    found = pq.read_table(folder / "files").to_pylist()
    return [row | {"path": row["path"].removeprefix(root)} for row in found]


def test_a_pool_from_s3_is_the_pool_from_a_folder(workers: Session, store: Store, local: Path) -> None:
    there, here = local / "there", local / "here"
    store.faults += [Fault("1.warc.wat.gz", "SlowDown"), Fault("9.warc.gz", cut=50)]
    extract(workers, Extract(input=("s3://b/crawl/*.gz",), output=str(there)))
    extract(workers, Extract(input=(f"{local}/crawl/*.gz",), output=str(here)))
    assert rows(there / "pairs") == rows(here / "pairs")
    assert ledger(there, "s3://b") == ledger(here, str(local))
    assert len(rows(there / "pairs")) > 10
    assert store.faults == []


def test_what_a_crawl_lacks_is_retried(workers: Session, store: Store, local: Path) -> None:
    store.buckets["b"].denied.add("crawl/2")
    names = [f"crawl/{n}.warc.wat.gz" for n in range(3)]
    store.put("b/crawl-data/CC-MAIN-2024-51/wat.paths.gz", gzip.compress("\n".join(names).encode()))
    first, second = local / "first", local / "second"
    extract(workers, Extract(crawl=("CC-MAIN-2024-51",), crawl_url="s3://b", output=str(first)))
    errors = {row["path"]: row["error"] for row in ledger(first, "s3://b/")}
    assert errors == dict.fromkeys(names) | {names[2]: "PermissionError: Access Denied"}
    store.buckets["b"].denied.clear()
    store.forget()
    extract(workers, Extract(retry_failed=str(first), output=str(second)))
    assert kinds(store.asked) == {"GET": 1}
    found = {(row["text"], row["seen"]) for row in rows(second / "pairs")}
    assert found == {(f"{kind} 2", 1) for kind in ("alt", "title")} | {
        (f"{kind} 6", 1) for kind in ("alt", "title")
    }
    assert not {row["uid"] for row in rows(first / "pairs")} & {row["uid"] for row in rows(second / "pairs")}


def test_a_crawl_whose_list_is_not_in_the_bucket(store: Store) -> None:
    store.put("b/x")
    with pytest.raises(InputError, match=r"CC-MAIN-2024-51 at s3://b/crawl-data/.*wat.paths.gz: .*not exist"):
        list_crawl(["CC-MAIN-2024-51"], kind="wat", limit=None, seed=0, base_url="s3://b/")
