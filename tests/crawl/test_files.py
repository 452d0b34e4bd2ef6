"""Which files there are: paths, globs, URLs, and Common Crawl's own lists."""

import gzip
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from curation.crawl.files import InputFile, list_crawl, list_inputs
from curation.errors import InputError
from tests.crawl.archives import gzipped, numbered, read, texts_of

CRAWLS = ("CC-MAIN-2023-50", "CC-MAIN-2024-51")


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without ranges, as the plainest of servers do."""

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A small Common Crawl on loopback: two crawls of 40 WAT files, the first of which exists."""
    root = tmp_path / "web"
    for crawl in CRAWLS:
        folder = root / "crawl-data" / crawl
        (folder / "wat").mkdir(parents=True)
        paths = [f"crawl-data/{crawl}/wat/{n:05}.warc.wat.gz" for n in reversed(range(40))]
        (folder / "wat.paths.gz").write_bytes(gzip.compress("\n".join(paths).encode() + b"\n"))
        (root / paths[-1]).write_bytes(gzipped(numbered(2)))
    (root / "crawl-data" / "CC-MAIN-2000-01").mkdir()
    (root / "crawl-data" / "CC-MAIN-2000-01" / "wat.paths.gz").write_bytes(b"<html>not gzip</html>")
    (root / "crawl-data" / "CC-MAIN-2000-02").mkdir()
    (root / "crawl-data" / "CC-MAIN-2000-02" / "wat.paths.gz").write_bytes(gzip.compress(b"\n"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_paths_and_globs_are_sorted_and_unique(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.wat.gz", "a.wat.gz", "c.txt", "sub/d.wat.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * len(name))
    monkeypatch.chdir(tmp_path)
    files = list_inputs(["*.wat.gz", str(tmp_path / "a.wat.gz"), "**/d.*", f"file://{tmp_path}/b.wat.gz"])
    assert [file.path for file in files] == [
        str(tmp_path / name) for name in ("a.wat.gz", "b.wat.gz", "sub/d.wat.gz")
    ]
    assert [file.size_bytes for file in files] == [8, 8, 12]
    assert all(file.modified for file in files)


def test_a_change_of_a_file_shows(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"1")
    before = list_inputs([str(path)])
    assert list_inputs([str(path)]) == before
    path.write_bytes(b"2")
    assert list_inputs([str(path)]) != before


def test_a_file_may_be_called_like_a_glob(tmp_path: Path) -> None:
    path = tmp_path / "[1]?.wat"
    path.write_bytes(b"x")
    assert [file.path for file in list_inputs([str(path)])] == [str(path)]


@pytest.mark.parametrize(
    "pattern", ["missing.wat.gz", "*.nothing", "nosuch://x/y", ".", "http://127.0.0.1:1/x"]
)
def test_what_is_not_there_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").write_bytes(b"x")
    with pytest.raises(InputError) as caught:
        list_inputs(["there", pattern])
    message = str(caught.value)
    assert pattern in message
    assert "\n" not in message


def test_urls(web: str) -> None:
    url = f"{web}/crawl-data/CC-MAIN-2024-51/wat/00000.warc.wat.gz"
    (file,) = list_inputs([url, url])
    assert (file.path, file.size_bytes) == (url, len(gzipped(numbered(2))))
    assert file.modified
    pairs, ledger = read(file.path)
    assert texts_of(pairs) == ["alt 0", "title 0", "alt 1", "title 1"]
    assert {pair["crawl"] for pair in pairs} == {"CC-MAIN-2024-51"}
    assert (ledger["size_bytes"], ledger["error"]) == (file.size_bytes, None)
    with pytest.raises(InputError, match="no file matches"):
        list_inputs([url + ".missing"])


def test_all_files_of_crawls(web: str) -> None:
    files = list_crawl(CRAWLS[::-1], kind="wat", limit=None, seed=0, base_url=web)
    assert [file.path for file in files] == [
        f"{web}/crawl-data/{crawl}/wat/{n:05}.warc.wat.gz" for crawl in CRAWLS for n in range(40)
    ]
    assert texts_of(read(files[0].path)[0]) == ["alt 0", "title 0", "alt 1", "title 1"]
    assert list_crawl([CRAWLS[0]] * 2, kind="wat", limit=None, seed=0, base_url=web + "/") == files[:40]


def test_samples_are_seeded_nested_and_in_order(web: str) -> None:
    samples = {
        (limit, seed): list_crawl(CRAWLS, kind="wat", limit=limit, seed=seed, base_url=web)
        for limit in (0, 5, 20, 80, 1000)
        for seed in (0, 1)
    }
    for (limit, _), sample in samples.items():
        assert len(sample) == min(limit, 80)
        assert sample == sorted(sample)
    assert set(samples[5, 0]) < set(samples[20, 0])
    assert samples[20, 0] != samples[20, 1]
    assert samples[20, 0] != samples[80, 0][:20]
    assert list_crawl(CRAWLS[::-1], kind="wat", limit=20, seed=0, base_url=web) == samples[20, 0]


def test_a_sample_is_the_same_from_another_mirror(web: str, tmp_path: Path) -> None:
    mirror = str(tmp_path / "web")
    there = list_crawl(CRAWLS, kind="wat", limit=7, seed=3, base_url=mirror)
    assert [file.path.removeprefix(mirror) for file in there] == [
        file.path.removeprefix(web) for file in list_crawl(CRAWLS, kind="wat", limit=7, seed=3, base_url=web)
    ]


@pytest.mark.parametrize(
    ("crawl", "message"),
    [
        ("CC-MAIN-2024", "no crawl; they are named like CC-MAIN-2024-51"),
        ("../../etc", "no crawl"),
        ("CC-MAIN-1999-01", "cannot read"),
        ("CC-MAIN-2000-01", "cannot read"),
        ("CC-MAIN-2000-02", "is empty"),
    ],
)
def test_a_crawl_that_is_not_there(web: str, crawl: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        list_crawl([CRAWLS[0], crawl], kind="wat", limit=None, seed=0, base_url=web)
    assert crawl in str(caught.value)
    assert "\n" not in str(caught.value)


def test_input_files_compare_by_path_first() -> None:
    assert InputFile("a", 2) < InputFile("b", 1)
