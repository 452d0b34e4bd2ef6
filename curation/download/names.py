"""Host names into addresses: a bounded pool of threads, a bounded cache, one look-up a name at a time."""

import asyncio
import inspect
import queue
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

THREADS = 64
"""Look-ups at a time; a name whose servers are silent holds one for half a minute."""
KNOWN_SECONDS = 300.0
FAILED_SECONDS = 60.0
MOST_KNOWN = 10_000
MOST_ADDRESSES = 8
"""Of one name. aiohttp tries n of them up to n (n + 1) / 2 times."""

LookUp = Callable[..., Any]
"""As `socket.getaddrinfo`, which may hang; or a coroutine function of the same kind."""


@dataclass(slots=True)
class _Pending:
    future: asyncio.Future[list[str]]
    waiting: int = 0
    begun: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    addresses: Sequence[str]
    error: OSError | None


class Names(AbstractResolver):
    """Looks names up for aiohttp, in the event loop that made it.

    Args:
        look_up: called with (name, None, type=…, flags=…).
        may_try: judges a name and an address of it. Where some of its addresses will not do, the others
            alone are tried, so that what goes wrong is told of them. What is guarded is the connection.
    """

    def __init__(self, look_up: LookUp | None, may_try: Callable[[str, str], bool]) -> None:
        self._look_up: LookUp = look_up or socket.getaddrinfo
        self._may_try = may_try
        self._loop = asyncio.get_running_loop()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._pending: dict[str, _Pending] = {}
        self._threads = _Threads(THREADS)
        self._tasks: set[asyncio.Task[None]] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            OSError: there are none, or they could not be found out; `errno` is one of `socket.EAI_…`.
        """
        known = self._recall(host)
        addresses = known.addresses if known else await self._wait(host)
        if known and known.error:
            raise type(known.error)(*known.error.args)
        tried = [address for address in addresses if self._may_try(host, address)] or addresses
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in tried[:MOST_ADDRESSES]
        ]

    async def close(self) -> None:
        """Let go of the threads; those that hang end when what they wait for does, and hold up nobody."""
        self._threads.close()
        for task in self._tasks:
            task.cancel()
        for pending in self._pending.values():
            pending.future.cancel()
        self._pending.clear()

    def _recall(self, host: str) -> _Known | None:
        known = self._known.get(host)
        if known is None or known.until < self._loop.time():
            return None
        self._known.move_to_end(host)
        return known

    async def _wait(self, host: str) -> Sequence[str]:
        pending = self._pending.get(host) or self._start(host)
        pending.waiting += 1
        try:
            await asyncio.wait([pending.future])  # one who gives up does not take it from the others
        finally:
            pending.waiting -= 1
            # What nobody waits for any more need not begin; once it has, its answer will be of use.
            if not pending.waiting and not pending.begun and not pending.future.done():
                pending.future.cancel()
                del self._pending[host]
        return pending.future.result()

    def _start(self, host: str) -> _Pending:
        pending = self._pending[host] = _Pending(self._loop.create_future())
        pending.future.add_done_callback(lambda done: self._remember(host, done))
        if inspect.iscoroutinefunction(self._look_up):
            task = self._loop.create_task(self._look_up_here(host, pending))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._threads.put(lambda: self._look_up_there(host, pending))
        return pending

    def _remember(self, host: str, done: asyncio.Future[list[str]]) -> None:
        if done.cancelled():
            return
        self._pending.pop(host, None)
        error = done.exception()
        seconds = FAILED_SECONDS if error else KNOWN_SECONDS
        known = _Known(
            self._loop.time() + seconds,
            () if error else done.result(),
            error if isinstance(error, OSError) else None,
        )
        self._known[host] = known
        self._known.move_to_end(host)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    async def _look_up_here(self, host: str, pending: _Pending) -> None:
        pending.begun = True
        try:
            found = await self._look_up(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        except Exception as error:  # noqa: BLE001 - passed on, as an OSError
            _settle(pending.future, None, error)
        else:
            _settle(pending.future, found, None)

    def _look_up_there(self, host: str, pending: _Pending) -> None:
        """In a thread."""
        if pending.future.cancelled():
            return
        pending.begun = True
        found, failed = None, None
        try:
            found = self._look_up(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        except Exception as error:  # noqa: BLE001 - passed on, as an OSError
            failed = error
        with suppress(RuntimeError):  # the loop was closed in the meantime
            self._loop.call_soon_threadsafe(_settle, pending.future, found, failed)


def _settle(future: asyncio.Future[list[str]], found: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if addresses:
            future.set_result(addresses)
            return
    if isinstance(error, OSError) and error.errno is not None:
        future.set_exception(error)
    elif isinstance(
        error, (UnicodeError, type(None))
    ):  # no name that DNS could have; or one without addresses
        future.set_exception(socket.gaierror(socket.EAI_NONAME, "no such name"))
    else:
        future.set_exception(socket.gaierror(socket.EAI_FAIL, "look-up failed"))


class _Threads:
    """At most so many daemon threads, begun as they are needed.

    `ThreadPoolExecutor` waits for its threads at the end of the process, so for every `getaddrinfo` that
    hangs.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0

    def put(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False) and self._started < self._most:
            self._started += 1
            threading.Thread(target=self._work, name="look-up", daemon=True).start()

    def close(self) -> None:
        for _ in range(self._started):
            self._jobs.put(None)

    def _work(self) -> None:
        while job := self._jobs.get():
            job()
            self._idle.release()
