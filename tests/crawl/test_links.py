"""Image links become the URLs that a browser would ask for, or a reason."""

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.crawl.links import URL_CHARACTERS, Base

PAGE = "https://h.example/a/b/page.html?q=/x/y#top"


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("http://o.example/x.jpg", "http://o.example/x.jpg"),
        ("HTTP://o.example/x.jpg", "http://o.example/x.jpg"),
        ("//o.example/x.jpg", "https://o.example/x.jpg"),
        ("/x.jpg", "https://h.example/x.jpg"),
        ("x.jpg", "https://h.example/a/b/x.jpg"),
        ("./x.jpg", "https://h.example/a/b/x.jpg"),
        ("../x.jpg", "https://h.example/a/x.jpg"),
        ("../../../../x.jpg", "https://h.example/x.jpg"),
        ("/c/../x.jpg", "https://h.example/x.jpg"),
        ("?id=3", "https://h.example/a/b/page.html?id=3"),
        ("x.jpg?at=12:30&up=../..", "https://h.example/a/b/x.jpg?at=12:30&up=../.."),
        ("c/12:30.jpg", "https://h.example/a/b/c/12:30.jpg"),
        ("x.jpg#part", "https://h.example/a/b/x.jpg"),
        ("http://o.example/x#part#more", "http://o.example/x"),
        ("  \r\n x.jpg\t ", "https://h.example/a/b/x.jpg"),
        ("http://o.exam\nple/\tx.jpg", "http://o.example/x.jpg"),
        ("a b.jpg", "https://h.example/a/b/a b.jpg"),
        ("猫.jpg", "https://h.example/a/b/猫.jpg"),
        (r"\img\x.jpg?c=\d", r"https://h.example/img/x.jpg?c=\d"),
        ("http://user:word@o.example:8080/x", "http://user:word@o.example:8080/x"),
        ("http://[2001:db8::1]/x", "http://[2001:db8::1]/x"),
        ("http://o.example", "http://o.example"),
        ("http://o.example?x", "http://o.example?x"),
        ("...", "https://h.example/a/b/..."),
    ],
)
def test_resolved(link: str, url: str) -> None:
    assert Base(PAGE, None).resolve(link) == (url, None)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (None, "no_url"),
        ("", "no_url"),
        (" \n", "no_url"),
        ("#top", "no_url"),
        ("data:image/png;base64,AAAA", "data_uri"),
        (" DATA:image/gif,x", "data_uri"),
        ("da\nta:image/gif,x", "data_uri"),
        ("javascript:void(0)", "not_http"),
        ("file:///etc/passwd", "not_http"),
        ("ftp://h.example/x", "not_http"),
        (r"C:\images\x.jpg", "not_http"),
        ("http://", "bad_url"),
        ("http:///x.jpg", "bad_url"),
        ("//", "bad_url"),
        ("http://ho st/x", "bad_url"),
        ("http://h.example:port/x", "bad_url"),
        ("http://[bad/x", "bad_url"),
        ("//[bad/x", "bad_url"),
        ("x" * URL_CHARACTERS, "url_too_long"),
    ],
)
def test_dropped(link: str | None, reason: str) -> None:
    assert Base(PAGE, None).resolve(link) == (None, reason)


@pytest.mark.parametrize(
    ("page", "href", "url"),
    [
        (PAGE, "/base/", "https://h.example/base/x.jpg"),
        (PAGE, "sub/file", "https://h.example/a/b/sub/x.jpg"),
        (PAGE, "//cdn.example", "https://cdn.example/x.jpg"),
        (PAGE, " http://cdn.example/d/\n", "http://cdn.example/d/x.jpg"),
        (PAGE, "", "https://h.example/a/b/x.jpg"),
        (PAGE, "data:text/html,x", "https://h.example/a/b/x.jpg"),
        (PAGE, "http://[bad/", "https://h.example/a/b/x.jpg"),
        (None, "http://cdn.example/d/", "http://cdn.example/d/x.jpg"),
        ("http://h.example", None, "http://h.example/x.jpg"),
        ("http://h.example?q", None, "http://h.example/x.jpg"),
        ("http://h.example/a/../b/", None, "http://h.example/b/x.jpg"),
    ],
)
def test_base(page: str | None, href: str | None, url: str) -> None:
    assert Base(page, href).resolve("x.jpg") == (url, None)


@pytest.mark.parametrize("page", [None, "", "no url", "http://[bad/", "file:///x/"])
def test_a_page_without_a_url_resolves_what_is_absolute(page: str | None) -> None:
    base = Base(page, None)
    assert base.resolve("http://h.example/x") == ("http://h.example/x", None)
    for link in ("x.jpg", "/x.jpg", "?x", "//h.example/x.jpg"):
        assert base.resolve(link) == (None, "bad_url")


@given(
    page=st.text(alphabet="ab/.?", max_size=12),
    link=st.text(alphabet="ab/.?:", min_size=1, max_size=12),
)
def test_the_short_ways_agree_with_urljoin(page: str, link: str) -> None:
    page_url = f"http://h.example/{page}"
    url, _ = Base(page_url, None).resolve(link)
    # urljoin drops a `?` that nothing follows, and takes `//` at the start of a path for a host.
    if url is not None and "?" not in link and "//" not in f"/{page}{link}":
        assert url == urljoin(page_url, link)


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("HTTP://CDN.Example/A.jpg", "http://cdn.example/A.jpg"),
        ("//CDN.Example:443/A.jpg", "https://cdn.example/A.jpg"),
        ("http://cdn.example:80/a", "http://cdn.example/a"),
        ("http://cdn.example:443/a", "http://cdn.example:443/a"),
        ("https://cdn.example:/a?b", "https://cdn.example/a?b"),
        ("https://User@CDN.example/a", "https://User@cdn.example/a"),
        ("/a", "https://h.example/a"),
    ],
)
def test_spellings_of_one_host_are_one_url(link: str, url: str) -> None:
    assert Base("HTTPS://H.example:443/x/", None).resolve(link) == (url, None)


@given(
    link=st.text(alphabet="aA/.:#@ \\\t?hps", max_size=14)
    | st.from_regex(r"(https?:)?//[aB.]{1,4}(:(80|443|1)?)?[/?#][ab. /]{0,5}", fullmatch=True)
)
def test_links_that_look_plain_come_out_as_by_the_long_way(link: str) -> None:
    """What the quick patterns take must be what all the rules would make of it."""
    base = Base("https://h.example/a/b?c", None)
    url, reason = base._resolve(link)
    assert base.resolve(link) == ((url, None) if url is not None else (None, reason))


@given(
    page=st.from_regex(r"https?://[aB.]{1,4}(:(80|443|1)?)?(/[ab./]{0,6})?(\?[a/.]{0,3})?", fullmatch=True)
)
def test_pages_that_look_plain_are_bases_as_by_the_long_way(page: str) -> None:
    assert Base(page, None).resolve("x") == Base(page, page).resolve("x")
