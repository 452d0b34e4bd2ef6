"""Names are looked up once, by few threads, and one that hangs is nobody else's business."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from aiohttp import ClientConnectorDNSError
from aiohttp.client_reqrep import ConnectionKey

from curation.download import names
from curation.download.errors import described
from curation.download.names import Names
from tests.download.hostile import no_names

T = TypeVar("T")


class Servers:
    """What answers; `NAME.hangs` does so when it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.go = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, host: str, port: None, **told: Any) -> list[Any]:
        with self._lock:
            self.asked.append(host)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            kind = host.rpartition(".")[2]
            if kind == "hangs":
                self.go.wait(30)
            if kind == "absent":
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            if kind == "busy":
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            if kind == "broken":
                raise KeyError(host)
            if kind == "long":
                raise UnicodeError("label too long")
            if kind == "nothing":
                return []
            return [
                (socket.AF_INET, 1, 6, "", ("192.0.2.1", 0)),
                (socket.AF_INET, 2, 6, "", ("192.0.2.1", 0)),
                (socket.AF_INET6, 1, 6, "", ("2001:db8::1", 0, 0, 0)),
            ]
        finally:
            with self._lock:
                self.at_once -= 1


@pytest.fixture(autouse=True)
def nobody_asked() -> Iterator[None]:
    with no_names():
        yield


@pytest.fixture
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.go.set()


def run(servers: Any, work: Any, may_try: Any = lambda name, address: True) -> Any:
    async def within() -> Any:
        resolver = Names(servers, may_try)
        try:
            return await work(resolver)
        finally:
            await resolver.close()

    return asyncio.run(within())


async def word(work: Coroutine[Any, Any, T]) -> T | str:
    """What comes, or what a fetch would say of the failure."""
    try:
        return await work
    except OSError as error:
        key = ConnectionKey("a", 80, False, True, None, None, None)
        return described(ClientConnectorDNSError(key, error)).error


async def addresses(resolver: Names, host: str) -> list[str] | str:
    found = await word(resolver.resolve(host, 80))
    return found if isinstance(found, str) else [entry["host"] for entry in found]


def test_addresses_each_once_for_any_port(servers: Servers) -> None:
    async def work(resolver: Names) -> None:
        first = await resolver.resolve("a.example", 80)
        assert [(entry["host"], entry["port"], entry["family"]) for entry in first] == [
            ("192.0.2.1", 80, socket.AF_INET),
            ("2001:db8::1", 80, socket.AF_INET6),
        ]
        assert (await resolver.resolve("a.example", 443))[0]["port"] == 443
        assert servers.asked == ["a.example"]

    run(servers, work)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a.absent", "no_such_host"),
        ("a.nothing", "no_such_host"),
        ("a.long", "no_such_host"),
        ("a.busy", "dns_error"),
        ("a.broken", "dns_error"),
    ],
)
def test_failures_are_remembered_for_a_while(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, host: str, expected: str
) -> None:
    async def work(resolver: Names) -> list[Any]:
        return [await addresses(resolver, host) for _ in range(3)]

    assert run(servers, work) == [expected] * 3
    assert len(servers.asked) == 1
    monkeypatch.setattr(names, "FAILED_SECONDS", -1)
    assert run(servers, work) == [expected] * 3
    assert len(servers.asked) == 4


def test_many_ask_and_one_look_up_answers(servers: Servers) -> None:
    async def work(resolver: Names) -> None:
        tasks = [asyncio.create_task(addresses(resolver, "a.hangs")) for _ in range(20)]
        await asyncio.sleep(0.05)
        tasks[0].cancel()  # it must not take the look-up from the others
        await asyncio.sleep(0.05)
        servers.go.set()
        assert await asyncio.gather(*tasks[1:]) == [["192.0.2.1", "2001:db8::1"]] * 19
        assert tasks[0].cancelled()

    run(servers, work)
    assert servers.asked == ["a.hangs"]


def test_what_comes_late_is_remembered(servers: Servers) -> None:
    async def work(resolver: Names) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await resolver.resolve("a.hangs", 80)
        servers.go.set()
        assert await addresses(resolver, "a.hangs") == ["192.0.2.1", "2001:db8::1"]

    run(servers, work)
    assert servers.asked == ["a.hangs"]


def test_a_name_that_hangs_harms_nobody(servers: Servers) -> None:
    async def work(resolver: Names) -> None:
        stuck = [asyncio.create_task(addresses(resolver, f"{number}.hangs")) for number in range(10)]
        await asyncio.sleep(0.05)
        assert await addresses(resolver, "a.example") == ["192.0.2.1", "2001:db8::1"]
        for task in stuck:
            task.cancel()

    run(servers, work)


def test_threads_are_bounded_and_nobody_s_names_are_passed_over(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "THREADS", 3)

    async def work(resolver: Names) -> None:
        stuck = [asyncio.create_task(addresses(resolver, f"{number}.hangs")) for number in range(3)]
        await asyncio.sleep(0.05)
        given_up = [asyncio.create_task(addresses(resolver, f"{number}.example")) for number in range(50)]
        waiting = asyncio.create_task(addresses(resolver, "a.example"))
        await asyncio.sleep(0.05)
        for task in given_up:
            task.cancel()
        await asyncio.sleep(0)
        servers.go.set()
        assert await waiting == ["192.0.2.1", "2001:db8::1"]
        await asyncio.gather(*stuck)
        # A name that was given up before its turn can be asked for anew.
        assert await addresses(resolver, "7.example") == ["192.0.2.1", "2001:db8::1"]

    run(servers, work)
    assert servers.most_at_once == 3
    assert servers.asked == ["0.hangs", "1.hangs", "2.hangs", "a.example", "7.example"]
    for thread in threading.enumerate():
        if thread.name == "look-up":
            thread.join(10)
            assert not thread.is_alive()


def test_the_cache_is_bounded(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MOST_KNOWN", 3)

    async def work(resolver: Names) -> None:
        for host in ("a.b", "c.d", "e.f", "a.b", "g.h", "a.b", "e.f", "c.d"):
            await resolver.resolve(host, 80)

    run(servers, work)
    assert servers.asked == ["a.b", "c.d", "e.f", "g.h", "c.d"]


def test_addresses_that_may_not_be_tried_are_left_out_where_there_are_others(servers: Servers) -> None:
    async def work(resolver: Names) -> Any:
        return await addresses(resolver, "a.example")

    assert run(servers, work, lambda name, address: ":" in address) == ["2001:db8::1"]
    assert run(servers, work, lambda name, address: False) == ["192.0.2.1", "2001:db8::1"]


def test_a_name_has_only_so_many_addresses() -> None:
    def look_up(host: str, port: None, **told: Any) -> list[Any]:
        return [(0, 0, 0, "", (f"192.0.2.{number}", 0)) for number in range(200)]

    async def work(resolver: Names) -> Any:
        return await addresses(resolver, "a.example")

    assert len(run(look_up, work, lambda name, address: True)) == names.MOST_ADDRESSES
    assert run(look_up, work, lambda name, address: address.endswith(".199")) == ["192.0.2.199"]


def test_a_coroutine_may_look_up(servers: Servers) -> None:
    async def look_up(host: str, port: None, **told: Any) -> list[Any]:
        await asyncio.sleep(0.01)
        return servers(host, port)

    async def work(resolver: Names) -> list[Any]:
        hosts = ("a.example", "a.absent", "a.example")
        return [await addresses(resolver, host) for host in hosts]

    assert run(look_up, work) == [["192.0.2.1", "2001:db8::1"], "no_such_host", ["192.0.2.1", "2001:db8::1"]]
    assert servers.asked == ["a.example", "a.absent"]


def test_a_look_up_that_hangs_does_not_hold_up_the_end_of_the_process() -> None:
    code = """
import asyncio, time
from curation.download.fetch import Fetcher, FetchOptions

async def main():
    hang = lambda *names, **told: time.sleep(600)
    async with Fetcher(FetchOptions(timeout_seconds=0.2), look_up=hang) as fetcher:
        try:
            await fetcher.fetch("http://a.example/")
        except Exception as error:
            print(error)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("timeout\n", "")
