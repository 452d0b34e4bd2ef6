"""Common Crawl's bad days, played on loopback: what is read is the file, byte for byte, or a ReadError."""

import errno
import gzip
import random
import re
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import fsspec
import pytest
from fsspec.implementations.http import HTTPFileSystem
from fsspec.implementations.memory import MemoryFile
from hypothesis import given, settings
from hypothesis import strategies as st

from curation import __version__
from curation.crawl import patience
from curation.crawl.files import list_crawl, open_input
from curation.crawl.members import ReadError
from curation.crawl.patience import PatientStream, patient

FILE = random.Random(0).randbytes(50_000)


@dataclass(frozen=True)
class Day:
    """How the server takes one request; with nothing said, well."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None  # bytes of the body that are sent before it hangs up
    linger: float = 0.0  # seconds before it does
    reset: bool = False
    ranges: bool = True
    sized: bool = True
    body: bytes = FILE
    etag: str | None = '"1"'


class Web(ThreadingHTTPServer):
    """Takes one request after the other as it was told, and from then on as on the last day."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.days: list[Day] = []
        self.asked: list[dict[str, str]] = []

    def play(self, *days: Day) -> str:
        self.days, self.asked = list(days), []
        return f"http://127.0.0.1:{self.server_port}/file"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients hang up


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Web

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        days = self.server.days
        day = days.pop(0) if len(days) > 1 else days[0]
        self.server.asked.append({"path": self.path, **self.headers})
        if day.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif day.status != 200:
            self._head(day.status, **day.headers, Content_Length="0")
        else:
            self._answer(day)

    def _answer(self, day: Day) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and day.ranges else 0
        size = len(day.body)
        headers = {"ETag": day.etag} if day.etag else {}
        if asked and day.ranges:
            if start >= size:
                return self._head(416, **headers, Content_Range=f"bytes */{size}", Content_Length="0")
            headers["Content_Range"] = f"bytes {start}-{size - 1}/{size if day.sized else '*'}"
        body = day.body[start:]
        headers |= {"Content_Length": str(len(body))} if day.sized else {"Transfer_Encoding": "chunked"}
        self._head(206 if "Content_Range" in headers else 200, **(headers | day.headers))
        if day.sized:
            self.wfile.write(body[: day.cut])
        elif sent := body[: day.cut]:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(sent), sent))
        if not day.sized and day.cut is None:
            self.wfile.write(b"0\r\n\r\n")
        time.sleep(day.linger)
        return None

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with Web() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for; nobody waits."""
    seconds: list[float] = []
    monkeypatch.setattr(patience, "pause", seconds.append)
    return seconds


def content(path: str, size: int = 1 << 20) -> bytes:
    with patient(path) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


def ranges(web: Web) -> list[str | None]:
    return [headers.get("Range") for headers in web.asked]


def test_a_good_day_is_one_request_that_says_who_asks(web: Web, waits: list[float]) -> None:
    path = web.play(Day())
    with patient(path) as stream:
        assert stream.size == len(FILE)
        assert stream.read(0) == b""
        assert stream.read() == FILE
        assert stream.read() == stream.read(5) == b""
    assert stream.closed
    with pytest.raises(ValueError, match="closed"):
        stream.read(1)
    (headers,) = web.asked
    assert headers["User-Agent"] == f"curation/{__version__} (Common Crawl reader)"
    assert headers["Accept-Encoding"] == "identity"
    assert waits == []


def test_gzip_as_the_encoding_of_the_body_is_left_to_the_reader(web: Web) -> None:
    body = gzip.compress(FILE)
    assert content(web.play(Day(body=body, headers={"Content-Encoding": "gzip"}))) == body


@pytest.mark.parametrize("status", [403, 408, 429, 500, 502, 503, 504])
def test_refusals_that_pass(web: Web, waits: list[float], status: int) -> None:
    assert content(web.play(Day(status), Day(status), Day())) == FILE
    assert len(web.asked) == 3
    assert 0 <= waits[0] <= 1
    assert 0 <= waits[1] <= 2
    assert len(waits) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 410, 501])
def test_refusals_that_stay_are_asked_for_once(web: Web, waits: list[float], status: int) -> None:
    path = web.play(Day(status))
    with pytest.raises(ReadError, match="FileNotFoundError" if status == 404 else str(status)):
        patient(path)
    assert len(web.asked) == 1
    assert waits == []


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("3", 3, 4),
        (" 3 ", 3, 4),
        ("0", 0, 1),
        ("100000", 300, 300),
        ("9" * 500, 300, 300),
        (lambda: formatdate(time.time() + 20, usegmt=True), 15, 21),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0, 1),
        ("Fri, 31 Dec 99999 23:59:59 GMT", 0, 1),
        ("-3", 0, 1),
        ("soon", 0, 1),
        ("", 0, 1),
    ],
)
def test_the_server_may_say_how_long(
    web: Web, waits: list[float], header: Any, least: float, most: float
) -> None:
    value = header() if callable(header) else header
    assert content(web.play(Day(429, {"Retry-After": value}), Day())) == FILE
    (wait,) = waits
    assert least <= wait <= most


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("ranged", [True, False])
@pytest.mark.parametrize("cut", [0, 1, len(FILE) // 2, len(FILE) - 1])
def test_a_body_that_breaks_is_read_on(web: Web, cut: int, ranged: bool, sized: bool) -> None:
    path = web.play(Day(cut=cut, sized=sized, linger=0.1), Day(ranges=ranged, sized=sized))
    assert content(path) == FILE
    assert ranges(web) == [None, f"bytes={cut}-" if cut else None]


def test_a_body_without_size_may_break_behind_its_last_byte(web: Web, waits: list[float]) -> None:
    assert content(web.play(Day(cut=len(FILE), sized=False, linger=0.1), Day(sized=False))) == FILE
    assert ranges(web) == [None, f"bytes={len(FILE)}-"]
    assert len(waits) == 1


def test_progress_starts_the_count_anew(web: Web, waits: list[float]) -> None:
    days = [Day(cut=4000, linger=0.05), Day(503), Day(503)] * 12
    assert content(web.play(*days, Day())) == FILE
    assert patience.TRIES < len(web.asked) <= len(days) + 1
    assert max(waits) <= 8


bad_days = st.one_of(
    st.builds(Day, status=st.sampled_from([403, 429, 503])),
    st.just(Day(reset=True)),
    st.builds(Day, cut=st.integers(0, len(FILE) - 1), ranges=st.booleans(), sized=st.booleans()),
)


@settings(max_examples=60)
@given(st.lists(bad_days, max_size=patience.TRIES - 1), st.builds(Day, ranges=st.booleans()), st.integers(1))
def test_no_byte_is_missing_or_repeated(web: Web, days: list[Day], last: Day, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patience, "pause", lambda seconds: None)
        assert content(web.play(*days, last), max(size % 100_000, 100)) == FILE
    assert len(web.asked) <= len(days) + 1


def test_resets(web: Web) -> None:
    assert content(web.play(Day(reset=True), Day(cut=10, linger=0.1), Day(reset=True), Day())) == FILE
    assert len(web.asked) == 4


@pytest.mark.parametrize("day", [Day(503), Day(reset=True), Day(cut=0)])
def test_what_does_not_pass_is_given_up(web: Web, waits: list[float], day: Day) -> None:
    path = web.play(day)
    with pytest.raises(ReadError, match=r"given up after 8 tries") as caught:
        content(path)
    assert "\n" not in str(caught.value)
    assert ("503" in str(caught.value)) == (day.status == 503)
    # After a reset aiohttp asks once more by itself, at once; it cannot be told not to.
    assert len(web.asked) == patience.TRIES * (2 if day.reset else 1)
    assert len(waits) == patience.TRIES - 1
    assert all(wait <= 2**n for n, wait in enumerate(waits))


def test_a_file_is_given_up_in_the_middle_and_again(web: Web) -> None:
    path = web.play(Day(cut=10, linger=0.1), Day(503))
    with patient(path) as stream:
        assert stream.read(100) == FILE[:10]
        for requests in (8, 9):
            with pytest.raises(ReadError, match="503"):
                stream.read(100)
            assert len(web.asked) == requests


def test_going_over_the_same_bytes_again_is_no_progress(web: Web) -> None:
    path = web.play(Day(cut=2000, linger=0.1), Day(cut=1000, ranges=False, linger=0.02))
    with pytest.raises(ReadError, match="tries"):
        content(path)
    assert len(web.asked) == patience.TRIES


def test_waits_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    waits = [patience._seconds_to_wait(TimeoutError(), n) for n in range(1, 9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(
    "other",
    [
        Day(etag='"2"'),
        Day(etag='"2"', ranges=False),
        Day(body=FILE + b"x", etag=None),
        Day(body=FILE[:-1], etag=None, ranges=False),
        Day(body=FILE[:100], etag=None),  # answers 416
    ],
)
def test_a_file_that_changes_is_not_patched_together(web: Web, other: Day) -> None:
    with patient(web.play(Day(cut=1000, linger=0.1), other)) as stream:
        assert stream.read(5000) == FILE[:1000]
        for _ in range(2):
            with pytest.raises(ReadError, match="changed while it was read"):
                stream.read(5000)


def test_another_range_than_asked_for_is_refused(web: Web) -> None:
    wrong = Day(headers={"Content_Range": f"bytes 1001-{len(FILE) - 1}/{len(FILE)}"})
    for headers in (wrong.headers, {"Content_Range": "none"}):
        with patient(web.play(Day(cut=1000, linger=0.1), Day(headers=headers))) as stream:
            assert stream.read(5000) == FILE[:1000]
            with pytest.raises(ReadError, match="another range"):
                stream.read(5000)


def test_a_file_that_goes_away_is_not_asked_for_again(web: Web) -> None:
    with patient(web.play(Day(cut=1000, linger=0.1), Day(404))) as stream:
        assert stream.read(5000) == FILE[:1000]
        with pytest.raises(FileNotFoundError):
            stream.read(5000)
    assert len(web.asked) == 2


def test_silence_is_outlasted(web: Web, monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    monkeypatch.setattr(patience, "SILENCE_SECONDS", 0.3)
    HTTPFileSystem.clear_instance_cache()  # sessions know the time they were made with
    assert content(web.play(Day(cut=1000, linger=1), Day())) == FILE
    assert ranges(web) == [None, "bytes=1000-"]
    assert len(waits) == 1
    HTTPFileSystem.clear_instance_cache()


def test_nobody_there_is_waited_for_only_where_somebody_was(web: Web, waits: list[float]) -> None:
    with pytest.raises(ReadError, match="Cannot connect"):
        patient("http://127.0.0.1:1/file")
    assert waits == []
    with patient(web.play(Day(cut=1000, linger=0.1))) as stream:
        stream.read(5000)
        stream._path = "http://127.0.0.1:1/file"
        with pytest.raises(ReadError, match="Cannot connect"):
            stream.read(5000)
    assert len(waits) == patience.TRIES - 1


def test_other_file_systems_are_outlasted_too(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/patience", FILE)
    read = MemoryFile.read
    errors: list[Exception | None] = [
        None,
        TimeoutError(),
        OSError(errno.EBUSY, "slow down"),
        ConnectionResetError(),
    ]

    def breaking(self: MemoryFile, size: int = -1) -> bytes:
        if self.tell() >= 1000 and errors:
            read(self, 77)
            if error := errors.pop():
                raise error
            return b""
        return bytes(read(self, size))

    monkeypatch.setattr(MemoryFile, "read", breaking)
    with open_input("memory://patience") as stream:
        assert isinstance(stream, PatientStream)
        assert b"".join(iter(lambda: stream.read(500), b"")) == FILE
    assert len(waits) == 4
    errors.append(PermissionError("no"))
    with open_input("memory://patience") as stream, pytest.raises(PermissionError):
        stream.read(1000), stream.read(1000)
    errors.append(TimeoutError())
    with open_input("memory://patience") as stream:
        stream.read(1000)
        memory.pipe("/patience", FILE + b"x")
        with pytest.raises(ReadError, match="changed"):
            stream.read(1000)


def test_local_files_stay_as_they_are(tmp_path: Any) -> None:
    (tmp_path / "file").write_bytes(FILE)
    with open_input(str(tmp_path / "file")) as stream:
        assert not isinstance(stream, PatientStream)
        assert stream.read() == FILE


def test_lists_of_files_are_read_patiently(web: Web, waits: list[float]) -> None:
    body = gzip.compress(b"a.gz\nb.gz\n")
    path = web.play(Day(503, body=body), Day(body=body, cut=5, linger=0.1), Day(body=body))
    files = list_crawl(["CC-MAIN-2024-51"], kind="wat", limit=None, seed=0, base_url=path)
    assert [file.path for file in files] == [f"{path}/a.gz", f"{path}/b.gz"]
    assert {headers["path"] for headers in web.asked} == {"/file/crawl-data/CC-MAIN-2024-51/wat.paths.gz"}
    assert len(waits) == 2
