"""A loopback web of bad behaviour: every way in which a server can be slow, wrong, false or dangerous.

Beside it, on the same port of 127.0.0.2 and ::1, somebody listens whom nobody may connect to; these stand for
all private addresses.
"""

import asyncio
import base64
import contextlib
import gzip
import ipaddress
import socket
import ssl
import struct
import subprocess
import threading
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest import mock

HOST = "127.0.0.1"
PRIVATE = ("127.0.0.2", "::1")

PICTURE = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDADUlKC8oITUvKy88OTU/UIVXUElJUKN1e2GFwarLyL6qurfV8P//1eL/5re6////////"
    "////zv//////////////wAALCABAAGABAREA/8QAFgABAQEAAAAAAAAAAAAAAAAAAAMF/8QAFRABAQAAAAAAAAAAAAAAAAAAABL/"
    "2gAIAQEAAD8AzpJJJJJJJJJJJVkkkkkkkkkkklWSSSSSSSSSSSVZJJJJJJJJJJJUkkkkkkkkkkklWSSSSSSSSSSSVZJJJJJJJJJJ"
    "JVkkkkkkkkkkkl//2Q=="
)
"""A JPEG of 96 x 64 grey pixels."""


def answer(status: int = 200, headers: Mapping[str, str] | None = None, body: bytes = PICTURE) -> bytes:
    """An answer as it is sent; `headers` go before the usual ones, and an empty one leaves it out."""
    fields = {"Content-Type": "image/jpeg", "Content-Length": str(len(body))} | dict(headers or {})
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return "\r\n".join([f"HTTP/1.1 {status} So", *lines, "", ""]).encode("latin-1") + body


@contextlib.contextmanager
def no_names() -> Iterator[None]:
    """Nobody asks a name server: tests give names themselves, or have none."""
    known = socket.getaddrinfo

    def literals_only(host: str, *args: Any, **told: Any) -> Any:
        ipaddress.ip_address(host)
        return known(host, *args, **told)

    with mock.patch.object(socket, "getaddrinfo", literals_only):
        yield


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


_OPEN = {"Content-Length": "", "Transfer-Encoding": "chunked"}
_UNSIZED = {"Content-Length": "", "Connection": "close"}
_RAW_DEFLATE = zlib.compressobj(wbits=-15)


def _gzipped(body: bytes, **headers: str) -> bytes:
    return answer(200, {"Content-Encoding": "gzip", **headers}, body)


BOMB = gzip.compress(bytes(100_000_000), compresslevel=9)

ANSWERS: dict[str, bytes] = {
    "/good.jpg": answer(),
    "/203": answer(203),
    "/chunked": answer(200, _OPEN, chunked(PICTURE[:100], PICTURE[100:], b"")),
    "/until-close": answer(200, _UNSIZED),
    "/empty": answer(body=b""),
    "/wrong-type": answer(200, {"Content-Type": "text/html"}, b"<html>no picture</html>"),
    "/bytes?\u00e4 b".replace("\u00e4", "%C3%A4").replace(" ", "%20"): answer(),
    # bodies
    "/short": answer(200, {"Content-Length": "1000"}),
    "/chunked-cut": answer(200, _OPEN, chunked(PICTURE)),
    "/long-at-once": answer(200, {"Content-Length": str(len(PICTURE))}, PICTURE + bytes(1000)),
    "/chunked-broken": answer(200, _OPEN, b"zz\r\nno chunk"),
    "/huge-declared": answer(200, {"Content-Length": "999999999999"}),
    "/gzip": _gzipped(gzip.compress(PICTURE)),
    "/gzip-twice": _gzipped(gzip.compress(PICTURE[:90]) + gzip.compress(PICTURE[90:]) + b"\0\0"),
    "/deflate": answer(200, {"Content-Encoding": "deflate"}, zlib.compress(PICTURE)),
    "/deflate-raw": answer(
        200, {"Content-Encoding": "Deflate"}, _RAW_DEFLATE.compress(PICTURE) + _RAW_DEFLATE.flush()
    ),
    "/gzip-bomb": _gzipped(BOMB),
    "/gzip-bomb-chunked": _gzipped(chunked(BOMB, b""), **_OPEN),
    "/gzip-cut": _gzipped(gzip.compress(PICTURE)[:-20]),
    "/gzip-not": _gzipped(PICTURE),
    "/br": answer(200, {"Content-Encoding": "br"}),
    "/gzip-in-gzip": _gzipped(gzip.compress(gzip.compress(PICTURE)), **{"Content-Encoding": "gzip, gzip"}),
    # not HTTP
    "/garbage": b"\x00\xff\x13garbage\r\n\r\n" * 10,
    "/huge-headers": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "/many-headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
    "/bad-length": answer(200, {"Content-Length": "ten"}),
    "/two-lengths": answer(200, {"Content-Length": "5\r\nContent-Length: 6"}),
    "/hang-up": b"",
    # statuses
    **{
        f"/{status}": answer(status, body=b"no")
        for status in (400, 401, 403, 405, 408, 410, 451, 500, 503, 599)
    },
    "/204": b"HTTP/1.1 204 No\r\n\r\n",
    "/206": answer(206),
    "/304": b"HTTP/1.1 304 No\r\n\r\n",
    "/429": answer(429),
    "/404-noindex": answer(404, {"X-Robots-Tag": "noindex"}, b"no"),
    # opt-outs
    "/noai": answer(200, {"X-Robots-Tag": "noai"}),
    "/noai-later": answer(200, {"X-Robots-Tag": "otherbot: all\r\nX-Robots-Tag: noimageai, nosnippet"}),
    "/noai-other": answer(200, {"X-Robots-Tag": "otherbot: noai"}),
    "/tdm": answer(200, {"tdm-reservation": "1"}),
    "/noai-hop": answer(302, {"Location": "/good.jpg", "X-Robots-Tag": "noai"}, b""),
    # redirects
    "/loop": answer(301, {"Location": "/loop"}, b""),
    "/nowhere": answer(302, body=b""),
    "/to-file": answer(302, {"Location": "file:///etc/passwd"}, b""),
    "/to-ftp": answer(307, {"Location": "ftp://127.0.0.2/a"}, b""),
    "/to-data": answer(308, {"Location": "data:image/png;base64,AAAA"}, b""),
    "/to-script": answer(302, {"Location": "javascript:alert(1)"}, b""),
    "/to-bad-port": answer(302, {"Location": "http://127.0.0.1:99999/"}, b""),
    "/to-bad-brackets": answer(302, {"Location": "http://[::1/"}, b""),
    "/to-relative": answer(303, {"Location": "good.jpg#part"}, b""),
    "/to-credentials": answer(301, {"Location": "//user:secret@127.0.0.1:{port}/good.jpg"}, b""),
    "/to-latin-1": answer(302, {"Location": "/\u00e4.jpg"}, b""),
    "/%E4.jpg": answer(),
}
"""What is sent for a path, `{port}` replaced by the server's."""

ERRORS: dict[str, str] = {
    **dict.fromkeys(["/short", "/chunked-cut", "/gzip-cut", "/cut"], "incomplete"),
    **dict.fromkeys(["/huge-declared", "/gzip-bomb", "/gzip-bomb-chunked"], "too_large"),
    **dict.fromkeys(["/endless", "/endless-chunks", "/endless-sized"], "too_large"),
    **dict.fromkeys(["/gzip-not", "/br", "/gzip-in-gzip"], "bad_encoding"),
    **dict.fromkeys(
        ["/garbage", "/huge-headers", "/many-headers", "/bad-length", "/two-lengths"], "bad_response"
    ),
    **dict.fromkeys(["/endless-header", "/chunked-broken", "/long-at-once"], "bad_response"),
    **dict.fromkeys(["/hang-up", "/reset"], "connection_failed"),
    **dict.fromkeys(["/silent", "/drip", "/drip-headers", "/stall"], "timeout"),
    **dict.fromkeys(["/204", "/206", "/304", "/400", "/405", "/nowhere"], "http_status"),
    **dict.fromkeys(["/401", "/403", "/451"], "forbidden"),
    **dict.fromkeys(["/404", "/410", "/404-endless", "/404-silent", "/404-noindex"], "not_found"),
    **dict.fromkeys(["/408", "/500", "/503", "/599"], "server_error"),
    **dict.fromkeys(["/429", "/503-later"], "too_many_requests"),
    **dict.fromkeys(["/noai", "/noai-later", "/tdm", "/noai-hop"], "opted_out"),
    **dict.fromkeys(["/loop", "/hop?6"], "too_many_redirects"),
    **dict.fromkeys(["/to-file", "/to-ftp", "/to-data", "/to-script"], "not_http"),
    **dict.fromkeys(["/to-bad-port", "/to-bad-brackets"], "bad_url"),
    **{f"/to-private?{n}": "refused_address" for n in range(9)},
}
"""What is to become of the paths that give no picture, with a limit of size below 100 MB."""

GOOD = sorted(
    {path for path in ANSWERS if path not in ERRORS} - {"/wrong-type", "/empty"} | {"/hop?0", "/hop?5"}
)
"""Paths that give `PICTURE`."""

PRIVATE_HOSTS = [
    *("127.0.0.2", "[::1]", "[::ffff:127.0.0.2]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *("2130706434", "0x7f000002", "0177.0.0.2", "127.2"),
]
"""What `/to-private?N` leads to: all forms of the addresses that nobody may connect to."""

Handler = Callable[["Hostile", asyncio.StreamWriter, str], Awaitable[bool | None]]


class Hostile:
    """The bad web, on free ports of loopback, while a `with` block runs.

    Args:
        more: further answers by path, query included; they go before the others.
        folder: for a certificate that nobody signed; None: no TLS.

    Attributes:
        origin: what URLs start with; `tls_origin` for https, `silent_origin` where nothing is ever said, not
            even TLS, and `closed_origin` where nobody listens.
        requests: how often each path was asked for, as `GET path`'s path.
        heads: the head of each request, in the order in which they came.
        connections: how many were made to `origin`.
        private: connections that were made to addresses that nobody may connect to.
    """

    def __init__(self, more: Mapping[str, bytes] | None = None, *, folder: Path | None = None) -> None:
        self.more = dict(more or {})
        self.requests: Counter[str] = Counter()
        self.heads: list[str] = []
        self.connections = 0
        self.private: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._context = _certified(folder) if folder else None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> "Hostile":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def url(self, path: str) -> str:
        return self.origin + path

    async def _start(self) -> None:
        main, *private = _on_one_port([HOST, *PRIVATE])
        self.port = main.getsockname()[1]
        self._servers = [
            await asyncio.start_server(self._serve, sock=main, limit=1 << 20),
            *[await asyncio.start_server(self._record, sock=listener) for listener in private],
            silent := await asyncio.start_server(self._say_nothing, HOST),
        ]
        self.origin = f"http://{HOST}:{self.port}"
        self.silent_origin = f"http://{HOST}:{silent.sockets[0].getsockname()[1]}"
        if self._context:
            server = await asyncio.start_server(self._serve, HOST, ssl=self._context)
            self._servers.append(server)
            self.tls_origin = f"https://{HOST}:{server.sockets[0].getsockname()[1]}"
        closed = await asyncio.start_server(self._say_nothing, HOST)
        self.closed_origin = f"http://{HOST}:{closed.sockets[0].getsockname()[1]}"
        closed.close()

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ")[1]
                self.heads.append(head)
                self.requests[path] += 1
                again = await self._respond(writer, path)
                await writer.drain()
                if not again:
                    break
        writer.close()

    async def _respond(self, writer: asyncio.StreamWriter, path: str) -> bool:
        """Whether the connection stays open."""
        handler = _HANDLERS.get(path.partition("?")[0])
        if path not in self.more and handler:
            return bool(await handler(self, writer, path))
        said = self.more.get(path, ANSWERS.get(path, answer(404, body=b"gone")))
        writer.write(said.replace(b"{port}", str(self.port).encode()))
        return path in self.more or path not in _HANGS_UP

    async def _record(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.private.append(str(writer.get_extra_info("sockname")))
        writer.write(answer())
        writer.close()

    async def _say_nothing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        writer.close()


_HANGS_UP = {
    *("/until-close", "/short", "/chunked-cut", "/chunked-broken", "/huge-declared"),
    *("/garbage", "/huge-headers", "/many-headers", "/bad-length", "/two-lengths", "/hang-up"),
}
"""Answers that have no end, or promise more than they have."""


async def _endless(_: Hostile, writer: asyncio.StreamWriter, path: str) -> None:
    sized = {"Content-Length": str(10**9)} if "sized" in path else _UNSIZED
    writer.write(answer(404 if "404" in path else 200, _OPEN if "chunks" in path else sized, b""))
    piece = bytes(100_000)
    while not writer.is_closing():
        writer.write(chunked(piece) if "chunks" in path else piece)
        await writer.drain()


async def _endless_header(_: Hostile, writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not writer.is_closing():
        writer.write(b"x" * 10_000)
        await writer.drain()


async def _drip(_: Hostile, writer: asyncio.StreamWriter, path: str) -> None:
    said = answer(200, {"Content-Length": "100000"}, b"")
    if "headers" not in path:
        writer.write(said)
        said = bytes(100_000)
    for byte in said:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.1)


async def _silent(_: Hostile, writer: asyncio.StreamWriter, path: str) -> None:
    if path == "/stall":
        writer.write(answer(200, {"Content-Length": "1000"}))
    if path == "/404-silent":
        writer.write(answer(404, {"Content-Length": "1000"}))
    await asyncio.sleep(3600)


async def _reset(_: Hostile, writer: asyncio.StreamWriter, path: str) -> None:
    if path == "/cut":  # the end of the connection is to be that of the body, but it is a reset
        writer.write(answer(200, _UNSIZED))
        await asyncio.sleep(0.1)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _in_two(_: Hostile, writer: asyncio.StreamWriter, path: str) -> bool:
    first, second = {
        "/long": (answer(), bytes(1000)),
        "/chunked-broken-later": (answer(200, _OPEN, chunked(PICTURE)), b"zz\r\nno chunk"),
        "/404-in-two": (answer(404, {"Content-Length": "4"}, b"go"), b"ne"),
        "/to-good-in-two": (answer(302, {"Location": "/good.jpg", **_OPEN}, b""), chunked(b"moved", b"")),
    }[path]
    writer.write(first)
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.write(second)
    await asyncio.sleep(0.05)
    return path.endswith("in-two")


async def _hop(web: Hostile, writer: asyncio.StreamWriter, path: str) -> bool:
    left = int(path.partition("?")[2])
    writer.write(answer(302, {"Location": f"/hop?{left - 1}"}, b"moved") if left else answer())
    return True


async def _to_private(web: Hostile, writer: asyncio.StreamWriter, path: str) -> bool:
    host = PRIVATE_HOSTS[int(path.partition("?")[2])]
    writer.write(answer(302, {"Location": f"http://{host}:{web.port}/secret"}, b""))
    return True


async def _later(web: Hostile, writer: asyncio.StreamWriter, path: str) -> bool:
    """`/busy?…` is busy the first time, `/503-later` always."""
    value = formatdate(time.time() + 2, usegmt=True) if path.endswith("date") else "1"
    busy = path == "/503-later" or web.requests[path] == 1
    status = 503 if "503" in path else 429
    writer.write(answer(status, {"Retry-After": value}, b"later") if busy else answer())
    return True


_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(["/endless", "/endless-chunks", "/endless-sized", "/404-endless"], _endless),
    "/endless-header": _endless_header,
    **dict.fromkeys(["/drip", "/drip-headers"], _drip),
    **dict.fromkeys(["/silent", "/stall", "/404-silent"], _silent),
    **dict.fromkeys(["/reset", "/cut"], _reset),
    **dict.fromkeys(["/long", "/chunked-broken-later", "/404-in-two", "/to-good-in-two"], _in_two),
    "/hop": _hop,
    "/to-private": _to_private,
    **dict.fromkeys(["/busy", "/503-later"], _later),
}


def _on_one_port(hosts: list[str]) -> list[socket.socket]:
    """Listeners on the same port of several addresses, the first of which takes a free one."""
    for _ in range(100):
        listeners: list[socket.socket] = []
        try:
            port = 0
            for host in hosts:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                listener = socket.socket(family)
                listeners.append(listener)
                listener.bind((host, port))
                port = listener.getsockname()[1]
        except OSError:
            for listener in listeners:
                listener.close()
        else:
            return listeners
    raise OSError("no port is free on all addresses")


def _certified(folder: Path) -> ssl.SSLContext:
    """A server's context, with a certificate for 127.0.0.1 that nobody signed: `folder/certificate.pem`."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-days", "2", "-nodes"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    command += ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=IP:{HOST}"]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
