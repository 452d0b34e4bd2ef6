"""A web server on loopback that costs little, in a process of its own: `python -m benchmarks.web …`."""

import argparse
import asyncio
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(
    pictures: Path, *, certificate: Path | None = None, delay_seconds: float = 0.0, ports: int = 1
) -> Iterator[list[int]]:
    """Serve the pictures of a folder in turn, whatever is asked for; gives the ports."""
    command = [sys.executable, "-m", "benchmarks.web", str(pictures), "--delay", str(delay_seconds)]
    command += ["--ports", str(ports), *(["--certificate", str(certificate)] if certificate else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    try:
        assert process.stdout is not None
        yield [int(port) for port in process.stdout.readline().split()]
    finally:
        process.kill()
        process.wait()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 with its key, and the system's certificates with it among them."""
    pem, bundle = folder / "server.pem", folder / "bundle.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "30",
                "-subj",
                "/CN=localhost",
            ),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    pem.write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    system = Path(ssl.get_default_verify_paths().openssl_cafile or "")
    known = system.read_bytes() if system.is_file() else b""
    bundle.write_bytes(known + (folder / "cert.pem").read_bytes())
    return pem, bundle


class _Answers(asyncio.Protocol):
    """Just enough of HTTP/1.1: a request has no body, and the number in its path says which picture."""

    def __init__(self, pictures: Sequence[bytes], delay_seconds: float) -> None:
        self._pictures = pictures
        self._delay = delay_seconds
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            asyncio.get_running_loop().call_later(self._delay, self._answer, head)

    def _answer(self, head: bytes) -> None:
        numbers = re.findall(rb"\d+", head.partition(b" HTTP")[0])
        body = self._pictures[int(numbers[-1]) % len(self._pictures)]
        ends = b"connection: close" in head.lower()
        kind = b"Connection: close\r\n" if ends else b""
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n%b\r\n"
                % (len(body), kind)
                + body
            )
            if ends:
                self._transport.close()


async def _serve(pictures: Sequence[bytes], delay_seconds: float, pem: str | None, ports: int) -> None:
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(
            lambda: _Answers(pictures, delay_seconds), "127.0.0.1", 0, ssl=context, backlog=1024
        )
        for _ in range(ports)
    ]
    sys.stdout.write(" ".join(str(server.sockets[0].getsockname()[1]) for server in servers) + "\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--certificate")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--ports", type=int, default=1)
    told = parser.parse_args()
    served = [path.read_bytes() for path in sorted(told.pictures.glob("*.jpg"))]
    asyncio.run(_serve(served, told.delay, told.certificate, told.ports))
