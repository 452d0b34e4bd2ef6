"""robots.txt is asked for once an origin, with all guards, and heard for every URL on the way."""

import asyncio
import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from curation.download import robots
from curation.download.errors import FetchError
from curation.download.fetch import Fetched, Fetcher, FetchOptions
from tests.download.hostile import PICTURE, Hostile, answer, no_names

Start = Callable[..., Hostile]
RULES = b"User-agent: *\nDisallow: /good.jpg\n\nUser-agent: Curation\nDisallow: /private\nDisallow: /*.gif$\n"


@pytest.fixture(autouse=True)
def nobody_asked() -> Iterator[None]:
    with no_names():
        yield


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server with answers of its own."""
    with ExitStack() as stack:

        def starting(robots: bytes = b"", **more: bytes) -> Hostile:
            answers = {"/robots.txt": robots} if robots else {}
            return stack.enter_context(Hostile(answers | {f"/{path}": said for path, said in more.items()}))

        yield starting


def get(*urls: str, at_once: bool = False, **told: Any) -> list[str]:
    async def attempt(fetcher: Fetcher, url: str) -> str:
        try:
            fetched: Fetched = await fetcher.fetch(url)
        except FetchError as error:
            return str(error)
        return "good" if fetched.data == PICTURE else "other"

    async def work() -> list[str]:
        known = {"timeout_seconds": 4.0, "allow_hosts": ("127.0.0.1",), "robots": True} | told
        async with Fetcher(FetchOptions(**known)) as fetcher:
            if at_once:
                return await asyncio.gather(*[attempt(fetcher, url) for url in urls])
            return [await attempt(fetcher, url) for url in urls]

    return asyncio.run(work())


def rules(text: bytes, status: int = 200, **headers: str) -> bytes:
    return answer(status, {"Content-Type": "text/plain"} | headers, text)


def test_our_group_is_heard_and_nothing_forbidden_is_asked_for(start: Start) -> None:
    web = start(rules(RULES))
    urls = [web.url(path) for path in ("/good.jpg", "/private/a", "/a.gif", "/a.gif?b", "/good.jpg")]
    assert get(*urls) == ["good", "robots_txt", "robots_txt", "not_found: HTTP 404", "good"]
    assert web.requests == {"/robots.txt": 1, "/good.jpg": 2, "/a.gif?b": 1}


def test_it_is_not_asked_for_unless_wanted(start: Start) -> None:
    web = start(rules(b"User-agent: *\nDisallow: /\n"))
    assert get(web.url("/good.jpg"), robots=False) == ["good"]
    assert web.requests == {"/good.jpg": 1}
    assert get(web.url("/good.jpg")) == ["robots_txt"]


def test_one_request_serves_all(start: Start) -> None:
    web = start(rules(RULES))
    assert get(*[web.url("/good.jpg")] * 30, at_once=True) == ["good"] * 30
    assert web.requests["/robots.txt"] == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 204])
def test_none_allows_everything(start: Start, status: int) -> None:
    web = start(rules(b"User-agent: *\nDisallow: /\n" if status != 204 else b"", status))
    assert get(web.url("/good.jpg")) == ["good"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (rules(b"", 500), "server_error: robots.txt: HTTP 500"),
        (rules(b"", 503), "server_error: robots.txt: HTTP 503"),
        (rules(b"", 429, **{"Retry-After": "7"}), "too_many_requests: robots.txt: HTTP 429"),
        (b"garbage\r\n\r\n", "bad_response: robots.txt: bad_response"),
        (rules(b"", **{"Content-Encoding": "br"}), "bad_encoding: robots.txt: br"),
    ],
)
def test_trouble_forbids_everything_and_is_told_as_what_it_is(
    start: Start, said: bytes, expected: str
) -> None:
    web = start(said)
    assert get(web.url("/good.jpg"), web.url("/good.jpg")) == [expected] * 2
    assert web.requests == {"/robots.txt": 1}


def test_trouble_is_forgotten_after_a_while(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robots, "FAILED_SECONDS", -1)
    web = start(rules(b"", 503))

    async def work() -> None:
        options = FetchOptions(timeout_seconds=4, allow_hosts=("127.0.0.1",), robots=True)
        async with Fetcher(options) as fetcher:
            with pytest.raises(FetchError, match="503"):
                await fetcher.fetch(web.url("/good.jpg"))
            web.more["/robots.txt"] = rules(RULES)
            assert (await fetcher.fetch(web.url("/good.jpg"))).data == PICTURE

    asyncio.run(work())


def test_hosts_that_are_not_there_keep_their_own_word(start: Start) -> None:
    web = start()
    assert get(web.closed_origin + "/a") == ["connection_failed: robots.txt: ECONNREFUSED"]
    assert get(f"http://127.0.0.2:{web.port}/a") == ["refused_address: robots.txt: refused_address"]
    assert web.private == []


def test_redirects_of_it_are_followed_with_all_guards(start: Start) -> None:
    to = lambda location: answer(302, {"Location": location}, b"")  # noqa: E731 - a word of this test
    web = start(to("/rules"), rules=rules(RULES))
    assert get(web.url("/private"), web.url("/good.jpg")) == ["robots_txt", "good"]
    assert get(start(to("/robots.txt")).url("/good.jpg")) == ["good"]  # RFC 9309: as if there were none
    web = start(to("http://127.0.0.2:{port}/robots.txt"))
    assert get(web.url("/good.jpg")) == ["refused_address: robots.txt: refused_address"]
    assert web.private == []
    assert get(start(to("/endless")).url("/good.jpg")) == ["good"]


def test_every_hop_is_asked_for(start: Start) -> None:
    closed = start(rules(b"User-agent: *\nDisallow: /good.jpg\n"))
    web = start(a=answer(302, {"Location": closed.url("/good.jpg")}, b""))
    assert get(web.url("/a")) == ["robots_txt"]
    assert closed.requests == {"/robots.txt": 1}
    same = start(
        rules(b"User-agent: *\nDisallow: /good.jpg\n"), a=answer(302, {"Location": "/good.jpg"}, b"")
    )
    assert get(same.url("/a")) == ["robots_txt"]


def test_of_a_long_one_what_fits_is_heard(start: Start) -> None:
    head, tail = b"User-agent: *\nDisallow: /private\n", b"\nDisallow: /good.jpg\n"
    filler = b"# " + b"x" * robots.MOST_BYTES
    web = start(rules(head + filler + tail))
    assert get(web.url("/private"), web.url("/good.jpg")) == ["robots_txt", "good"]
    web = start(rules(head + filler[:1000] + tail))
    assert get(web.url("/private"), web.url("/good.jpg")) == ["robots_txt"] * 2


def test_encodings_and_marks(start: Start) -> None:
    assert get(start(rules(gzip.compress(RULES), **{"Content-Encoding": "gzip"})).url("/private")) == [
        "robots_txt"
    ]
    assert get(start(rules(b"\xef\xbb\xbf" + RULES)).url("/private")) == ["robots_txt"]
    assert get(start(rules(b"\xff\xfe\x00" * 1000)).url("/good.jpg")) == ["good"]


def test_waiting_for_it_is_not_charged_on_the_picture(start: Start) -> None:
    web = start()
    assert (
        get(web.silent_origin + "/a", web.silent_origin + "/b", timeout_seconds=0.5)
        == ["timeout: robots.txt: timeout"] * 2
    )

    async def work() -> None:
        async with Fetcher(
            FetchOptions(timeout_seconds=1, allow_hosts=("127.0.0.1",), robots=True)
        ) as fetcher:
            get_now = fetcher._robots._get  # type: ignore[union-attr]

            async def get_late(url: str) -> robots.RobotsAnswer:
                await asyncio.sleep(0.7)
                return await get_now(url)

            fetcher._robots._get = get_late  # type: ignore[union-attr]
            with pytest.raises(FetchError, match="timeout"):
                await fetcher.fetch(web.url("/silent"))
            assert web.requests["/silent"] == 1
            assert (await fetcher.fetch(web.url("/good.jpg"))).data == PICTURE

    asyncio.run(work())


def test_what_is_remembered_is_bounded() -> None:
    async def get_rules(url: str) -> robots.RobotsAnswer:
        asked.append(url)
        return robots.RobotsAnswer(200, None, b"#" * 400_000)

    async def work() -> None:
        heard = robots.Robots(get_rules, 4)
        for number in range(30):
            await heard.check(f"http://{number}.example/a")
        assert heard._kept_bytes <= robots.MOST_KEPT_BYTES
        assert len(heard._known) == robots.MOST_KEPT_BYTES // 401_024
        await heard.check("http://29.example/b")
        assert len(asked) == 30
        await heard.check("http://29.example:8080/b")
        await heard.check("https://29.example/b")
        await heard.check("http://0.example/b")
        assert len(asked) == 33
        await heard.close()

    asked: list[str] = []
    asyncio.run(work())


def test_one_who_gives_up_does_not_take_it_from_the_others() -> None:
    async def get_rules(url: str) -> robots.RobotsAnswer:
        await asyncio.sleep(0.1)
        return robots.RobotsAnswer(200, None, RULES)

    async def work() -> None:
        heard = robots.Robots(get_rules, 4)
        tasks = [asyncio.create_task(heard.check(f"http://a.example/{number}")) for number in range(3)]
        await asyncio.sleep(0.02)
        tasks[0].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError, type(None), type(None)]
        await heard.close()

    asyncio.run(work())
