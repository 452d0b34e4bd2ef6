"""A piece of a dump, from a path or URL to uncompressed bytes: bzip2 stream by stream, gzip, or plain."""

import bz2
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

READ_BYTES = 1 << 20
FEED_BYTES = 1 << 18
HEAD_BYTES = 10
BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
"""A stream's head and then a block's, or the end's of a stream without any."""

_PROOF_BYTES = 2 << 20  # more than any block takes
_GZIP = b"\x1f\x8b"

Open = Callable[[str, int], AbstractContextManager[BinaryIO]]
"""Opens a path or URL for reading from a byte on."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a dump that is read by itself: streams that begin from `start` on, before `end`."""

    path: str
    start: int = 0
    end: int | None = None


Chunks = Iterator[tuple[bool, bytes | None]]
"""Uncompressed bytes, and whether they lie past the piece; None where something is missing."""


def chunks(stream: BinaryIO, piece: Piece, faults: Counter[str]) -> Chunks:
    """What a piece holds, and then, for who reads on, what comes after it.

    Args:
        stream: the file, from the first byte of the piece on.
        piece: of it.
        faults: grows by `stream_damaged` and `stream_cut_off`; what is lost is the rest of that stream.
    """
    head = stream.read(HEAD_BYTES)
    while 0 < len(head) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(head))):
        head += more
    if piece.start or BZIP2.match(head):
        yield from _Streams(stream, head, piece, faults).chunks()
    elif head.startswith(_GZIP):
        yield from _gunzipped(stream, head, faults)
    else:
        yield False, head
        while data := stream.read(READ_BYTES):
            yield False, data


def _gunzipped(stream: BinaryIO, head: bytes, faults: Counter[str]) -> Chunks:
    whole = io.BufferedReader(_Prefixed(head, stream), READ_BYTES)
    try:
        with gzip.GzipFile(fileobj=whole) as inflated:
            while data := inflated.read(READ_BYTES):
                yield False, data
    except EOFError:
        faults["stream_cut_off"] += 1
    except (gzip.BadGzipFile, zlib.error):
        faults["stream_damaged"] += 1


class _Prefixed(io.RawIOBase):
    """A stream of which the first bytes were read already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        super().__init__()
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._head or self._stream.read(len(buffer))
        self._head = data[len(buffer) :]
        data = data[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)


class _Streams:
    """The bzip2 streams of a file from a byte on."""

    def __init__(self, stream: BinaryIO, head: bytes, piece: Piece, faults: Counter[str]) -> None:
        self._stream = stream
        self._data = bytearray(head)
        self._offset = piece.start
        self._end = piece.end
        self._faults = faults
        self._known = piece.start == 0  # that a stream begins here, as one has just ended

    def chunks(self) -> Chunks:
        """What the streams hold, each read to its end before the next one is looked for."""
        while self._find():
            past = self._end is not None and self._offset >= self._end
            yield past, b""
            for data in self._inflated():
                yield past, data

    def _find(self) -> bool:
        """Move on to where the next stream begins; False where there is none of ours or the file ends."""
        while True:
            self._fill(HEAD_BYTES)
            if self._known and BZIP2.match(self._data):
                return True
            self._known = False
            if self._end is not None and self._offset >= self._end:
                return False
            found = BZIP2.search(self._data)
            if found:
                self._drop(found.start())
                if self._proves():
                    return True
                self._drop(1)
            else:
                self._drop(max(0, len(self._data) - HEAD_BYTES + 1))
                if not self._fill(HEAD_BYTES):
                    return False

    def _proves(self) -> bool:
        """Whether the bytes that look like a stream's head are one: a whole block can be made of them."""
        self._fill(_PROOF_BYTES)
        try:
            return bool(bz2.BZ2Decompressor().decompress(bytes(self._data[:_PROOF_BYTES]))) or (
                len(self._data) < _PROOF_BYTES
            )
        except OSError:
            return False

    def _inflated(self) -> Iterator[bytes | None]:
        inflater, fed = bz2.BZ2Decompressor(), bytearray()
        self._known = True
        try:
            while not inflater.eof:
                if inflater.needs_input:
                    if not self._fill(1):
                        self._faults["stream_cut_off"] += 1
                        yield None
                        return
                    feed = bytes(self._data[:FEED_BYTES])
                    self._drop(len(feed))
                    fed += feed
                    del fed[:-_PROOF_BYTES]
                    yield inflater.decompress(feed, READ_BYTES)
                else:
                    yield inflater.decompress(b"", READ_BYTES)
        except OSError:
            self._faults["stream_damaged"] += 1
            self._known = False
            self._give_back(fed[1:])  # the next streams may be in it; this one begins no more
            yield None
            return
        self._give_back(inflater.unused_data)

    def _give_back(self, data: bytes | bytearray) -> None:
        self._data[:0] = data
        self._offset -= len(data)

    def _fill(self, size: int) -> bool:
        """Whether there are so many bytes, which are at hand then."""
        while len(self._data) < size and (piece := self._stream.read(READ_BYTES)):
            self._data += piece
        return len(self._data) >= size

    def _drop(self, size: int) -> None:
        del self._data[:size]
        self._offset += size
