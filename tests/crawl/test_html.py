"""HTML of WARC responses: images, bases, encodings, codings of the body."""

import gzip
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.crawl import html
from curation.crawl.archive import Record
from curation.crawl.response import parse_response
from tests.crawl.archives import PAGE, gzipped, numbered, read_bytes, record, response, texts_of


def chunked(body: bytes, size: int = 7) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def test_images_with_their_texts_in_document_order(tmp_path: Path) -> None:
    page = b"""<!doctype html><title>t</title><base href=/base/><base href=/no/>
    <IMG SRC="a.jpg?x=1&amp;y=2&copy=3" ALT="one &amp;amp; two" TITLE='&quot;three&quot;'>
    <img alt="no source"><img src=b.jpg><img src=c.jpg alt><img src alt="no url">
    <noscript><img src=d.jpg alt="plain"></noscript><!-- <img src=no alt=no> -->
    <script>'<img src=no alt=no>'</script><img src='data:image/gif,' title=data>"""
    pairs, ledger = read_bytes(tmp_path, response(page))
    assert [(pair["url"], pair["text"], pair["text_source"]) for pair in pairs] == [
        ("http://site.example/base/a.jpg?x=1&y=2&copy=3", "one &amp; two", "alt"),
        ("http://site.example/base/a.jpg?x=1&y=2&copy=3", '"three"', "title"),
        ("http://site.example/base/d.jpg", "plain", "alt"),
    ]
    assert ledger["dropped"] == {"empty_text": 1, "no_url": 1, "not_http": 1}
    assert (ledger["pages"], ledger["images"], ledger["candidates"]) == (1, 6, 6)


UTF_8 = "é € 猫"


@pytest.mark.parametrize(
    ("header", "declaration", "encoding", "text"),
    [
        ("text/html; charset=utf-8", "", "utf-8", UTF_8),
        ("text/html; Charset = 'UTF-8'; x=y", "", "utf-8", UTF_8),
        ("text/html", "", "utf-8", UTF_8),
        ("text/html; charset=iso-8859-1", "", "cp1252", "“é” €"),
        ("text/html; charset=latin1", "<meta charset=utf-8>", "cp1252", "“é” €"),
        ("text/html", "<meta charset='windows-1251'>", "cp1251", "кошка"),
        ("text/html", '<META http-equiv=x content="text/html; charset=koi8-r">', "koi8-r", "кошка"),
        ("text/html", "<meta name=a content=b><meta charset=gb2312>", "gb18030", "猫鎔"),
        ("text/html; charset=Shift_JIS", "", "cp932", "①猫"),
        ("text/html; charset=x-sjis", "", "cp932", "①猫"),
        ("text/html; charset=euc-kr", "", "cp949", "고양이 똠"),
        ("text/html; charset=Big5", "", "big5hkscs", "貓"),
        ("text/html; charset=tis-620", "", "cp874", "แมว…"),
        ("text/html; charset=utf-16le", "", "utf-16-le", UTF_8),
        ("text/html; charset=nonsense", "<meta charset=cp1251>", "cp1251", "кошка"),
        ("text/html; charset=base64", "", "utf-8", UTF_8),
        ("text/html", "<meta charset=utf-7>", "utf-8", UTF_8),
        ("text/html", "<meta charset=utf-16>", "utf-8", UTF_8),
        ("application/xhtml+xml", "<?xml version='1.0' encoding='iso-8859-5'?>", "iso8859-5", "кошка"),
    ],
)
def test_encodings(tmp_path: Path, header: str, declaration: str, encoding: str, text: str) -> None:
    page = f"{declaration}<img src=x alt='{text}'>".encode(encoding)
    pairs, _ = read_bytes(tmp_path, response(page, f"Content-Type: {header}"))
    assert texts_of(pairs) == [text]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_stronger_than_the_header(tmp_path: Path, encoding: str) -> None:
    page = f"<img src=x alt='{UTF_8}'>".encode(encoding)
    pairs, _ = read_bytes(tmp_path, response(page, "Content-Type: text/html; charset=windows-1251"))
    assert texts_of(pairs) == [UTF_8]


def test_bytes_that_are_wrong_are_replaced(tmp_path: Path) -> None:
    pairs, _ = read_bytes(tmp_path, response(b"<img src=x alt='caf\xe9 \xf0\x9f'>"))
    assert texts_of(pairs) == ["caf\ufffd \ufffd"]


IMAGE = b"<img src=x alt=found>"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("Content-Encoding: gzip", gzip.compress(IMAGE)),
        ("Content-Encoding: x-gzip", gzip.compress(IMAGE)),
        ("Content-Encoding: deflate", zlib.compress(IMAGE)),
        ("Transfer-Encoding: chunked", chunked(IMAGE)),
        ("Content-Encoding: gzip\nTransfer-Encoding: chunked", chunked(gzip.compress(IMAGE))),
        ("Content-Encoding: gzip", IMAGE),
        ("Content-Encoding: br", IMAGE),
        ("Transfer-Encoding: chunked", IMAGE),
        ("Content-Encoding: whatever", IMAGE),
        ("Content-Encoding: identity", IMAGE),
        ("X-Long: " + "y" * 100_000, IMAGE),
        ("Content-Length: 3", IMAGE),
        ("Content-Encoding: gzip", gzip.compress(IMAGE + b" " * 9999)[:-9]),
        ("Transfer-Encoding: chunked", chunked(IMAGE + b"   " * 99)[:-9]),
    ],
)
def test_coded_bodies(tmp_path: Path, header: str, body: bytes) -> None:
    pairs, ledger = read_bytes(tmp_path, response(body, f"Content-Type: text/html\n{header}"))
    assert texts_of(pairs) == ["found"]
    assert ledger["faults"] == {}


def test_bare_line_ends_in_the_http_header(tmp_path: Path) -> None:
    http = b"HTTP/1.1 200 OK\ncontent-type: TEXT/HTML\n\n<p>\r\n\r\n" + IMAGE
    pairs, _ = read_bytes(tmp_path, record("response", http, PAGE, Content_Type="application/http"))
    assert texts_of(pairs) == ["found"]


def test_a_body_that_stays_compressed_is_a_fault(tmp_path: Path) -> None:
    twice = gzip.compress(gzip.compress(IMAGE))
    page = response(twice, "Content-Type: text/html\nContent-Encoding: gzip")
    pairs, ledger = read_bytes(tmp_path, gzipped([page, *numbered(1)]))
    assert texts_of(pairs) == ["alt 0", "title 0"]
    assert ledger["faults"] == {"undecodable_body": 1}


def test_a_body_that_grows_too_long_is_a_fault(tmp_path: Path) -> None:
    bomb = gzip.compress(IMAGE + bytes(html.BODY_BYTES))
    page = response(bomb, "Content-Type: text/html\nContent-Encoding: gzip")
    pairs, ledger = read_bytes(tmp_path, gzipped([page, *numbered(1)]))
    assert texts_of(pairs) == ["alt 0", "title 0"]
    assert ledger["faults"] == {"body_too_long": 1}


@pytest.mark.parametrize(
    "item",
    [
        response(IMAGE, "Content-Type: application/json"),
        response(IMAGE, "X: y"),
        record("response", IMAGE, Content_Type="text/dns"),
        record("request", b"GET / HTTP/1.1\r\n\r\n", Content_Type="application/http; msgtype=request"),
        record("metadata", b"fetchTimeMs: 3", Content_Type="application/warc-fields"),
        record("response", b"", Content_Type="application/http"),
    ],
)
def test_records_that_are_no_pages(tmp_path: Path, item: bytes) -> None:
    pairs, ledger = read_bytes(tmp_path, item)
    assert (pairs, ledger["records"], ledger["pages"], ledger["faults"]) == ([], 1, 0, {})


def test_the_type_that_the_crawler_found_out_stands_in_for_a_missing_one(tmp_path: Path) -> None:
    item = record(
        "response",
        b"HTTP/1.1 200 OK\r\n\r\n" + IMAGE,
        Content_Type="application/http; msgtype=response",
        WARC_Identified_Payload_Type="application/xhtml+xml",
    )
    assert texts_of(read_bytes(tmp_path, item)[0]) == ["found"]


def test_header_fields_of_a_response() -> None:
    parsed = parse_response(b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\nB : x: y\r\nbroken\r\n\r\nbody")
    assert parsed.fields == {"a": "1", "b": "x: y", "broken": ""}
    assert parsed.body == b"body"


@given(
    header=st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, br", "x"]),
    chunks=st.booleans(),
    charset=st.text(max_size=12) | st.sampled_from(["idna", "punycode", "rot13", "hex", "utf-8", "utf-16"]),
    body=st.binary(max_size=200) | st.text(alphabet="<img src=alt'\"!-[>&;#x0\x00é").map(str.encode),
)
def test_no_response_makes_it_fail(header: str, chunks: bool, charset: str, body: bytes) -> None:
    lines = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset={charset}\r\nContent-Encoding: {header}\r\n"
    lines += "Transfer-Encoding: chunked\r\n" * chunks
    item = Record({"content-type": "application/http"}, b"", lines.encode() + b"\r\n" + body)
    page = html.page_of_response(item, Counter())
    for image in page.images if page else []:
        assert image.url is None or image.url.encode() is not None
