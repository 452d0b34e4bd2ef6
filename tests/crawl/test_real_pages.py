"""The real files beside the checkout, against figures and against extractors that share no code with ours."""

import gzip
import html
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from tests.crawl.archives import read

Pair = tuple[str, str, str, str]
"""page_url, url, text, text_source."""


def pairs_of(path: Path) -> list[Pair]:
    return [
        (row["page_url"], row["url"], row["text"], row["text_source"])
        for row in read(path, respect_opt_outs=False)[0]
    ]


def slow_records(path: Path) -> Iterator[tuple[str, bytes]]:
    """Target URI and body of the records of a good file, by the standard library alone."""
    with gzip.open(path) as stream:
        while line := stream.readline():
            if not line.startswith(b"WARC/"):
                continue
            fields = {}
            while field := stream.readline().strip():
                name, _, value = field.decode().partition(": ")
                fields[name] = value
            yield fields.get("WARC-Target-URI", ""), stream.read(int(fields["Content-Length"]))


def slow_entities(value: str) -> str:
    return re.sub(r"&#?\w+;", lambda found: html.unescape(found[0]), value, flags=re.ASCII)


def with_plain_host(url: str) -> str:
    """Scheme and host in lower case, without the port that goes without saying."""
    parts = urlsplit(url)
    host = parts.netloc.lower()
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return url.replace(
        url[: url.index("//") + 2 + len(parts.netloc)], f"{parts.scheme}://{host.removesuffix(default)}", 1
    )


def slow_pairs(page_url: str, base: str, images: list[dict[str, Any]]) -> Iterator[Pair]:
    base = urljoin(page_url, base)
    for image in images:
        link = re.sub(r"[\t\r\n]", "", image.get("url", "").strip()).split("#")[0]
        if not link or not (url := urljoin(base, link)).lower().startswith(("http://", "https://")):
            continue
        url = with_plain_host(url)
        if re.search(r"/(pixel|1x1|spacer|blank|transparent|clear|trans)\.(gif|png)$", url):
            continue
        for source in ("alt", "title"):
            if (
                urlsplit(url).netloc
                and len(url) <= 2048
                and 0 < len(text := image.get(source, "").strip()) <= 4096
                and not any(unicodedata.category(c) == "Cc" and not c.isspace() for c in text)
            ):
                yield page_url, url, text, source


def slow_wat_pairs(path: Path) -> Iterator[Pair]:
    for page_url, body in slow_records(path):
        if not body.startswith(b"{"):
            continue
        payload = json.loads(body)["Envelope"]["Payload-Metadata"]
        page = payload.get("HTTP-Response-Metadata", {}).get("HTML-Metadata", {})
        images = [
            {name: slow_entities(value) for name, value in link.items()}
            for link in page.get("Links", [])
            if link["path"] == "IMG@/src"
        ]
        yield from slow_pairs(page_url, slow_entities(page.get("Head", {}).get("Base", "")), images)


class SlowHtml(HTMLParser):
    """Images of a page by the standard library's tolerant, but not standard-conforming parser."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.base = ""
        self.images: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = {name: value or "" for name, value in reversed(attrs)}
        tiny = {re.sub("px$", "", fields.get(side, "")) for side in ("width", "height")} <= {"0", "1", "2"}
        if tag == "img" and "src" in fields and not tiny:
            self.images.append(
                {"url": fields["src"], **{k: fields[k] for k in ("alt", "title") if k in fields}}
            )
        elif tag == "base" and not self.base:
            self.base = fields.get("href", "")


def slow_warc_pairs(path: Path) -> Iterator[Pair]:
    for page_url, body in slow_records(path):
        head, _, page = body.partition(b"\r\n\r\n")
        parser = SlowHtml()
        charset = re.search(rb"(?i)^content-type:.*charset=([\w-]+)", head, re.MULTILINE)
        parser.feed(page.decode(charset[1].decode() if charset else "utf-8", "replace"))
        yield from slow_pairs(page_url, parser.base, parser.images)


def test_the_wat_equals_an_independent_extractor(shared_data: Path) -> None:
    path = shared_data / "wat" / "pages.warc.wat.gz"
    assert pairs_of(path) == list(slow_wat_pairs(path))
    ledger = read(path, respect_opt_outs=False)[1]
    assert ledger | {"path": ""} == {
        "path": "",
        "size_bytes": path.stat().st_size,
        "records": 1165,  # warcinfo, and a request and a response for each page
        "pages": 582,
        "images": 13078,
        "candidates": 13485,
        "pairs": 7972,
        "dropped": {"data_uri": 1138, "empty_text": 4169, "no_url": 137, "tracking_pixel": 69},
        "faults": {},
        "truncated": False,
        "error": None,
    }


def test_the_warc_has_what_another_parser_finds(shared_data: Path) -> None:
    """And more: what is loaded late, and captions, neither of which the other parser looks for."""
    path = shared_data / "warc" / "pages.warc.gz"
    ours, slow = Counter(pairs_of(path)), Counter(slow_warc_pairs(path))
    texts = {(page, text, source) for page, _, text, source in ours}
    placeholders = slow - ours
    assert all((page, text, source) in texts for page, _, text, source in placeholders)
    assert placeholders.total() < 120
    html = {page: body.decode("utf-8", "replace") for page, body in slow_records(path)}
    for page, url, _, _ in ours - slow:
        name = urlsplit(url).path.rstrip("/").rpartition("/")[2]
        assert name in html[page] or name in unquote(html[page]), (page, url)
    assert 1900 < (ours - slow).total() < 2300


def test_the_warc_and_its_wat_agree_except_on_entities(shared_data: Path) -> None:
    """A WAT does not tell a page's `&amp;quot;` from a `&quot;` left undecoded: there both are quotes."""
    warc, wat = (
        by_page(pairs_of(shared_data / name)) for name in ("warc/pages.warc.gz", "wat/pages.warc.wat.gz")
    )
    # A WAT shows neither what is loaded late nor captions, nor how large a tracking pixel is drawn.
    late = {page for page in warc if len(warc[page]) != len(wat.get(page, []))}
    assert len(wat.keys() - warc.keys()) <= 1
    assert len(late) < len(warc) / 2
    differing = [
        (ours, theirs)
        for page in warc.keys() - late
        for ours, theirs in zip(warc[page], wat[page], strict=True)
        if ours != theirs
    ]
    for (page, url, text, source), theirs in differing:
        assert (page, slow_entities(text).strip(), source) == (theirs[0], *theirs[2:])
        assert slow_entities(url) == theirs[1] or PLACEHOLDER.search(theirs[1])


PLACEHOLDER = re.compile("placeholder|blank|spacer|loading|lazy|transparent|1x1|pixel")


def by_page(pairs: list[Pair]) -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = {}
    for pair in pairs:
        if pair[3] != "figcaption":
            found.setdefault(pair[0], []).append(pair)
    return found


@pytest.mark.parametrize(
    ("name", "faults"),
    [("cc-main-2023", {}), ("cc-main-2023-truncated-json", {"wrong_length": 1})],
)
def test_a_genuine_wat_record(shared_data: Path, name: str, faults: dict[str, int]) -> None:
    """27 images without texts. In the second someone replaced a link: wrong length, whole JSON."""
    pairs, ledger = read(shared_data / "wat" / f"{name}.warc.wat.gz")
    assert pairs == []
    assert (ledger["pages"], ledger["images"], ledger["candidates"]) == (1, 27, 0)
    assert (ledger["faults"], ledger["truncated"], ledger["error"]) == (faults, False, None)


def test_genuine_pages_of_a_crawl(shared_data: Path) -> None:
    pairs, ledger = read(shared_data / "warc" / "cc-main-2020-34.warc.gz")
    assert (ledger["records"], ledger["pages"], ledger["images"]) == (50, 16, 151)
    assert Counter(pair["text_source"] for pair in pairs) == {"alt": 28, "title": 9}
    # Four texts are UTF-8 that was taken for Latin-1 on the way.
    assert ledger["dropped"] == {"control_characters": 4, "empty_text": 5}
    assert {pair["crawl"] for pair in pairs} == {"CC-MAIN-2020-34"}
    texts = {pair["text"]: pair for pair in pairs}
    assert texts["中国新闻网"]["url"] == "http://www.chinanews.com/images/banner11.gif"
    assert texts["中国新闻网"]["language"] == "zh"
    assert texts["Стратегия пожарной безопасности"]["url"] == "http://01spb.ru/logo.png"
    assert texts["中山英才网"]["page_url"] == "http://0760.jxtdw.com/area/sanxiang/"


def test_a_genuine_cut_off_page(shared_data: Path) -> None:
    pairs, ledger = read(shared_data / "warc" / "clipped.warc.gz")
    assert (ledger["truncated"], ledger["records"], ledger["images"], len(pairs)) == (True, 1, 7, 7)
    assert pairs[0]["url"] == "http://www.houstonpress.com/theme/hou/img/logo-150.png"
    assert pairs[-1]["text"] == "A Humble Chance The Rapper Leads a Spiritual Awakening at Revention (5)"


def test_the_edge_cases_of_common_crawl(shared_data: Path) -> None:
    path = shared_data / "warc" / "link-extraction-test.warc"
    assert [(url, text) for _, url, text, _ in pairs_of(path)] == [
        ("http://www.example.com/image.png", "IMG@/src"),
        ("http://www.example.com/image.gif", "IMG@/longdesc"),
        ("http://www.example.com/jackbox/img/thumbs/4.jpg", "responsive lightbox"),
        ("https://img.example.org/view?id=867&res=10x16", 'image URL containing escaped ampersand ("&amp;")'),
    ]
    assert (read(path)[1]["records"], read(path)[1]["pages"]) == (10, 9)
