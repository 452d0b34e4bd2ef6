"""HTML of WARC responses: images, bases, encodings, codings of the body."""

import gzip
import time
import zlib
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.crawl import html
from curation.crawl.archive import Record
from curation.crawl.links import ImageLink, Page
from curation.crawl.response import parse_response
from tests.crawl.archives import PAGE, gzipped, numbered, read_bytes, record, response, texts_of

packed = partial(gzip.compress, mtime=0)  # or names of tests would have the time in them

HTTP = b"WARC/1.0\r\nContent-Type: application/http\r\n\r\n"


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
    assert ledger["dropped"] == {"empty_text": 1, "no_url": 1, "data_uri": 1}
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
        ("Content-Encoding: gzip", packed(IMAGE)),
        ("Content-Encoding: x-gzip", packed(IMAGE)),
        ("Content-Encoding: deflate", zlib.compress(IMAGE)),
        ("Transfer-Encoding: chunked", chunked(IMAGE)),
        ("Content-Encoding: gzip\nTransfer-Encoding: chunked", chunked(packed(IMAGE))),
        ("Content-Encoding: gzip", IMAGE),
        ("Content-Encoding: br", IMAGE),
        ("Transfer-Encoding: chunked", IMAGE),
        ("Content-Encoding: whatever", IMAGE),
        ("Content-Encoding: identity", IMAGE),
        ("X-Long: " + "y" * 100_000, IMAGE),
        ("Content-Length: 3", IMAGE),
        ("Content-Encoding: gzip", packed(IMAGE + b" " * 9999)[:-9]),
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
    twice = packed(packed(IMAGE))
    page = response(twice, "Content-Type: text/html\nContent-Encoding: gzip")
    pairs, ledger = read_bytes(tmp_path, gzipped([page, *numbered(1)]))
    assert texts_of(pairs) == ["alt 0", "title 0"]
    assert ledger["faults"] == {"undecodable_body": 1}


def test_a_body_that_grows_too_long_is_a_fault(tmp_path: Path) -> None:
    bomb = packed(IMAGE + bytes(html.BODY_BYTES))
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
    item = Record(HTTP, lines.encode() + b"\r\n" + body)
    page = html.page_of_response(item, Counter())
    for image in page.images if page else []:
        assert image.url is None or image.url.encode() is not None


def page_of(body: str, head: str = "") -> Page:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{head}\r\n{body}".encode()
    page = html.page_of_response(Record(HTTP, http), Counter())
    assert page is not None
    return page


def images_of(body: str) -> list[ImageLink]:
    return page_of(body).images


GIF = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALA=="


STAND_INS = ["blank.gif", "1x1.png?v=3", "t_spacer.GIF#x", "img-placeholder.svg", "lazy.png", "loading2.gif"]
STAND_INS += ["transparent-pixel.gif", "placeholder_300x200.png", "pixel.gif"]


@pytest.mark.parametrize(
    ("image", "url"),
    [
        ("<img src=a.jpg data-src=b.jpg srcset='c.jpg 2x'>", "a.jpg"),
        (f"<img src='{GIF}' data-src=b.jpg>", "b.jpg"),
        ("<img src='' data-src=b.jpg>", "b.jpg"),
        ("<img src=' DATA:,' data-src=b.jpg>", "b.jpg"),
        ("<img src data-src=b.jpg>", "b.jpg"),
        ("<img data-src=b.jpg>", "b.jpg"),
        ("<img data-url=4.jpg data-lazy-src=3.jpg data-original=2.jpg data-src=1.jpg>", "1.jpg"),
        ("<img data-url=4.jpg data-lazy-src=3.jpg data-original=2.jpg>", "2.jpg"),
        ("<img data-url=4.jpg data-lazy-src=3.jpg>", "3.jpg"),
        ("<img data-url=4.jpg>", "4.jpg"),
        ("<img data-lazy=true data-src='' data-url=/x>", "/x"),
        (f"<img data-src='{GIF}' data-original=b.jpg>", "b.jpg"),
        ("<img data-src='b_{width}x.jpg' srcset='c.jpg 2x'>", "c.jpg"),
        ("<img src='{{ photo.url }}' data-src=b.jpg>", "b.jpg"),
        ("<img src='/{0A1B-22}.jpg' data-src=b.jpg>", "/{0A1B-22}.jpg"),
        ("<img data-src='[b.jpg, (default)]' src=blank.gif>", "blank.gif"),
        *[(f"<img src='/x/{name}' data-src=b.jpg>", "b.jpg") for name in STAND_INS],
        *[
            (f"<img src='/x/{name}' data-src=b.jpg>", f"/x/{name}")
            for name in ("pixel-art.png", "blank.jpg", "unloading.gif", "lazy.png/dog.gif", "1x1.gif/")
        ],
        ("<img src=blank.gif>", "blank.gif"),
        (f"<img src='{GIF}'>", GIF),
        ("<img srcset='a.jpg 300w, b.jpg 1200w, c.jpg 600w'>", "b.jpg"),
        ("<img srcset='a.jpg, b.jpg 1.5x, c.jpg .5x'>", "b.jpg"),
        ("<img srcset='a.jpg'>", "a.jpg"),
        ("<img srcset='a,b,c.jpg 1x,d,e.jpg 2x,'>", "d,e.jpg"),
        ("<img srcset=',, a.jpg,  b.jpg 2x 3q, c.jpg 9z, d.jpg (x, 5x) 7x'>", "a.jpg"),
        ("<img srcset='a.jpg 100w 50h, b.jpg 20x'>", "a.jpg"),
        (f"<img srcset='{GIF} 900w, b.jpg 20w'>", "b.jpg"),
        ("<img srcset='blank.gif 1w' data-srcset='b.jpg 5w'>", "b.jpg"),
        (
            "<picture><source srcset='a.avif 2x'><source data-srcset='b.jpg 1x, c.jpg 2x'><img></picture>",
            "c.jpg",
        ),
        ("<picture><source srcset='a.webp 2x'><img src=b.jpg></picture>", "b.jpg"),
        ("<picture><source srcset='a.webp 2x'><source><img src=data:,></picture>", "a.webp"),
        ("<video><source srcset='a.webp 2x'><img src=data:,></video>", "data:,"),
    ],
)
def test_the_url_that_scripts_or_browsers_would_load(image: str, url: str) -> None:
    assert [found.url for found in images_of(image)] == [url]


def test_no_url_no_image() -> None:
    assert (
        images_of("<img><img alt=x><img srcset=''><img srcset=' , ,'><picture><source><img></picture>") == []
    )


def test_what_noscript_repeats_is_there_too() -> None:
    page = f"""<head><noscript><img src=head.gif></noscript><meta name=robots content=noai></head>
    <body><img src="{GIF}" data-src=a.jpg alt=A><noscript><img src=a.jpg alt=A></noscript>
    <template><img src=no.jpg></template>"""
    assert page_of(page).images == [ImageLink("head.gif"), *[ImageLink("a.jpg", "A")] * 2]
    assert page_of(page).metas == (("robots", "noai"),)


@pytest.mark.parametrize(
    ("caption", "text"),
    [
        (" A\n <b>c</b>at&nbsp;&amp; <i>d</i>og ", "A cat & dog"),
        ("One<br>two<p>three</p>four<!-- no -->", "One two three four"),
        ("<script>no</script>yes<style>no</style><svg><title>no</title></svg><noscript>no</noscript>", "yes"),
        ("a<figure>b<figcaption>c</figcaption></figure>d", "ad"),
        ("", ""),
    ],
)
def test_the_text_of_a_caption(caption: str, text: str) -> None:
    page = f"<figure><a><img src=x alt=y></a><div><figcaption>{caption}</figcaption></div></figure>"
    assert images_of(page) == [ImageLink("x", "y", None, text)]


def test_a_caption_is_of_the_images_of_its_own_figure() -> None:
    page = """<img src=0><figure><figcaption>first <img src=icon></figcaption><img src=1>
    <figure><img src=2></figure><figure><img src=3><figcaption>third</figcaption></figure>
    <p><img src=4></p><figcaption>late</figcaption></figure><img src=5>
    <figcaption>stray</figcaption><img src=6>"""
    assert {image.url: image.caption for image in images_of(page)} == {
        **dict.fromkeys(["0", "icon", "2", "5", "6"]),
        **{"1": "first", "3": "third", "4": "first"},
    }


@pytest.mark.parametrize(
    ("size", "pixel"),
    [
        ("width=1 height=1", True),
        ("width=0 height='2px'", True),
        ("width=' 01 PX' height=1", True),
        ("width=1 height=3", False),
        ("width=1", False),
        ("width=1% height=1%", False),
        ("width height", False),
        ("width=10 height=10", False),
    ],
)
def test_tracking_pixels(size: str, pixel: bool) -> None:
    assert images_of(f"<img src=x {size}>") == [ImageLink("x", pixel=pixel)]


def test_what_opt_outs_are_read_from() -> None:
    page = page_of(
        "<META NAME=' Robots' CONTENT='noai, x'><meta content=y><meta name=z>"
        "<p><meta name=tdm-reservation content=1>"
        "<meta http-equiv=X-Robots-Tag content=none><meta name='' http-equiv=a content>",
        "X-Robots-Tag: noai\r\nServer: x-robots-tag: no\r\nx-robots-tag : a:b,\r\n  c\r\n"
        "TDM-Reservation:1\r\nContent-Usage: train-ai=n\r\nX-Robots-Tags: no\r\n",
    )
    assert page.headers == (
        ("x-robots-tag", "noai"),
        ("x-robots-tag", "a:b, c"),
        ("tdm-reservation", "1"),
        ("content-usage", "train-ai=n"),
    )
    assert page.metas == (
        ("robots", "noai, x"),
        ("tdm-reservation", "1"),
        ("x-robots-tag", "none"),
        ("a", ""),
    )


def test_opt_outs_are_not_read_from_the_body() -> None:
    assert page_of("\r\nX-Robots-Tag: noai\r\n").headers == ()


@given(
    st.lists(st.sampled_from(["a.jpg", ",", " ", "1x", "20w", "(", ")", "\n", "5h", "b,c", "1e9x", "é"])).map(
        "".join
    )
)
def test_no_srcset_makes_it_fail(srcset: str) -> None:
    for image in images_of(f'<img srcset="{srcset}">'):
        assert image.url
        assert not set(image.url) & set(" \n")
        assert image.url.strip(",") == image.url


@pytest.mark.parametrize(
    "piece",
    [
        "<figure><figcaption>",
        "<figcaption>",
        "<figure><img src=x>",
        "<picture><source><img>",
        "<picture><img>",
    ],
)
def test_deep_pages_take_time_in_proportion(piece: str) -> None:
    def seconds(count: int) -> float:
        body, times = "<figure><img src=x><figcaption>" + piece * count + "<img src=y>" * count, []
        for _ in range(3):
            start = time.process_time()
            page_of(body)
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(16 * 400) < 100 * seconds(400)


@pytest.mark.parametrize("value", [" ", ",", "1", "0", "a ", "(", "\\", "/lazy_", "{", "-blank"])
def test_long_attributes_take_time_in_proportion(value: str) -> None:
    def seconds(count: int) -> float:
        long, times = value * count, []
        for _ in range(3):
            start = time.process_time()
            page_of(
                f"<img srcset='x {long}y' src='{long}' data-src='{long}' width='1{long}' height='0{long}x'>"
            )
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(16 * 4096) < 100 * seconds(4096)
