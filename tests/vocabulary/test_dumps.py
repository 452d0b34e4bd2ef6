import bz2
import gzip
import re
import threading
import tracemalloc
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from curation.crawl.files import open_input
from curation.errors import InputError
from curation.vocabulary import dumps
from curation.vocabulary.dumps import Page, not_shown, pieces, read_pages
from curation.vocabulary.streams import Piece
from tests.vocabulary.dumps import HEAD, multistream, page, write_dump

PAGES = [page(f"Title {n}", f"Text {n} & more <ref>x</ref>\n" * 40, redirect=n % 5 == 0) for n in range(40)]
GROUPS = [PAGES[n : n + 4] for n in range(0, 40, 4)]


def read(path: Path, piece_bytes: int | None = None) -> tuple[list[Page], dict[str, int]]:
    faults: Counter[str] = Counter()
    work = [Piece(str(path))]
    if piece_bytes:
        work = pieces(str(path), path.stat().st_size, open_at=open_input, piece_bytes=piece_bytes)
    return [found for piece in work for found in read_pages(piece, open_at=open_input, faults=faults)], dict(
        faults
    )


def titles(path: Path, piece_bytes: int | None = None) -> list[str]:
    return [found.title for found in read(path, piece_bytes)[0]]


EVERY = [f"Title {n}" for n in range(40)]


def test_a_page_has_what_was_written(tmp_path: Path) -> None:
    path = write_dump(
        tmp_path / "d.xml.bz2", page("A & B", "x < y\n", namespace=4, redirect=True, date="2020-02-03")
    )
    assert read(path) == ([Page("A & B", 4, True, "2020-02-03", "x < y\n")], {})


@pytest.mark.parametrize("piece_bytes", [1, 97, 400, 1500, 10**6])
def test_pieces_give_each_page_once_however_streams_are_cut(piece_bytes: int, tmp_path: Path) -> None:
    text = (HEAD + "".join(PAGES) + "</mediawiki>\n").encode()
    whole = tmp_path / "whole.xml.bz2"
    whole.write_bytes(multistream(GROUPS))
    anywhere = tmp_path / "anywhere.xml.bz2"
    anywhere.write_bytes(b"".join(bz2.compress(text[n : n + 777]) for n in range(0, len(text), 777)))
    for path in (whole, anywhere):
        assert (titles(path, piece_bytes), read(path, piece_bytes)[1]) == (EVERY, {})


def test_within_tags(tmp_path: Path) -> None:
    text = HEAD + PAGES[0] + PAGES[1]
    for cut in range(text.index("</page>") - 2, text.index("</page>") + 25):
        path = tmp_path / f"{cut}.bz2"
        path.write_bytes(bz2.compress(text[:cut].encode()) + bz2.compress(text[cut:].encode()))
        assert titles(path, 100) == EVERY[:2]


def test_other_compressions_are_one_piece(tmp_path: Path) -> None:
    text = (HEAD + "".join(PAGES) + "</mediawiki>").encode()
    for name, data in (("a.xml", text), ("b.xml.gz", gzip.compress(text)), ("c.xml.bz2", bz2.compress(text))):
        path = tmp_path / name
        path.write_bytes(data)
        assert (titles(path, 500), read(path, 500)[1]) == (EVERY, {})


def test_the_magic_of_a_stream_within_data_is_no_stream(tmp_path: Path) -> None:
    streams = [bz2.compress((HEAD + "".join(GROUPS[0])).encode()), bz2.compress("".join(GROUPS[1]).encode())]
    magic = b"BZh91AY&SY"
    path = tmp_path / "d.xml.bz2"
    path.write_bytes(streams[0] + magic + bytes(range(256)) * 20 + magic[:7] + streams[1])
    for piece_bytes in (None, 50, 700):
        assert titles(path, piece_bytes) == EVERY[:8]


def test_a_damaged_stream_costs_only_itself(tmp_path: Path) -> None:
    whole = multistream(GROUPS)
    starts = [n for n in range(len(whole)) if whole[n : n + 10] == b"BZh91AY&SY"]
    damaged = bytearray(whole)
    for offset in range(100, 140):
        damaged[starts[3] + offset] ^= 0xFF
    path = tmp_path / "d.xml.bz2"
    path.write_bytes(bytes(damaged))
    found, faults = read(path)
    assert [each.title for each in found] == EVERY[:8] + EVERY[12:]
    assert faults == {"stream_damaged": 1}


def test_a_cut_off_dump_keeps_what_comes_before(tmp_path: Path) -> None:
    path = tmp_path / "d.xml.bz2"
    whole = multistream(GROUPS)
    starts = [n for n in range(len(whole)) if whole[n : n + 10] == b"BZh91AY&SY"]
    path.write_bytes(whole[: starts[6] + 60])
    found, faults = read(path)
    assert [each.title for each in found] == EVERY[:20]
    assert faults == {"stream_cut_off": 1}
    path.write_bytes(gzip.compress((HEAD + "".join(PAGES)).encode())[:-30])
    assert read(path)[1]["stream_cut_off"] == 1


def test_a_damaged_page_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    broken = [
        PAGES[1].replace("</revision>", ""),
        PAGES[2].replace("<ns>0</ns>", ""),
        PAGES[3].replace("</page>", ""),
        PAGES[4].replace("Text 4", "Text \x00"),
    ]
    path.write_text(HEAD + PAGES[0] + "".join(broken) + PAGES[5] + PAGES[6][:200], encoding="utf-8")
    found, faults = read(path)
    assert [each.title for each in found] == ["Title 0", "Title 5"]
    assert faults == {"page_damaged": 3, "page_cut_off": 2}


def test_a_page_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, "PAGE_BYTES", 1 << 16)
    path = tmp_path / "d.xml.bz2"
    endless = bz2.compress(b"  <page>" + b"x" * (3 << 20))
    path.write_bytes(bz2.compress(HEAD.encode()) + endless + bz2.compress(("</page>" + PAGES[1]).encode()))
    found, faults = read(path)
    assert [each.title for each in found] == ["Title 1"]
    assert faults == {"page_too_long": 1}


def test_the_names_of_the_wiki_for_files_and_categories(tmp_path: Path) -> None:
    path = write_dump(tmp_path / "d.xml.bz2", *PAGES[:2])
    assert not_shown(str(path), open_at=open_input) == {
        "file",
        "image",
        "media",
        "category",
        "datei",
        "kategorie",
    }


def test_what_is_no_dump_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text("hello")
    with pytest.raises(InputError, match="no dump of a wiki"):
        not_shown(str(path), open_at=open_input)
    path.write_text("")
    with pytest.raises(InputError, match="is empty"):
        pieces(str(path), 0, open_at=open_input)


def test_memory_does_not_grow_with_the_dump(tmp_path: Path) -> None:
    stream = bz2.compress("".join(page(f"{n}", "word " * 20_000) for n in range(10)).encode())

    def peak(streams: int) -> int:
        path = tmp_path / f"{streams}.xml.bz2"
        path.write_bytes(bz2.compress(HEAD.encode()) + stream * streams)
        tracemalloc.start()
        try:
            pages = read_pages(Piece(str(path)), open_at=open_input, faults=Counter())
            assert sum(1 for _ in pages) == 10 * streams
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(40) < 1.2 * peak(5) + 1_000_000


def test_pieces_of_a_dump_on_the_web_are_read_by_ranges() -> None:
    data = multistream(GROUPS)
    asked: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(found[1]) if found else 0
            asked.append(start)
            self.send_response(206 if found else 200)
            if found:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start:])

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/d.xml.bz2"
        work = pieces(url, len(data), open_at=open_input, piece_bytes=1500)
        faults: Counter[str] = Counter()
        found = [
            page.title for piece in work for page in read_pages(piece, open_at=open_input, faults=faults)
        ]
        server.shutdown()
    assert (found, faults) == (EVERY, {})
    assert {0, 1500, 3000} <= set(asked)
