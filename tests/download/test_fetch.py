"""A fetch ends with the right word within its time, whatever the server does, and the others never notice."""

import asyncio
import gc
import gzip
import itertools
import logging
import time
import tracemalloc
from collections.abc import Coroutine, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation import __version__
from curation.download import connections, fetch, names
from curation.download.errors import FETCH_ERRORS, FetchError, described, status_error
from curation.download.fetch import Fetched, Fetcher, FetchOptions
from curation.download.urls import host_of, request_url
from tests.download.hostile import ERRORS, GOOD, PICTURE, PRIVATE_HOSTS, Hostile, answer, no_names

SECONDS = 4.0
SLACK = 4.0  # a machine may be busy
T = TypeVar("T")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    with Hostile(folder=tmp_path_factory.mktemp("tls")) as web:
        yield web


@pytest.fixture(autouse=True)
def nobody_asked() -> Iterator[None]:
    with no_names():
        yield


@pytest.fixture(autouse=True)
def nobody_private(web: Hostile) -> Iterator[None]:
    web.requests.clear()
    web.heads.clear()
    web.private.clear()
    yield
    assert web.private == []
    assert web.requests["/secret"] == 0


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Libraries keep what they think of servers to themselves."""
    with caplog.at_level(logging.INFO):
        yield
        gc.collect(1)  # what was never retrieved says so when it is collected
    assert [record.getMessage() for record in caplog.records] == []
    assert capfd.readouterr().err == ""


def options(**told: Any) -> FetchOptions:
    return FetchOptions(
        **{"timeout_seconds": SECONDS, "max_bytes": 5_000_000, "allow_hosts": ("127.0.0.1",), **told}
    )


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def attempt(fetcher: Fetcher, url: str) -> Fetched | FetchError:
    try:
        return await fetcher.fetch(url)
    except FetchError as error:
        return error


def get(*urls: str, look_up: Any = None, **told: Any) -> list[Fetched | FetchError]:
    """What becomes of URLs, one after the other."""

    async def work() -> list[Fetched | FetchError]:
        async with Fetcher(options(**told), look_up=look_up) as fetcher:
            return [await attempt(fetcher, url) for url in urls]

    return run(work())


def word(result: Fetched | FetchError) -> str:
    return result.error if isinstance(result, FetchError) else "good" if result.data == PICTURE else "other"


def look_up_as(**known: list[str]) -> Any:
    """A look-up of `NAME.example` that asks nobody."""

    def look_up(host: str, port: None, **told: Any) -> list[tuple[Any, ...]]:
        return [(0, 0, 0, "", (address, 0)) for address in known[host.split(".")[0]]]

    return look_up


def test_every_url_ends_with_its_word_in_time_and_the_others_are_unharmed(web: Hostile) -> None:
    async def timed(fetcher: Fetcher, url: str) -> tuple[Fetched | FetchError, float]:
        began = time.monotonic()
        return await attempt(fetcher, url), time.monotonic() - began

    async def work() -> list[tuple[Fetched | FetchError, float]]:
        async with Fetcher(options()) as fetcher:
            return await asyncio.gather(*[timed(fetcher, web.url(path)) for path in paths])

    paths = [*ERRORS, *GOOD * 5]
    results = run(work())
    expected = {path: ERRORS.get(path, "good") for path in paths}
    assert {path: word(result) for path, (result, _) in zip(paths, results, strict=True)} == expected
    assert set(ERRORS.values()) <= set(FETCH_ERRORS)
    assert max(seconds for _, seconds in results) < SECONDS + SLACK
    for path, (result, _) in zip(paths, results, strict=True):
        if isinstance(result, FetchError):
            assert (result.retry_after is not None) == (path == "/503-later")
            assert str(web.port) not in (result.message or "")


def test_messages_are_the_same_each_time(web: Hostile) -> None:
    paths = ["/404", "/hang-up", "/reset", "/br", "/noai", "/to-private?0", "/garbage"]
    first, second = ([str(result) for result in get(*[web.url(path) for path in paths])] for _ in range(2))
    assert first == second
    assert first[:2] == ["not_found: HTTP 404", "connection_failed: no answer"]


def test_a_body_that_goes_on_behind_its_end(web: Hostile) -> None:
    # What comes at once with it spoils the answer for aiohttp; what comes later only costs the connection.
    assert {word(result) for result in get(web.url("/long"), web.url("/long"))} <= {"good", "bad_response"}
    # Chunks that break off into nonsense in a later packet are not told by aiohttp: the deadline ends them.
    assert word(*get(web.url("/chunked-broken-later"), timeout_seconds=0.5)) in ("timeout", "bad_response")


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_private_addresses_in_all_their_forms(web: Hostile, host: str) -> None:
    (result,) = get(f"http://{host}:{web.port}/secret")
    assert word(result) == "refused_address"
    assert not FETCH_ERRORS["refused_address"].later


def test_the_recorder_would_tell(web: Hostile) -> None:
    urls = [f"http://{host}:{web.port}/secret" for host in ("127.0.0.2", "2130706434", "[::1]")]
    assert [word(result) for result in get(*urls, allow_hosts=("127.0.0.0/8", "::1"))] == ["good"] * 3
    assert len(web.private) == 3
    web.private.clear()


def test_names_that_lead_to_private_addresses(web: Hostile) -> None:
    look_up = look_up_as(
        inside=["127.0.0.2"], both=["127.0.0.2", "::1", "127.0.0.1"], all=["::1", "127.0.0.2"]
    )
    urls = [f"http://{name}.example:{web.port}/good.jpg" for name in ("inside", "both", "all")]
    assert [word(result) for result in get(*urls, look_up=look_up)] == [
        "refused_address",
        "good",
        "refused_address",
    ]


def test_why_the_public_addresses_of_a_name_failed_is_told(web: Hostile) -> None:
    port = web.closed_origin.rpartition(":")[2]
    for addresses in (["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]):
        (result,) = get(f"http://both.example:{port}/", look_up=look_up_as(both=addresses))
        assert str(result) == "connection_failed: ECONNREFUSED"


def test_a_name_that_changes_its_address_is_judged_each_time(
    web: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "KNOWN_SECONDS", -1.0)
    asked = []

    def flip(host: str, port: None, **told: Any) -> list[Any]:
        asked.append(host)
        return [(0, 0, 0, "", (f"127.0.0.{2 - len(asked) % 2}", 0))]

    results = get(*[f"http://flip.example:{web.port}/until-close"] * 6, look_up=flip)
    assert [word(result) for result in results] == ["good", "refused_address"] * 3
    assert len(asked) == 6  # once a connection: what is judged is what is connected to


def test_names_that_are_allowed_may_lead_anywhere_and_nobody_else(web: Hostile) -> None:
    look_up = look_up_as(open=["127.0.0.2"], sub=["127.0.0.2"])
    good, refused = get(
        f"http://Open.example.:{web.port}/secret",
        f"http://sub.open.example:{web.port}/secret",
        look_up=look_up,
        allow_hosts=("OPEN.example",),
    )
    assert [word(good), word(refused)] == ["good", "refused_address"]
    assert len(web.private) == 1
    web.private.clear()
    both = look_up_as(open=["127.0.0.2", "127.0.0.1"])
    get(f"http://open.example:{web.port}/good.jpg", look_up=both, allow_hosts=("open.example", "127.0.0.1"))
    assert web.requests["/good.jpg"] == 0
    assert len(web.private) == 1
    web.private.clear()
    (result,) = get(  # what it redirects to is judged for itself
        f"http://open.example:{web.port}/to-private?0",
        look_up=look_up_as(open=["127.0.0.1"]),
        allow_hosts=("open.example",),
    )
    assert word(result) == "refused_address"
    with pytest.raises(ValueError, match="no host name"):
        Fetcher(options(allow_hosts=("http://a",)))


def test_names_beyond_ascii(web: Hostile) -> None:
    asked = []

    def look_up(host: str, port: None, **told: Any) -> list[Any]:
        asked.append(host)
        return [(0, 0, 0, "", ("127.0.0.1", 0))]

    (result,) = get(f"http://B\u00dccher.example:{web.port}/bytes?\u00e4 b", look_up=look_up)
    assert word(result) == "good"
    assert asked == ["xn--bcher-kva.example"]
    assert f"Host: xn--bcher-kva.example:{web.port}\r\n" in web.heads[0]


def test_certificates_are_verified(web: Hostile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = f"{web.tls_origin}/good.jpg"
    (untrusted,) = get(url)
    assert str(untrusted) == "tls_error: self-signed certificate"
    (plain,) = get(web.silent_origin.replace("http:", "https:"), timeout_seconds=0.5)
    assert word(plain) == "timeout"
    certificate = tmp_path.parent / "tls0" / "certificate.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    connections.tls_context.cache_clear()
    try:
        other = f"https://other.example:{web.tls_origin.rpartition(':')[2]}/"
        results = get(url, url, web.tls_origin + "/short", other, look_up=look_up_as(other=["127.0.0.1"]))
    finally:
        connections.tls_context.cache_clear()
    assert [word(result) for result in results] == ["good", "good", "incomplete", "tls_error"]
    assert "mismatch" in str(results[3])


def test_who_asks_and_what_for(web: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.silent_origin)
    web.more["/cookie"] = answer(302, {"Location": "/good.jpg", "Set-Cookie": "a=b"}, b"")
    url = f"http://user:secret@a.example:{web.port}/cookie#part"
    contact = "https://example.org/bot"
    assert word(*get(url, look_up=look_up_as(a=["127.0.0.1"]), contact=contact)) == "good"
    assert [head.split("\r\n") for head in web.heads] == [
        [
            f"GET {path} HTTP/1.1",
            f"Host: a.example:{web.port}",
            f"User-Agent: curation/{__version__} (image data set; +https://example.org/bot)",
            "Accept: image/*",
            "Accept-Encoding: identity",
            *("", ""),
        ]
        for path in ("/cookie", "/good.jpg")
    ]
    get(web.url("/good.jpg"))
    assert f"User-Agent: curation/{__version__} (image data set)\r\n" in web.heads[-1]


def test_connections_are_used_again_unless_the_answer_has_no_end(web: Hostile) -> None:
    before = web.connections
    paths = ["/good.jpg", "/404", "/chunked", "/noai", "/429", "/gzip", "/hop?3", "/304", "/403", "/good.jpg"]
    get(*[web.url(path) for path in paths])
    assert web.connections == before + 1
    get(*[web.url(path) for path in ("/404-endless", "/good.jpg", "/huge-declared", "/good.jpg")])
    assert web.connections == before + 4


def test_answers_that_nobody_wants_are_read_if_they_are_short(
    web: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "REST_SECONDS", 60.0)
    before = web.connections
    paths = ["/404-in-two", "/to-good-in-two", "/good.jpg"]
    assert [word(result) for result in get(*[web.url(path) for path in paths])] == [
        "not_found",
        "good",
        "good",
    ]
    assert web.connections == before + 1
    # Neither more of them, nor beyond the time of the URL.
    began = time.monotonic()
    (endless,) = get(web.url("/404-endless"), timeout_seconds=60)
    (silent,) = get(web.url("/404-silent"), timeout_seconds=1)
    assert [word(endless), word(silent)] == ["not_found", "not_found"]
    assert time.monotonic() - began < 1 + SLACK


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_idle_connections_do_not_pile_up(web: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_IDLE", 5)
    urls = [f"http://host{number}.example:{web.port}/good.jpg" for number in range(60)]
    look_up = look_up_as(**{f"host{number}": ["127.0.0.1"] for number in range(60)})

    async def work() -> None:
        async with Fetcher(options(), look_up=look_up) as fetcher:
            before, connected = open_files(), web.connections
            for url in urls:
                await fetcher.fetch(url)
            await asyncio.sleep(0.2)  # the server closes its side
            assert open_files() <= before + 2 * 5 + 4
            assert web.connections == connected + 60
            await fetcher.fetch(urls[-1])
            await fetcher.fetch(urls[-5])
            assert web.connections == connected + 60
            assert word(await attempt(fetcher, urls[0])) == "good"
            assert web.connections == connected + 61

    run(work())


async def settled() -> None:
    """Connections that are hung up on take some turns of the loop to go."""
    deadline = time.monotonic() + 5
    while len(asyncio.all_tasks()) > 1 and time.monotonic() < deadline:
        await asyncio.sleep(0.01)


def test_many_files_leave_nothing_behind(web: Hostile) -> None:
    async def work() -> None:
        paths: Iterator[str] = itertools.cycle(["/good.jpg", "/404", "/gzip", "/short", "/hop?1"])

        async def get_some() -> None:
            for path in itertools.islice(paths, 60):
                await attempt(fetcher, web.url(path))

        async with Fetcher(options()) as fetcher:
            marks = []
            for _ in range(2):
                await asyncio.gather(*[get_some() for _ in range(16)])
                web.heads.clear()
                await settled()
                gc.collect()
                marks.append((tracemalloc.get_traced_memory()[0], open_files(), len(asyncio.all_tasks())))
            (memory, files, tasks), (memory_after, files_after, tasks_after) = marks
            assert memory_after < memory + 100_000  # about a hundred bytes a file
            assert files_after <= files + 40
            assert tasks_after == tasks == 1
        assert len(asyncio.all_tasks()) == 1

    gc.collect()  # of other tests: a session of s3fs is closed by a task in whatever loop collects it
    before = open_files()
    tracemalloc.start()
    try:
        run(work())
    finally:
        tracemalloc.stop()
    gc.collect()
    time.sleep(0.2)
    assert open_files() <= before + 8


def test_the_size_counts_as_sent_and_as_decoded(web: Hostile) -> None:
    size = len(PICTURE)
    web.more["/small-gzip"] = answer(200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(10_000)))
    for path in ("/good.jpg", "/chunked", "/deflate", "/until-close"):
        assert word(*get(web.url(path), max_bytes=size)) == "good"
        assert word(*get(web.url(path), max_bytes=size - 1)) == "too_large"
    assert word(*get(web.url("/small-gzip"), max_bytes=9_999)) == "too_large"
    assert word(*get(web.url("/small-gzip"), max_bytes=10_000)) == "other"


def test_a_bomb_is_not_inflated(web: Hostile) -> None:
    tracemalloc.start()
    try:
        assert [word(result) for result in get(web.url("/gzip-bomb"), max_bytes=1_000_000)] == ["too_large"]
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_opt_outs_are_recorded_where_they_are_not_respected(web: Hostile) -> None:
    results = get(*[web.url(path) for path in ("/noai", "/noai-hop", "/tdm", "/good.jpg")], opt_outs="record")
    assert results == [
        Fetched(PICTURE, ("noai",)),
        Fetched(PICTURE, ("noai",)),
        Fetched(PICTURE, ("tdm-reservation",)),
        Fetched(PICTURE, ()),
    ]
    (refused,) = get(web.url("/noai-later"))
    assert str(refused) == "opted_out: noimageai"


def test_servers_say_when_to_come_back(web: Hostile) -> None:
    for path in ("/busy?seconds", "/busy?date", "/busy?503"):
        busy, good = get(web.url(path), web.url(path))
        assert isinstance(busy, FetchError)
        assert busy.error == "too_many_requests"
        assert 0 < (busy.retry_after or 0) <= 2
        assert word(good) == "good"


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("0", 0, 0),
        (" 120 ", 120, 120),
        ("9" * 500, 86_400, 86_400),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0, 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400, 86_400),
    ],
)
def test_retry_after(value: str, least: float, most: float) -> None:
    assert least <= (status_error(429, value).retry_after or 0) <= most
    assert status_error(503, value).error == "too_many_requests"
    assert status_error(500, value).retry_after is None


def test_retry_after_a_date() -> None:
    in_an_hour = formatdate(time.time() + 3600, usegmt=True)
    assert 3500 <= (status_error(429, in_an_hour).retry_after or 0) <= 3600


@pytest.mark.parametrize("value", [None, "", "soon", "-3", "1.5", "\u0663", "Fri, 31 Dec 99999 23:59:59 GMT"])
def test_retry_after_that_makes_no_sense(value: str | None) -> None:
    assert status_error(429, value).retry_after is None
    assert status_error(503, value).error == "server_error"
    assert status_error(429, value).error == "too_many_requests"


@given(st.integers(100, 999))
def test_every_status_has_a_word(status: int) -> None:
    error = status_error(status, None)
    assert error.error in FETCH_ERRORS
    assert error.message == f"HTTP {status}"


@given(st.text())
def test_messages_are_short_and_printable(text: str) -> None:
    message = FetchError("bad_response", text).message or ""
    assert len(message) <= 200
    assert message.isascii()
    assert message.isprintable()


def test_nobody_listens(web: Hostile) -> None:
    (result,) = get(web.closed_origin)
    assert str(result) == "connection_failed: ECONNREFUSED"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(113, "x"), "connection_failed: EHOSTUNREACH"),
        (OSError(110, "x"), "timeout"),
        (TimeoutError(), "timeout"),
        (aiohttp.ClientPayloadError("x"), "incomplete"),
        (aiohttp.ClientConnectionError("x"), "connection_failed: no answer"),
        (aiohttp.InvalidURL("x"), "bad_url"),
        (ValueError("127.0.0.1"), "bad_response: ValueError"),
        (FetchError("too_large"), "too_large"),
    ],
)
def test_what_libraries_raise(error: Exception, expected: str) -> None:
    assert str(described(error)) == expected


def test_nothing_but_a_fetch_error_comes_out(web: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> object:
        raise KeyError("x")

    monkeypatch.setattr(fetch, "opt_outs", broken)
    assert str(*get(web.url("/good.jpg"))) == "bad_response: KeyError"


def test_a_caller_may_give_up(web: Hostile) -> None:
    async def work() -> None:
        async with Fetcher(options()) as fetcher:
            task = asyncio.create_task(fetcher.fetch(web.url("/silent")))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert word(await attempt(fetcher, web.url("/good.jpg"))) == "good"

    run(work())


def test_closing_ends_what_is_under_way(web: Hostile) -> None:
    async def work() -> list[Any]:
        async with Fetcher(options(timeout_seconds=60)) as fetcher:
            urls = [web.url("/silent"), web.url("/drip"), web.silent_origin.replace("http:", "https:")]
            tasks = [asyncio.create_task(attempt(fetcher, url)) for url in urls]
            await asyncio.sleep(0.3)
            for task in tasks:
                task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(result) for result in run(work())] == [asyncio.CancelledError] * 3


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a.example", "http://a.example/"),
        (" HTTPS://User:pw@A.Example:443/B?c#d ", "https://a.example/B?c"),
        ("http://a.example:8080?q=1", "http://a.example:8080/?q=1"),
        ("http:\\\\a.example\\b\\c", "http://a.example/b/c"),
        ("https:a.example/b", "https://a.example/b"),
        ("http://a.example/b/../c/./d", "http://a.example/c/d"),
        ("http://a.example/\u00e4 \u4e2d?\u00fc=%C3 %", "http://a.example/%C3%A4%20%E4%B8%AD?%C3%BC=%C3%20%"),
        ("http://a.example/%2F%zz", "http://a.example/%2F%zz"),
        ("http://a.example/\udce4", "http://a.example/%E4"),
        ("ht\ntp://a.exa\tmple/b", "http://a.example/b"),
        ("http://m\u00fcnchen.example/", "http://xn--mnchen-3ya.example/"),
        ("http://fa\u00df.example/", "http://xn--fa-hia.example/"),
        ("http://\uff41.example/", "http://a.example/"),
        ("http://%61.example/", "http://a.example/"),
        ("http://a_b.example./", "http://a_b.example./"),
        ("http://2130706434/", "http://127.0.0.2/"),
        ("http://0x7f.2/", "http://127.0.0.2/"),
        ("http://0177.0.0.2./", "http://127.0.0.2/"),
        ("http://\uff11\uff12\uff17.0.0.2/", "http://127.0.0.2/"),
        ("http://[0:0:0:0:0:0:0:1]:80/", "http://[::1]/"),
        ("http://[::FFFF:127.0.0.1]:8080/", "http://[::ffff:7f00:1]:8080/"),
    ],
)
def test_urls_are_mended_as_browsers_do(url: str, expected: str) -> None:
    mended = request_url(url)
    assert mended in (expected, expected.replace("[::ffff:7f00:1]", "[::ffff:127.0.0.1]"))
    assert request_url(mended) == mended
    assert host_of(url) == host_of(mended) != ""


@pytest.mark.parametrize(
    "url",
    [
        *("", "a", "//a.example/b", "/b", "http://", "http:///", "http://:80/", "http://a b/", "http://a<b/"),
        *("http://a..example/", "http://.a/", f"http://{'a' * 64}.example/", f"http://{'a.' * 200}example/"),
        *(
            "http://a.example:0/",
            "http://a.example:65536/",
            "http://a.example:x/",
            f"http://a.example:{'9' * 9}/",
        ),
        *(
            "http://1.2.3.4.5/",
            "http://256.0.0.1/",
            "http://a.1/",
            "http://[::1/",
            "http://::1/",
        ),
        *("http://[fe80::1%25eth0]/", "http://[v1.a]/", "http://[a]/", "http://%ff/", "http://a%2fb/"),
        *("http://a.example/" + "b" * 8190, "http://a.example/\ud800", "http://a\u200bb\u2028/"),
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(FetchError, match="bad_url"):
        request_url(url)
    assert str(*get(url)).startswith("bad_url")
    assert host_of(url) == ""


@pytest.mark.parametrize(
    "url", ["ftp://a/", "file:///etc/passwd", "data:,a", "javascript:0", "about:blank", "a:b"]
)
def test_what_is_not_of_the_web(url: str) -> None:
    assert str(*get(url)) == "not_http"
    assert host_of(url) == ""


@pytest.mark.parametrize(
    ("path", "mended"),
    [
        ("/a/./b/../c", "/a/c"),
        ("/a/..", "/"),
        ("/../../a", "/a"),
        ("/a/b/.", "/a/b/"),
        ("//.", "//"),
        ("//..", "/"),
        ("//.[", "//.%5B"),
        ("/.a/..b/...", "/.a/..b/..."),
        ("//evil/./a", "//evil/a"),
    ],
)
def test_dots_in_paths(path: str, mended: str) -> None:
    assert (
        request_url(f"http://a.example{path}").removeprefix("http://a.example").replace("[", "%5B") == mended
    )


@example("HTTP:0\\\\.[]")
@example("http:0//..")
@settings(max_examples=1000)
@given(st.text(max_size=60) | st.text("/:@[]%.0x1aA\\?#&\u00e4\u3002-", max_size=30).map("http://".__add__))
def test_any_text_is_a_url_or_is_not(url: str) -> None:
    if host_of(url) == "":
        with pytest.raises(FetchError, match=r"bad_url|not_http"):
            request_url(url)
    else:
        mended = request_url(url)
        assert request_url(mended) == mended
        assert mended.isascii()
        assert host_of(url) == host_of(mended) == host_of(mended).lower() != ""


def test_hosts() -> None:
    assert host_of("HTTP://u:p@A.example.:80/b") == "a.example"
    assert host_of("https://A.example:8443/b") == "a.example:8443"
    assert host_of("https://a.example./") == host_of("http://a.example/")
    assert host_of("http://a.example.:8080/") == "a.example:8080"
