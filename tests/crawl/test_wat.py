"""WAT records: what is taken from them, and how little is lost when one is malformed."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.crawl.links import ImageLink
from curation.crawl.wat import page_of_wat
from tests.crawl.archives import envelope, image, numbered, read_bytes, texts_of, wat, wat_of_json


def images_of(links: Any, **parts: Any) -> tuple[list[ImageLink], Counter[str]]:
    faults: Counter[str] = Counter()
    page = page_of_wat(json.dumps(envelope(links, **parts)).encode(), "http://h.example/", faults)
    assert page is not None
    return page.images, faults


def values(images: list[ImageLink]) -> list[tuple[str | None, ...]]:
    return [(image.url, image.alt, image.title) for image in images]


def test_only_image_sources_are_taken_with_their_texts() -> None:
    links = [
        {"path": "A@/href", "url": "/a", "title": "no", "text": "no"},
        {"path": "IMG@/src", "url": "/1.jpg", "alt": "one", "title": "two"},
        {"path": "IMG@/longdesc", "url": "/no", "alt": "no"},
        {"title": "three", "url": "/2.jpg", "path": "IMG@/src"},
        {"alt": "", "path": "IMG@/src"},
        {"path": "IMG@/src", "url": "/3.jpg"},
    ]
    images, faults = images_of(links)
    assert values(images) == [
        ("/1.jpg", "one", "two"),
        ("/2.jpg", None, "three"),
        (None, "", None),
        ("/3.jpg", None, None),
    ]
    assert faults == {}


def test_base_and_headers_of_any_shape() -> None:
    headers = {"Set-Cookie": ["a", "b"], "X": None, "Y": 3, "Content-Type": {"z": []}}
    body = json.dumps(envelope([image("x.jpg", alt="t")], head={"Base": "/b&amp;c/"}, headers=headers))
    page = page_of_wat(body.encode(), "http://h.example/", Counter())
    assert page is not None
    assert page.base == "/b&c/"


@pytest.mark.parametrize("order", [1, -1])
def test_key_order_does_not_matter(order: int) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(item) for key, item in list(value.items())[::order]}
        return [turned(item) for item in value] if isinstance(value, list) else value

    body = json.dumps(turned(envelope([image(alt="a", title="b")], head={"Base": "/c"}))).encode()
    page = page_of_wat(body, None, Counter())
    assert page is not None
    assert (page.base, values(page.images)) == ("/c", [("http://img.example/a.jpg", "a", "b")])


@pytest.mark.parametrize(
    "bad",
    [
        image(alt=["a", "b"]),
        image(alt=3),
        image(title={"a": 1}),
        image(url=7, alt="x"),
        image(url=["/a.jpg"], alt="x"),
        {"path": ["IMG@/src"], "url": "/a.jpg", "alt": "x"},
        "IMG@/src",
        None,
        [],
    ],
)
def test_a_malformed_link_loses_only_itself(bad: Any) -> None:
    images, faults = images_of([image(alt="before"), bad, image(alt="after")])
    assert [link.alt for link in images] == ["before", "after"]
    assert faults == {"malformed_link": 1}


def test_other_links_may_be_as_malformed_as_they_like() -> None:
    images, faults = images_of([{"path": "A@/href", "url": 5, "title": []}, image(alt="kept")])
    assert [link.alt for link in images] == ["kept"]
    assert faults == {}


def test_null_is_no_value() -> None:
    images, faults = images_of([image(alt=None, title="kept"), image(alt=["x"])])
    assert values(images) == [("http://img.example/a.jpg", None, "kept")]
    assert faults == {"malformed_link": 1}


def test_a_malformed_base_loses_only_itself() -> None:
    images, faults = images_of([image(alt="kept")], head={"Base": ["/x"]})
    assert [link.alt for link in images] == ["kept"]
    assert faults == {"malformed_link": 1}


@pytest.mark.parametrize("links", [None, {}, "x", 3])
def test_links_that_are_no_list_are_no_links(links: Any) -> None:
    assert images_of(links)[0] == []


@pytest.mark.parametrize(
    "value",
    [{}, {"Envelope": None}, {"Envelope": {"Payload-Metadata": {"HTTP-Response-Metadata": []}}}, [], 3],
)
def test_json_that_describes_no_page(value: Any) -> None:
    faults: Counter[str] = Counter()
    body = json.dumps(["HTTP-Response-Metadata", {"HTTP-Response-Metadata": 1}, value]).encode()
    assert page_of_wat(body, None, faults) is None
    assert page_of_wat(json.dumps(value).encode(), None, faults) is None
    assert faults == {}


def test_a_response_that_is_no_html_is_no_page() -> None:
    body = b'{"Envelope":{"Payload-Metadata":{"HTTP-Response-Metadata":{"Headers":{}}}}}'
    assert page_of_wat(body, None, Counter()) is None


def test_json_that_breaks_off_loses_only_its_record(tmp_path) -> None:
    good = numbered(2)
    body = json.dumps(envelope([image(alt="lost")])).encode()
    for end in (80, len(body) // 2, len(body) - 1):
        pairs, ledger = read_bytes(tmp_path, b"".join([good[0], wat_of_json(body[:end]), good[1]]))
        assert texts_of(pairs) == ["alt 0", "title 0", "alt 1", "title 1"]
        assert ledger["faults"] == {"malformed_json": 1}


def test_json_too_deep_to_read_loses_only_its_record(tmp_path) -> None:
    body = b'{"HTTP-Response-Metadata":1,"Envelope":' + b"[" * 100_000
    pairs, ledger = read_bytes(tmp_path, b"".join([wat_of_json(body), *numbered(1)]))
    assert texts_of(pairs) == ["alt 0", "title 0"]
    assert ledger["faults"] == {"malformed_json": 1}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb"half \ud83d of it", "half � of it"),
        (rb"\udc00\ud83d", "��"),
        (rb"whole \ud83d\ude00", "whole 😀"),
        (b"not \xff utf-8", "not � utf-8"),
        (b"a\ttab", "a\ttab"),
    ],
)
def test_strings_that_are_no_unicode_are_mended(tmp_path, raw: bytes, text: str) -> None:
    body = json.dumps(envelope([image(alt="HERE"), image(alt="next")])).encode().replace(b"HERE", raw)
    pairs, ledger = read_bytes(tmp_path, wat_of_json(body))
    assert texts_of(pairs) == [text, "next"]
    assert ledger["faults"] == {}


def test_a_surrogate_anywhere_else_costs_nothing(tmp_path) -> None:
    head = {"Title": "HERE", "Base": "/base/"}
    links = [{"path": "A@/href", "text": "HERE"}, image("x.jpg", alt="kept"), image("HERE.jpg", alt="a")]
    body = json.dumps(envelope(links, head=head)).encode().replace(b"HERE", rb"\ud800")
    pairs, _ = read_bytes(tmp_path, wat_of_json(body))
    assert [pair["url"] for pair in pairs] == [
        "http://site.example/base/x.jpg",
        "http://site.example/base/�.jpg",
    ]


def test_entities_are_decoded_once_in_texts_and_urls(tmp_path) -> None:
    link = image(
        "http://h.example/?a=1&amp;copy=2&copy=3&amp;amp;b", alt="&quot;Tom &amp;amp; Jerry&#39;s&quot;"
    )
    pairs, _ = read_bytes(tmp_path, wat([link]))
    assert pairs[0]["url"] == "http://h.example/?a=1&copy=2&copy=3&amp;b"
    assert pairs[0]["text"] == '"Tom &amp; Jerry\'s"'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["path", "url", "alt", "title", "Base", "Head", "Links", "HTML-Metadata", "x"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(links=st.lists(JSON, max_size=4), head=JSON, html=JSON, bad=st.booleans())
def test_no_json_makes_it_fail_or_lose_the_good_link(
    links: list[Any], head: Any, html: Any, bad: bool
) -> None:
    document = envelope([*links, image(alt="good")], head=head)
    if bad:
        document["Envelope"]["Payload-Metadata"]["HTTP-Response-Metadata"]["HTML-Metadata"] = html
    page = page_of_wat(json.dumps(document).encode(), None, Counter())
    if not bad:
        assert page is not None
        assert values(page.images)[-1] == ("http://img.example/a.jpg", "good", None)
    for item in page.images if page else []:
        for value in (item.url, item.alt, item.title):
            assert value is None or value.encode() is not None


def test_a_kind_of_link_that_is_not_known_costs_nothing() -> None:
    links = [{"path": "NEW@/thing", "url": 3}, image(alt="kept"), {"path": "A@/href", "url": {}}]
    images, faults = images_of(links)
    assert values(images) == [("http://img.example/a.jpg", "kept", None)]
    assert faults == {}


METAS = [{"name": "Robots", "content": "noai"}, {"http-equiv": "x", "content": "y"}, {"name": "a"}]
FIELDS = {"X-Robots-Tag": ["noindex", "otherbot: noai"], "Server": "x"}


@pytest.mark.parametrize("metas", [METAS, [*METAS, 3, {"name": 4, "content": "noai"}]])
def test_what_a_page_says_on_its_use(metas: Any) -> None:
    """Whether the record is as it should be, or has to be read leniently."""
    body = json.dumps(envelope([image(alt="a")], head={"Metas": metas}, headers=FIELDS)).encode()
    page = page_of_wat(body, None, Counter())
    assert page is not None
    assert page.metas == (("Robots", "noai"),)
    assert [pair for pair in page.headers if pair[0] == "X-Robots-Tag"] == [
        ("X-Robots-Tag", "noindex"),
        ("X-Robots-Tag", "otherbot: noai"),
    ]
