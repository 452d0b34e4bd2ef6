"""robots.txt: asked for once an origin, and heard for every URL there."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from protego import Protego

from curation.core.opt_outs import AGENT
from curation.download.errors import FetchError, described, status_error

MOST_BYTES = 512 * 1024
"""What is read of a robots.txt; RFC 9309 asks for 500 KiB at least."""
MOST_KEPT_BYTES = 4 * 1024 * 1024
"""Of the texts of all robots.txt remembered, and a little for each; parsed they take twenty times that."""
KNOWN_SECONDS = 86_400.0
FAILED_SECONDS = 60.0

_OWN_BYTES = 1024

# Others that RFC 9309 lets count as "there is none": everything is allowed.
_AS_NONE = frozenset({"not_found", "forbidden", "http_status", "too_many_redirects", "bad_url", "not_http"})


@dataclass(frozen=True, slots=True)
class RobotsAnswer:
    """What came for a robots.txt, after redirects."""

    status: int
    retry_after: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    rules: Protego | None
    size: int
    error: FetchError | None


class Robots:
    """What the origins (scheme, host and port) allow.

    Args:
        get: fetches a robots.txt, with all guards, at most `MOST_BYTES` of it; raises FetchError.
        seconds: one robots.txt may take.
        agent: our name there.

    Source:
        RFC 9309, "Robots Exclusion Protocol". `Deviates:` 429 counts as a server in trouble, not as
        "there is none".
    """

    def __init__(
        self, get: Callable[[str], Awaitable[RobotsAnswer]], seconds: float, agent: str = AGENT
    ) -> None:
        self._get = get
        self._seconds = seconds
        self._agent = agent
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._kept_bytes = 0
        self._pending: dict[str, asyncio.Task[_Known]] = {}

    async def check(self, url: str) -> None:
        """Pass if the URL may be fetched.

        Raises:
            FetchError: `robots_txt` if it may not; what robots.txt failed with, if it could not be had.
        """
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        known = self._known.get(origin)
        if known is None or known.until < asyncio.get_running_loop().time():
            known = await self._wait(origin)
        else:
            self._known.move_to_end(origin)
        if known.error:
            error = known.error
            raise FetchError(error.error, f"robots.txt: {error.message or error.error}", error.retry_after)
        if known.rules is not None and not known.rules.can_fetch(url, self._agent):
            raise FetchError("robots_txt")

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._pending.values():
            task.cancel()
        await asyncio.gather(*self._pending.values(), return_exceptions=True)

    async def _wait(self, origin: str) -> _Known:
        task = self._pending.get(origin)
        if task is None:
            task = self._pending[origin] = asyncio.create_task(self._ask(origin))
        await asyncio.wait([task])  # one who gives up does not take it from the others
        return task.result()

    async def _ask(self, origin: str) -> _Known:
        now = asyncio.get_running_loop().time()
        try:
            text = await self._text(origin)
            # Half a megabyte of rules takes a while: not in the event loop.
            rules = await asyncio.to_thread(Protego.parse, text) if len(text) > 4096 else Protego.parse(text)
            known = _Known(now + KNOWN_SECONDS, rules, len(text) + _OWN_BYTES, None)
        except Exception as error:  # noqa: BLE001 - whatever it is, all who wait are told
            known = _Known(now + FAILED_SECONDS, None, _OWN_BYTES, described(error))
        finally:
            del self._pending[origin]
        self._keep(origin, known)
        return known

    def _keep(self, origin: str, known: _Known) -> None:
        before = self._known.pop(origin, None)
        self._known[origin] = known
        self._kept_bytes += known.size - (before.size if before else 0)
        while self._kept_bytes > MOST_KEPT_BYTES:
            _, oldest = self._known.popitem(last=False)
            self._kept_bytes -= oldest.size

    async def _text(self, origin: str) -> str:
        """The robots.txt of an origin, empty where there is none."""
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._get(f"{origin}/robots.txt")
            if answer.status not in (200, 203):
                raise status_error(answer.status, answer.retry_after)
        except FetchError as error:
            if error.error in _AS_NONE:
                return ""
            raise
        return answer.body.decode("utf-8-sig", errors="replace")
