"""Files that are read over the network from beginning to end, on bad days too.

data.commoncrawl.org answers 403, 429 and 503 when pressed, and connections break in the middle of a body.
Both pass: what failed is tried again after a wait, from the byte where it broke off.
"""

import errno
import io
import logging
import random
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import fsspec

from curation import __version__
from curation.core.drivers import AccessError, check_access
from curation.core.retry_after import seconds_asked
from curation.crawl.members import ReadError, describe
from curation.crawl.s3 import S3Stream

TRIES = 8
"""Failures in a row, without a byte between them, after which a file is given up."""
MOST_SECONDS = 60.0
"""Longest wait of our own choosing."""
MOST_SECONDS_ASKED = 300.0
"""Longest wait that a server is granted."""
SILENCE_SECONDS = 60.0
"""A connection on which nothing comes for so long is dead."""
SKIP_BYTES = 1 << 20

_USER_AGENT = f"curation/{__version__} (Common Crawl reader)"
_PASSING = frozenset({403, 408, 429, 500, 502, 503, 504})
# What s3fs makes of "slow down", of "internal error" and of what it does not know, once it has tried a few
# times itself.
_PASSING_ERRNO = frozenset({errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO), errno.EIO})
_NOBODY_THERE = frozenset({errno.ECONNREFUSED, socket.EAI_NONAME})
_CHANGED = "the file changed while it was read"
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")

_T = TypeVar("_T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Part:
    """A file from byte `start` on, and what its server says of it; None where it says nothing."""

    stream: Any
    start: int | None
    size: int | None
    etag: str | None


class PatientStream(io.RawIOBase):
    """A file of fsspec (http, https, s3, …) read from beginning to end, that outlasts bad days.

    Failures that may pass are outlasted, be it at opening or in the middle; the bytes are those of the file,
    each once. Over http and from S3 it is a single GET, and another one only where that broke.

    Attributes:
        size: bytes in all; None where the server does not say.

    Raises:
        ReadError: here and by `read`: a failure did not pass, or the file changed while it was read. Whatever
            else fsspec raises is beyond mending by patience, and is passed on.
    """

    def __init__(self, path: str, start: int = 0) -> None:
        super().__init__()
        self.size: int | None = None
        self._path = path
        self._etag: str | None = None
        self._position = start
        self._failures = 0
        self._met = False
        self._part: _Part | None = None
        self._outlast(self._connected)

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, fewer where no more are there yet; all that is left if it is negative."""
        if self.closed:
            raise ValueError("read of a closed file")
        if size < 0:
            return self.readall()
        piece = self._outlast(lambda: self._next(size))
        if piece:
            self._position += len(piece)
            self._failures = 0
        return piece

    def close(self) -> None:
        """Hang up."""
        if not self.closed:
            self._hang_up()
        super().close()

    def _outlast(self, step: Callable[[], _T]) -> _T:
        while True:
            try:
                return step()
            except Exception as error:
                self._hang_up()  # whatever it gave before it failed, nobody got
                self._failures += 1
                if not _may_pass(error, met=self._met):
                    check_access(self._path, error)
                    raise
                if self._failures >= TRIES:
                    raise ReadError(f"{describe(error)} (given up after {TRIES} tries)") from error
                seconds = _seconds_to_wait(error, self._failures)
                logger.info("%s: %s; trying again in %.1f s", self._path, describe(error), seconds)
            pause(seconds)

    def _next(self, size: int) -> bytes:
        stream = self._connected().stream
        if not size or self._position == self.size:
            return b""
        piece = bytes(stream.read(size))
        if not piece and self.size is not None:
            raise ConnectionError(f"ended after {self._position} of {self.size} bytes")
        return piece

    def _connected(self) -> _Part:
        """The file from the current position on."""
        if self._part:
            return self._part
        part = self._part = _open(self._path, self._position)
        self._met = True
        self.size, self._etag = _same(self.size, part.size), _same(self._etag, part.etag)
        if self.size is not None and self.size < self._position:
            raise ReadError(_CHANGED)
        if part.start is None or part.start > self._position:
            raise ReadError(f"the server sent another range than the one from byte {self._position} on")
        _skip(part.stream, self._position - part.start)
        return part

    def _hang_up(self) -> None:
        part, self._part = self._part, None
        if part:
            part.stream.close()


def patient(path: str, start: int = 0) -> PatientStream:
    """A file that fsspec can open, opened for reading it patiently.

    Args:
        path: a URL.
        start: the byte to begin with.

    Raises:
        ReadError: it could not be opened.
        AccessError: no URL of its kind can be.
    """
    try:
        return PatientStream(path, start)
    except (ReadError, AccessError):
        raise
    except Exception as error:  # every file system of fsspec has exceptions of its own
        raise ReadError(describe(error)) from error


def pause(seconds: float) -> None:
    """Wait; tests put their own in its place."""
    time.sleep(seconds)


def _same(known: _T | None, told: _T | None) -> _T | None:
    """What is known of a file; an answer may leave it out, but not say otherwise."""
    if known is not None and told is not None and known != told:
        raise ReadError(_CHANGED)
    return told if known is None else known


def _skip(stream: Any, size: int) -> None:
    """Pass over what a server that knows no ranges sends again."""
    while size:
        piece = stream.read(min(size, SKIP_BYTES))
        if not piece:
            raise ConnectionError(f"ended {size} bytes before it broke the last time")
        size -= len(piece)


async def _client(**told: Any) -> aiohttp.ClientSession:
    """The session that fsspec asks for; what the user's fsspec configuration tells goes first."""
    ours: dict[str, Any] = {
        "headers": {"User-Agent": _USER_AGENT},
        # aiohttp allows five minutes for a whole body, whoever is slow; here only silence counts.
        "timeout": aiohttp.ClientTimeout(total=None, sock_connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS),
        # Ranges count the bytes that are sent; inflating is the reader's.
        "auto_decompress": False,
    }
    return aiohttp.ClientSession(**(ours | told))


def _open(path: str, position: int) -> _Part:
    scheme = path.partition("://")[0]
    if scheme in ("http", "https"):
        return _open_web(path, position)
    if scheme in ("s3", "s3a"):
        stream = S3Stream(path, position)
        return _Part(stream, stream.start, stream.size, stream.etag)
    return _open_other(path, position)


def _open_web(url: str, position: int) -> _Part:
    system = fsspec.filesystem("http", get_client=_client)
    headers = {**system.kwargs.get("headers", {}), "Accept-Encoding": "identity"}
    if position:
        headers["Range"] = f"bytes={position}-"
    try:
        # Blocks of 0 bytes stand for one streaming GET. A size, true or not, spares the HEAD before it, whose
        # every failure fsspec tells as "not found".
        stream = system.open(url, "rb", block_size=0, size=1, headers=headers)
    except aiohttp.ClientResponseError as error:
        if error.status != 416:
            raise
        # Nothing is left from here on: the end of a file whose size was not known, or of a shorter one.
        return _Part(io.BytesIO(), position, _content_range(error.headers or {})[1], None)
    response = stream.r
    partial = response.status == 206
    start, size = _content_range(response.headers) if partial else (0, response.content_length)
    return _Part(stream, start, size, response.headers.get("ETag"))


def _content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Where a partial answer starts, and how many bytes the whole has."""
    found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    start, size = found.groups() if found else (None, None)
    return int(start) if start else None, int(size) if size and size != "*" else None


def _open_other(path: str, position: int) -> _Part:
    """A file of a system that reads in blocks of its own size, and may know how to seek."""
    system, inner = fsspec.core.url_to_fs(path)
    if position:
        system.invalidate_cache()  # or it tells the size from before
    stream = system.open(inner, "rb")
    start = stream.seek(position) if position and stream.seekable() else 0
    etag = (getattr(stream, "details", None) or {}).get("ETag")
    return _Part(stream, start, getattr(stream, "size", None), etag)


def _may_pass(error: Exception, *, met: bool) -> bool:
    """Whether to try again, at a server that has answered before or not."""
    cause = getattr(error, "kwargs", {}).get("error")  # what botocore's errors of the connection are made of
    if isinstance(cause, Exception):
        return _may_pass(cause, met=met)
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status in _PASSING
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return False
    if isinstance(error, aiohttp.ClientConnectorError) and error.errno in _NOBODY_THERE:
        return met  # a server may be starting again; before its first answer, the address is likely wrong
    if isinstance(error, (TimeoutError, ConnectionError, aiohttp.ClientConnectionError)):
        return True
    return isinstance(error, aiohttp.ClientPayloadError) or getattr(error, "errno", None) in _PASSING_ERRNO


def _seconds_to_wait(error: Exception, failures: int) -> float:
    """Exponential back-off with full jitter, on top of what the server asks for.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    own = random.uniform(0, min(2.0 ** (failures - 1), MOST_SECONDS))
    headers: Mapping[str, str] = getattr(error, "headers", None) or {}
    asked = seconds_asked(headers.get("Retry-After"), now=time.time()) or 0.0
    return min(asked + own, MOST_SECONDS_ASKED)
