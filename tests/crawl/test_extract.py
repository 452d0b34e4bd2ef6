"""A file becomes rows of pairs and one ledger that accounts for everything."""

from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from curation.crawl.extract import BATCH_ROWS, ROWS, Reading, read_file
from curation.schemas import FILES, PAIRS
from tests.crawl.archives import gzipped, image, numbered, read, read_bytes, record, response, texts_of, wat


def test_rows_are_pairs_and_the_ledger_in_one_schema() -> None:
    assert ROWS.names == [name for name in PAIRS.names if name not in ("uid", "seen")] + ["file"]
    assert all(ROWS.field(name).type == PAIRS.field(name).type for name in ROWS.names[:-1])
    assert ROWS.field("file").type == pa.struct(list(FILES))


def test_a_pair_and_a_ledger_in_full(tmp_path: Path) -> None:
    folder = tmp_path / "CC-MAIN-2024-51"
    folder.mkdir()
    path = folder / "x.warc.wat.gz"
    path.write_bytes(
        gzipped(
            [
                record("warcinfo", b"isPartOf: CC-MAIN-1999-01\r\n", None),
                record("request", b"GET / HTTP/1.1\r\n\r\n"),
                wat(
                    [
                        image("cat.jpg#x", alt=" A photograph of a cat ", title=""),
                        image("data:image/gif;x", alt="Two words"),
                        image("no-text.jpg"),
                        {"path": "IMG@/src", "alt": "no link"},
                        image(alt=["bad"]),
                    ]
                ),
            ]
        )
    )
    first, last = read_file(str(path), reading=Reading())
    assert first.schema == last.schema == ROWS
    (row,) = first.to_pylist()
    assert 0 < row.pop("language_score") <= 1
    assert row == {
        "url": "http://site.example/dir/cat.jpg",
        "text": "A photograph of a cat",
        "text_source": "alt",
        "page_url": "http://site.example/dir/page.html",
        "crawl": "CC-MAIN-2024-51",
        "language": "en",
        "opt_outs": [],
        "file": None,
    }
    (row,) = last.to_pylist()
    assert row.pop("file") == {
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "records": 3,
        "pages": 1,
        "images": 4,
        "candidates": 4,
        "pairs": 1,
        "dropped": [("data_uri", 1), ("empty_text", 1), ("no_url", 1)],
        "faults": [("malformed_link", 1)],
        "truncated": False,
        "error": None,
    }
    assert set(row.values()) == {None}


def test_every_reason_is_counted_once_per_candidate(tmp_path: Path) -> None:
    links = [
        image("", alt=""),
        image("", alt="text", title="text"),
        image("http://", alt="text"),
        image("x" * 3000, alt="text"),
        image("ok.jpg", alt="x" * 5000, title="text"),
        image("mailto:me", title="text"),
    ]
    pairs, ledger = read_bytes(tmp_path, wat(links))
    assert [(pair["text"], pair["text_source"]) for pair in pairs] == [("text", "title")]
    assert ledger["dropped"] == {
        "empty_text": 1,
        "no_url": 2,
        "bad_url": 1,
        "url_too_long": 1,
        "text_too_long": 1,
        "not_http": 1,
    }


@pytest.mark.parametrize("name", ["x.wat", "CC-MAIN-20240101-00001.warc.gz", "crawl=CC-MAIN-2024-511/x"])
def test_the_crawl_is_in_the_warcinfo_if_not_in_the_path(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    info = record("warcinfo", b"software: x\r\nisPartOf: CC-MAIN-2020-34\r\n", None)
    path.write_bytes(gzipped([info, *numbered(1)]))
    assert {pair["crawl"] for pair in read(path)[0]} == {"CC-MAIN-2020-34"}
    path.write_bytes(gzipped(numbered(1)))
    assert {pair["crawl"] for pair in read(path)[0]} == {None}


def test_pages_and_wat_records_may_share_a_file(tmp_path: Path) -> None:
    pairs, ledger = read_bytes(tmp_path, gzipped([*numbered(1), response(b"<img src=x alt=html>")]))
    assert texts_of(pairs) == ["alt 0", "title 0", "html"]
    assert ledger["pages"] == 2


def test_languages_that_are_not_wanted_are_dropped_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "x.wat"
    texts = ["A photograph of two dogs on the beach", "Une photographie de deux chiens sur la plage"]
    path.write_bytes(wat([image(alt=text) for text in texts] * 3))
    assert len(read(path)[0]) == 6
    pairs, ledger = read(path, frozenset({"fr", "de"}))
    assert {pair["text"] for pair in pairs} == {texts[1]}
    assert (ledger["candidates"], ledger["pairs"], ledger["dropped"]) == (6, 3, {"language": 3})
    pairs, ledger = read(path, frozenset())
    assert (pairs, ledger["dropped"]) == ([], {"language": 6})


def test_batches_are_bounded_and_lose_nothing(tmp_path: Path) -> None:
    count = 2 * BATCH_ROWS + 7
    path = tmp_path / "x.wat"
    path.write_bytes(b"".join(wat([image(f"/{n}.jpg", alt=f"text {n}")]) for n in range(count)))
    batches = list(read_file(str(path), reading=Reading()))
    assert [batch.num_rows for batch in batches] == [BATCH_ROWS, BATCH_ROWS, 7, 1]
    assert texts_of(read(path)[0]) == [f"text {n}" for n in range(count)]


def test_a_page_without_a_url_keeps_what_is_absolute(tmp_path: Path) -> None:
    pairs, ledger = read_bytes(tmp_path, wat([image(alt="kept"), image("x.jpg", alt="lost")], url=None))
    assert [(pair["text"], pair["page_url"]) for pair in pairs] == [("kept", None)]
    assert ledger["dropped"] == {"bad_url": 1}


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/no/such/file.wat.gz", "FileNotFoundError"),
        ("nosuch://host/file", "ValueError: Protocol not known"),
        ("http://127.0.0.1:1/file.wat.gz", "ClientConnectorError"),
        (str(Path(__file__).parent), "IsADirectoryError"),
    ],
)
def test_what_cannot_be_opened_is_in_the_ledger(path: str, error: str) -> None:
    pairs, ledger = read(path)
    assert pairs == []
    assert ledger["path"] == path
    assert error in ledger["error"]
    assert "\n" not in ledger["error"]


def test_a_connection_that_breaks_keeps_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unheard(Exception):
        """Some file system's own."""

    records = [gzipped([item]) for item in numbered(3)]
    fsspec.filesystem("memory").pipe("/broken.wat.gz", b"".join(records))
    whole = fsspec.implementations.memory.MemoryFile.read
    left = [len(records[0]), len(records[1]) + 20]

    def breaking(self: object, size: int = -1) -> bytes:
        if not left:
            raise Unheard("connection\nreset")
        return bytes(whole(self, left.pop(0)))

    monkeypatch.setattr(fsspec.implementations.memory.MemoryFile, "read", breaking)
    pairs, ledger = read("memory://broken.wat.gz")
    assert texts_of(pairs) == ["alt 0", "title 0", "alt 1", "title 1"]
    assert ledger["error"] == "Unheard: connection reset"
    assert ledger["size_bytes"] == sum(map(len, records))
    assert ledger["faults"] == {}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"headers": {"X-Robots-Tag": "noai"}}, ["noai"]),
        ({"headers": {"x-robots-tag": ["otherbot: noindex", "none"]}}, ["none"]),
        ({"headers": {"TDM-Reservation": "1"}}, ["tdm-reservation"]),
        ({"head": {"Metas": [{"name": "ROBOTS", "content": "NoIndex, follow"}]}}, ["noindex"]),
        ({"head": {"Metas": [{"name": "googlebot", "content": "noindex"}]}}, []),
        ({"headers": {"X-Robots-Tag": "otherbot: noai"}}, []),
    ],
)
def test_pages_that_opt_out(tmp_path: Path, parts: dict, said: list[str]) -> None:
    links = [image(alt="text", title="title"), image(alt="")]
    kept, ledger = read_bytes(tmp_path, wat(links, **parts), respect_opt_outs=False)
    assert [pair["opt_outs"] for pair in kept] == [said, said]
    kept, ledger = read_bytes(tmp_path, wat(links, **parts))
    assert len(kept) == (0 if said else 2)
    assert ledger["dropped"] == {"empty_text": 1} | ({"opted_out": 2} if said else {})


def test_pages_of_a_warc_that_opt_out(tmp_path: Path) -> None:
    page = b"<meta name=robots content=noimageai><img src=a.jpg alt=text>"
    assert read_bytes(tmp_path, response(page))[1]["dropped"] == {"opted_out": 1}
    header = "Content-Type: text/html\nX-Robots-Tag: otherbot: noai\nX-Robots-Tag: noml"
    kept, _ = read_bytes(tmp_path, response(page, header), respect_opt_outs=False)
    assert kept[0]["opt_outs"] == ["noimageai", "noml"]


def test_tracking_pixels_and_binary_texts_are_dropped(tmp_path: Path) -> None:
    links = [image("/a/spacer.gif", alt="text"), image("/spacers.gif", alt="kept"), image(alt="a\x01b")]
    pairs, ledger = read_bytes(tmp_path, wat(links))
    assert texts_of(pairs) == ["kept"]
    assert ledger["dropped"] == {"tracking_pixel": 1, "control_characters": 1}
    page = b"<img src=/t.jpg alt=tiny width=1 height=1px><img src=/k.jpg alt=kept width=1 height=100>"
    pairs, ledger = read_bytes(tmp_path, response(page))
    assert texts_of(pairs) == ["kept"]
    assert ledger["dropped"] == {"tracking_pixel": 1}


def test_captions_and_late_images_of_a_warc(tmp_path: Path) -> None:
    image = b"<img src=blank.gif data-src=real.jpg alt=text>"
    page = b"<figure>" + image + b"<figcaption>A <b>caption</b></figcaption></figure>"
    pairs, _ = read_bytes(tmp_path, response(page))
    assert [(pair["url"][-8:], pair["text"], pair["text_source"]) for pair in pairs] == [
        ("real.jpg", "text", "alt"),
        ("real.jpg", "A caption", "figcaption"),
    ]
