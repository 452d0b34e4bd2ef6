"""From the bytes of a file to runs of uncompressed bytes: gzip members, each on its own.

Common Crawl compresses every record as a gzip member of its own, so that damage need not spread. This module
keeps it so: a member that cannot be inflated, or whose checksum is wrong, ends alone, and reading goes on at
the next one that starts a record. Inflating member by member is what tells a file that ends from
one that was cut off; readers that treat the members as one stream cannot say.
"""

import enum
import re
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from isal import isal_zlib

from curation.core.drivers import AccessError

READ_BYTES = 1 << 20
FIRST_FEED_BYTES = 1 << 13
FEED_BYTES = 1 << 15
"""Compressed bytes given to the inflater at once; what lies behind the end of a member is copied in vain, and
most members of a WAT file are short."""
PIECE_BYTES = 1 << 18
"""Uncompressed bytes after which a piece is handed out; it has less than twice as many."""
SNIFF_BYTES = 1 << 16
KEPT_BYTES = 64 << 20
"""Compressed bytes of the current member that are kept, to search them for the next one after damage."""
BOMB_BYTES = 256 << 20
BOMB_RATIO = 400
"""A member beyond both is a bomb and given up; markup rarely packs better than 1:100, deflate can 1:1032."""

_GZIP = b"\x1f\x8b\x08"
_PLAIN = re.compile(rb"WARC/1\.")


class ReadError(Exception):
    """The file could not be opened or read on; the message says why, in one line."""


class State(enum.Enum):
    """How a segment ended, once its `read` has returned nothing."""

    WHOLE = "whole"
    UNKNOWN = "unknown"
    """Of a plain file only the last record can tell whether it was cut off."""
    DAMAGED = "damaged"
    TRUNCATED = "truncated"


class Segment(Protocol):
    """Uncompressed bytes that begin with a record: a gzip member, or all of a plain file."""

    state: State

    @property
    def whole(self) -> bool:
        """Whether all of it has been read, and is known to be right."""

    def read(self) -> bytes:
        """The next piece; empty at the end, and only then is `state` settled."""


class Window:
    """The part of a stream that is still wanted, addressed by offset in the stream; never seeks."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._data = bytearray()
        self._offset = 0
        self._error: ReadError | None = None
        self.bytes_read = 0

    def read(self, offset: int, size: int) -> bytearray:
        """`size` bytes from `offset` on; fewer only where the stream ends.

        Raises:
            ReadError: the stream could not be read, and nothing is left of what it gave before.
        """
        while offset + size > self.bytes_read and self._fill():
            pass
        start = offset - self._offset
        piece = self._data[start : start + size]
        if self._error and not piece:
            raise self._error
        return piece

    def forget(self, offset: int) -> None:
        """Give up everything before `offset`."""
        if offset > self._offset:
            del self._data[: offset - self._offset]
            self._offset = offset

    def find_member(self, offset: int) -> int:
        """Offset of the next gzip member that holds a record; the end of the stream if there is none."""
        offset = max(offset, self._offset)
        while True:
            start = self._data.find(_GZIP, offset - self._offset)
            if start >= 0:
                offset = self._offset + start
                if _inflates_to_record(self.read(offset, FEED_BYTES)):
                    return offset
                offset += 1
                continue
            offset = max(offset, self.bytes_read - len(_GZIP) + 1)
            self.forget(offset)
            if not self._fill():
                return self.bytes_read

    def _fill(self) -> bool:
        if self._error:
            return False
        try:
            piece = self._stream.read(READ_BYTES)
        except AccessError:
            raise  # no fault of the file's
        except ReadError as error:
            self._error = error
            return False
        except Exception as error:  # noqa: BLE001 - each file system of fsspec has its own; `read` raises it
            self._error = ReadError(describe(error))
            return False
        self._data += piece
        self.bytes_read += len(piece)
        return bool(piece)


class GzipMember:
    """One gzip member, inflated piece by piece; `start` is what there is of it at hand."""

    def __init__(self, window: Window, offset: int, start: bytearray) -> None:
        self.state = State.WHOLE
        self.end = offset
        self._window = window
        self._start = offset
        self._feed = start
        self._inflater = isal_zlib.decompressobj(wbits=31)
        self._produced = 0

    @property
    def whole(self) -> bool:
        """Whether all of it has been read, and its checksum was right."""
        return bool(self._inflater.eof)

    def read(self) -> bytes:
        """The next piece; empty at the end, and only then is `state` settled."""
        pieces, size, inflater = [], 0, self._inflater
        while size < PIECE_BYTES and not inflater.eof and self.state is State.WHOLE:
            feed = self._feed or self._window.read(self.end, FEED_BYTES)
            self._feed = bytearray()
            try:
                piece = inflater.decompress(feed, PIECE_BYTES)
            except isal_zlib.error:  # type: ignore[misc]  # the stubs take it for an instance
                self.state = State.DAMAGED
                break
            # At the end of a member it may report the same leftover in both.
            self.end += len(feed) - len(inflater.unused_data if inflater.eof else inflater.unconsumed_tail)
            size += len(piece)
            pieces.append(piece)
            if self._produced + size > max(BOMB_BYTES, BOMB_RATIO * (self.end - self._start)):
                self.state = State.DAMAGED
            elif not (piece or feed):
                self.state = self._why_unfinished()
        self._produced += size
        if self.end - self._start > KEPT_BYTES:
            self._window.forget(self.end - KEPT_BYTES)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _why_unfinished(self) -> State:
        """A member that the file ends in was cut off, unless its damage made it swallow those after it."""
        swallowed = self._window.find_member(self._start + 1) < self._window.bytes_read
        return State.DAMAGED if swallowed else State.TRUNCATED


class PlainFile:
    """An uncompressed file."""

    def __init__(self, window: Window) -> None:
        self.state = State.UNKNOWN
        self._window = window
        self._offset = 0

    @property
    def whole(self) -> bool:
        """Never: nothing tells."""
        return False

    def read(self) -> bytes:
        """The next piece; empty at the end."""
        piece = bytes(self._window.read(self._offset, PIECE_BYTES))
        self._offset += len(piece)
        self._window.forget(self._offset)
        return piece


def segments(window: Window) -> Iterator[Segment]:
    """The segments of a file; each must be read to its end before the next one is asked for.

    Whatever lies between members comes out as a damaged segment without bytes; zeros, with which archives are
    padded, are passed over.

    Raises:
        ReadError: the stream could not be read.
    """
    if _is_plain(window.read(0, SNIFF_BYTES)):
        yield PlainFile(window)
        return
    offset = 0
    while start := window.read(offset, FIRST_FEED_BYTES):
        if start[0] == 0:
            offset += len(start) - len(start.lstrip(b"\0"))
            window.forget(offset)
            continue
        member = GzipMember(window, offset, start)
        yield member
        offset = window.find_member(offset + 1) if member.state is State.DAMAGED else member.end
        window.forget(offset)


def describe(error: BaseException) -> str:
    """An exception as one line: its class and what it says."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _is_plain(head: bytearray) -> bool:
    """Whether a file that begins so is not compressed; its first bytes may be the damaged ones."""
    if head.startswith(_GZIP) or not _PLAIN.search(head):
        return False
    return not any(_inflates_to_record(head[found.start() :]) for found in re.finditer(_GZIP, head))


def _inflates_to_record(data: bytearray) -> bool:
    try:
        return isal_zlib.decompressobj(wbits=31).decompress(data, 5) == b"WARC/"
    except isal_zlib.error:  # type: ignore[misc]
        return False
