"""Files of the hostile web: within a time, a size, and the public internet; else a word for why not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, TypeVar

import aiohttp
from yarl import URL

from curation import __version__
from curation.core.opt_outs import opt_outs
from curation.download import robots
from curation.download.addresses import Gate, split_allowed
from curation.download.bodies import Decoder
from curation.download.connections import CONNECT_SECONDS, Connector
from curation.download.errors import FetchError, described, status_error
from curation.download.names import LookUp, Names
from curation.download.urls import redirect_url, request_url

MOST_REDIRECTS = 5
REST_BYTES = 16 * 1024
REST_SECONDS = 0.25
"""An answer that nobody wants is read to its end if it is short and comes at once: for its connection."""

_GOOD = (200, 203)
_REDIRECTS = (301, 302, 303, 307, 308)
_MARGIN_SECONDS = 0.05

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """How to fetch.

    Attributes:
        timeout_seconds: for one attempt: names, connections, TLS, redirects, all of the body.
        max_bytes: of a body, as it is sent and when its encoding is undone.
        contact: URL or mail address in the User-Agent.
        opt_outs: what to do about headers against training: take no for an answer, or only record it.
        allow_hosts: what is open though not public: names, wherever they lead; addresses and networks, for
            every name.
        robots: whether to heed robots.txt.
    """

    timeout_seconds: float = 10.0
    max_bytes: int = 20_000_000
    contact: str | None = None
    opt_outs: Literal["respect", "record"] = "respect"
    allow_hosts: tuple[str, ...] = ()
    robots: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came.

    Attributes:
        data: the body, its encoding undone.
        opt_outs: what the headers say against training; empty where that is respected.
    """

    data: bytes
    opt_outs: tuple[str, ...]


class Fetcher:
    """Fetches within `async with`, for one event loop; how much at a time, and how often, is the caller's.

    Args:
        options: how to fetch.
        look_up: what to look names up with, instead of `socket.getaddrinfo`.

    Raises:
        ValueError: `allow_hosts` has something that is no host.
    """

    def __init__(self, options: FetchOptions, *, look_up: LookUp | None = None) -> None:
        self._options = options
        self._look_up = look_up
        self._open_names, networks = split_allowed(options.allow_hosts)
        self._gate = Gate(networks)

    async def __aenter__(self) -> "Fetcher":
        self._names = Names(self._look_up, self._may_try)
        self._guarded = self._session(self._gate.socket)
        self._unguarded = self._session(None)  # for names in allow_hosts
        self._robots: robots.Robots | None = None
        if self._options.robots:
            self._robots = robots.Robots(self._robots_txt, self._options.timeout_seconds)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._robots:
            await self._robots.close()
        await self._guarded.close()
        await self._unguarded.close()
        await self._names.close()

    async def fetch(self, url: str) -> Fetched:
        """Fetch a URL, once.

        With `robots`, waiting for the robots.txt of its host is not charged on its time; that has as much of
        its own.

        Raises:
            FetchError: whatever went wrong.
        """
        try:
            url = request_url(url)
            if self._robots:
                await self._robots.check(url)
            async with asyncio.timeout(self._options.timeout_seconds) as limit:
                return await self._picture(url, limit.when() or 0.0)
        except FetchError:
            raise
        except Exception as error:
            raise described(error) from error

    async def _picture(self, start: str, deadline: float) -> Fetched:
        found: set[str] = set()

        async def before(url: str) -> None:
            if self._robots and url != start:
                await self._robots.check(url)

        async def hear(response: aiohttp.ClientResponse) -> None:
            # Of redirects too: whoever on the way says no is heard. Error pages say "noindex" of themselves.
            if response.status in _GOOD + _REDIRECTS:
                found.update(opt_outs(response.headers.items()))
            if found and self._options.opt_outs == "respect":
                raise FetchError("opted_out", ", ".join(sorted(found)))

        async def take(response: aiohttp.ClientResponse) -> bytes:
            if response.status not in _GOOD:
                raise status_error(response.status, response.headers.get("Retry-After"))
            return await _body(response, self._options.max_bytes)

        data = await self._follow(start, deadline, before=before, hear=hear, take=take)
        return Fetched(data, tuple(sorted(found)))

    async def _robots_txt(self, url: str) -> robots.RobotsAnswer:
        async def ignore(_: object) -> None:
            pass

        async def take(response: aiohttp.ClientResponse) -> robots.RobotsAnswer:
            body = b""
            if response.status in _GOOD:
                body = await _body(response, robots.MOST_BYTES, cut=True)
            return robots.RobotsAnswer(response.status, response.headers.get("Retry-After"), body)

        deadline = asyncio.get_running_loop().time() + self._options.timeout_seconds
        return await self._follow(url, deadline, before=ignore, hear=ignore, take=take)

    async def _follow(
        self,
        url: str,
        deadline: float,
        *,
        before: Callable[[str], Awaitable[None]],
        hear: Callable[[aiohttp.ClientResponse], Awaitable[None]],
        take: Callable[[aiohttp.ClientResponse], Awaitable[T]],
    ) -> T:
        """Ask for a URL and for those that it redirects to.

        Args:
            url: as it can be asked for.
            deadline: time of the loop when the caller will lose patience.
            before: called with each URL before it is asked for.
            hear: called with each answer.
            take: called with the last one.
        """
        for _ in range(MOST_REDIRECTS + 1):
            await before(url)
            async with self._answer(url, deadline) as response:
                await hear(response)
                location = response.headers.get("Location", "")
                if response.status not in _REDIRECTS or not location:
                    return await take(response)
                url = redirect_url(url, location)
        raise FetchError("too_many_redirects")

    @asynccontextmanager
    async def _answer(self, url: str, deadline: float) -> AsyncIterator[aiohttp.ClientResponse]:
        target = URL(url, encoded=True)
        name = (target.raw_host or "").rstrip(".")
        session = self._unguarded if name in self._open_names else self._guarded
        response = await session.get(target, allow_redirects=False)
        try:
            try:
                yield response
            except FetchError:
                await _read_rest(response, deadline)
                raise
            await _read_rest(response, deadline)
        finally:
            response.close()  # nothing happens to a connection whose answer was read to its end

    def _may_try(self, name: str, address: str) -> bool:
        return name.rstrip(".") in self._open_names or self._gate.is_open(address)

    def _session(self, socket_factory: Any) -> aiohttp.ClientSession:
        contact = f"; +{self._options.contact}" if self._options.contact else ""
        return aiohttp.ClientSession(
            connector=Connector(self._names, socket_factory),
            headers={
                "User-Agent": f"curation/{__version__} (image data set{contact})",
                "Accept": "image/*",
                "Accept-Encoding": "identity",
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            auto_decompress=False,
        )


async def _body(response: aiohttp.ClientResponse, most: int, *, cut: bool = False) -> bytes:
    """The body of an answer.

    Args:
        response: nothing of it has been read.
        most: bytes, sent or decoded.
        cut: whether to take what fits of a larger one.
    """
    if (response.content_length or 0) > most and not cut:
        raise FetchError("too_large")
    decoder = Decoder(response.headers.getall("Content-Encoding", ()), most)
    protocol = response.connection.protocol if response.connection else None
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in response.content.iter_any():
            pieces.append(decoder.decode(piece[: most - size]))
            size += len(piece)
            if size > most:
                raise FetchError("too_large")
        decoder.end()
    except FetchError as error:
        if not (cut and error.error == "too_large"):
            raise
    if protocol is not None and isinstance(protocol.exception(), OSError):
        # Where the end of the connection is that of the body, aiohttp takes a reset for it too.
        raise FetchError("incomplete")
    return b"".join(pieces)


async def _read_rest(response: aiohttp.ClientResponse, deadline: float) -> None:
    if response.content.at_eof() or (response.content_length or 0) > REST_BYTES:
        return
    until = min(asyncio.get_running_loop().time() + REST_SECONDS, deadline - _MARGIN_SECONDS)
    try:
        async with asyncio.timeout_at(until):
            size = 0
            async for piece in response.content.iter_any():
                size += len(piece)
                if size > REST_BYTES:
                    return
    except (aiohttp.ClientError, OSError):  # a time that is over among them
        return
