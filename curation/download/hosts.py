"""Whose turn it is: hosts take turns, each bears only so much, and one that fails is given up."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

STRIKES = 4
"""Failures in a row, without an answer between them, after which a host is given up."""

Job = TypeVar("Job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one host bears from one task.

    Attributes:
        connections: at once; of a part of one, a single connection is open for that part of the time.
        per_second: requests; None: as many as come.
    """

    connections: float
    per_second: float | None = None

    def part(self, share: float) -> "Limits":
        """The part of one task among several that share the limits."""
        rate = None if self.per_second is None else self.per_second * share
        return Limits(connections=self.connections * share, per_second=rate)


@dataclass(slots=True)
class _Host(Generic[Job]):
    name: str
    waiting: deque[Job] = field(default_factory=deque)
    active: int = 0
    ready_at: float = 0.0
    listed: bool = False
    strikes: int = 0
    has_answered: bool = False
    error: str = ""
    rested_at: float = -1.0


@dataclass(slots=True)
class Turn(Generic[Job]):
    """A job that may be done now.

    Attributes:
        job: what was added.
        given_up: the last error of a host that is not to be asked any more; None: go on and ask.
    """

    job: Job
    given_up: str | None
    _host: _Host[Job]
    _began: float


class Hosts(Generic[Job]):
    """Jobs, handed out as their hosts can bear them.

    Each turn is ended by `done`, after at most one of `answered`, `failed` and `rest`. For one consumer.

    Args:
        limits: of each host.
        clock: seconds; tests have their own.
    """

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = max(1, int(limits.connections))
        self._idle_per_busy = max(0.0, 1 / limits.connections - 1)
        self._interval = 1 / limits.per_second if limits.per_second else 0.0
        self._clock = clock
        self._hosts: dict[str, _Host[Job]] = {}
        self._ready: list[tuple[float, int, _Host[Job]]] = []
        self._later: list[tuple[float, int, str, Job]] = []
        self._order = count()
        self._active = 0
        self._changed = asyncio.Event()

    def add(self, host: str, job: Job, *, after_seconds: float = 0.0) -> None:
        """Add a job, to be done after a while at the earliest."""
        if after_seconds:
            heappush(self._later, (self._clock() + after_seconds, next(self._order), host, job))
        else:
            state = self._hosts.setdefault(host, _Host(host))
            state.waiting.append(job)
            self._list(state)
        self._changed.set()

    async def take(self, more: Callable[[], bool] = lambda: False) -> Turn[Job] | None:
        """The next turn, as soon as there is one; None when all jobs are done.

        Args:
            more: called when nothing can be done now; adds jobs and says whether it did.
        """
        while True:
            self._changed.clear()
            now = self._clock()
            while self._later and self._later[0][0] <= now:
                _, _, host, job = heappop(self._later)
                self.add(host, job)
            while self._ready and self._ready[0][0] <= now:
                turn = self._turn(heappop(self._ready)[2], now)
                if turn is not None:
                    return turn
            if more():
                continue
            next_at = min((heap[0][0] for heap in (self._ready, self._later) if heap), default=None)
            if next_at is None and not self._active:
                return None
            try:
                async with asyncio.timeout(None if next_at is None else max(0.0, next_at - now)):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def answered(self, turn: Turn[Job]) -> None:
        """The host is alive."""
        turn._host.strikes = 0
        turn._host.has_answered = True

    def failed(self, turn: Turn[Job], error: str) -> None:
        """The host did not answer."""
        self._strike(turn._host, error, turn._host.strikes + 1)

    def rest(self, turn: Turn[Job], error: str, seconds: float) -> None:
        """The host asked for a pause; requests that were under way together hear of it, and count, once."""
        if turn._began > turn._host.rested_at:
            self.failed(turn, error)
        turn._host.rested_at = self._clock()
        turn._host.ready_at = max(turn._host.ready_at, self._clock() + seconds)

    def give_up(self, turn: Turn[Job], error: str) -> None:
        """The host is not to be asked any more."""
        self._strike(turn._host, error, STRIKES)

    def done(self, turn: Turn[Job]) -> None:
        """End a turn."""
        host, now = turn._host, self._clock()
        host.active -= 1
        self._active -= 1
        if self._idle_per_busy and turn.given_up is None:
            host.ready_at = max(host.ready_at, now + (now - turn._began) * self._idle_per_busy)
        if host.waiting:
            self._list(host)
        elif not host.active and not host.strikes and host.ready_at <= now:
            self._hosts.pop(host.name, None)  # what is remembered does not grow with the web
        self._changed.set()

    def _turn(self, host: _Host[Job], now: float) -> Turn[Job] | None:
        host.listed = False
        given_up = host.strikes >= STRIKES
        if not host.waiting:
            return None  # it was listed twice
        if host.ready_at > now and not given_up:  # it asked for a pause since it was listed
            self._list(host)
            return None
        host.active += 1
        self._active += 1
        host.ready_at = max(host.ready_at, now + self._interval)
        turn = Turn(host.waiting.popleft(), host.error if given_up else None, host, now)
        if host.waiting:
            self._list(host)
        return turn

    def _strike(self, host: _Host[Job], error: str, strikes: int) -> None:
        host.strikes = strikes
        host.error = error
        if strikes >= STRIKES:
            host.listed = False  # until whenever it was to rest; now its jobs can be handed out
            if host.waiting:
                self._list(host)

    def _list(self, host: _Host[Job]) -> None:
        """Put a host in line, behind those that are there, if it can take another job."""
        given_up = host.strikes >= STRIKES
        # A host that may be dead must not hold more connections than it takes to find that out.
        is_well = host.has_answered and not host.strikes
        most = self._most if is_well else min(self._most, STRIKES - host.strikes)
        if not host.listed and (given_up or host.active < most):
            host.listed = True
            heappush(self._ready, (0.0 if given_up else host.ready_at, next(self._order), host))
