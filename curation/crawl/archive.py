"""The records of a WARC or WAT file, read so that damage costs the damaged record and nothing else."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

from curation.crawl.members import Segment, State, Window, segments

RECORD_BYTES = 64 << 20
"""Most bytes of a record that is read; Common Crawl cuts pages at 1 MiB, later 5 MiB."""
HEAD_BYTES = 64 << 10

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_CONTENT_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_USUAL_LENGTH = b"\r\nContent-Length: "
_NEXT_RECORD = re.compile(rb"\nWARC/1\.")
_OVERLAP = len(b"\nWARC/1.") - 1
_START = b"WARC/"
_BLANK = b"\r\n"
_RECORD_END = b"\r\n\r\n"


@dataclass
class Record:
    """One WARC record.

    Attributes:
        head: the WARC header as it stands, with the empty line that ends it.
        body: what follows the header.
        complete: false for the last record of a file that was cut off.
    """

    head: bytes
    body: bytes
    complete: bool = True

    @cached_property
    def fields(self) -> dict[str, str]:
        """The WARC header, names in lower case; of repeated fields the first."""
        return header_fields(self.head)

    def field(self, line: bytes) -> str:
        """A field of the WARC header, empty if it is not there.

        Args:
            line: how its line usually begins, from the line end before it to the space after the colon.
        """
        head = self.head
        start = head.find(line)
        if start < 0:
            return self.fields.get(line[1:-2].decode().lower(), "")
        start += len(line)
        return head[start : head.find(b"\n", start)].decode("utf-8", "replace").strip()

    @property
    def kind(self) -> str:
        """WARC-Type: `response`, `metadata`, `warcinfo`, …."""
        return self.field(b"\nWARC-Type: ")

    @property
    def url(self) -> str | None:
        """WARC-Target-URI; some writers put it in angle brackets."""
        return self.field(b"\nWARC-Target-URI: ").strip("<>") or None


class Archive:
    """Iterates over the records of a file, once, in memory that does not grow with the file.

    Attributes:
        faults: what was lost, by reason, counted while iterating: `damaged_member` (gzip), `damaged_record`
            (no header, or a length that does not fit), `record_too_large`; `wrong_length`, harmless.
        truncated: whether the file was cut off; settled at the end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.faults: Counter[str] = Counter()
        self.truncated = False
        self._window = Window(stream)

    @property
    def bytes_read(self) -> int:
        """Bytes of the file read so far, compressed as they are."""
        return self._window.bytes_read

    def __iter__(self) -> Iterator[Record]:
        """The records in file order.

        Raises:
            ReadError: the stream could not be read.
        """
        for segment in segments(self._window):
            start = segment.read()
            if segment.whole and (record := _only_record(start)):
                yield record
                continue
            yield from _SegmentReader(segment, start, self.faults)
            if segment.state is State.DAMAGED:
                self.faults["damaged_member"] += 1
            self.truncated |= segment.state is State.TRUNCATED


class _SegmentReader:
    """The records of one segment."""

    def __init__(self, segment: Segment, start: bytes, faults: Counter[str]) -> None:
        self._segment = segment
        self._faults = faults
        self._data = start
        self._ended = not start

    def __iter__(self) -> Iterator[Record]:
        while self._skip_blank():
            head = self._head()
            length = _content_length(head) if head else None
            if head is None or length is None:
                if self._data:
                    self._lose("damaged_record")
            elif length > RECORD_BYTES:
                self._lose("record_too_large")
            elif record := self._record(head, length):
                yield record

    def _need(self, size: int) -> bool:
        """Whether `size` bytes are there, after reading on as far as that takes."""
        pieces, have = [self._data], len(self._data)
        while have < size and not self._ended:
            piece = self._segment.read()
            self._ended = not piece
            pieces.append(piece)
            have += len(piece)
        if len(pieces) > 1:
            self._data = b"".join(pieces)
        return have >= size

    def _skip_blank(self) -> bool:
        """Pass over line ends before a record; whether anything follows."""
        while self._need(1):
            self._data = self._data.lstrip(_BLANK)
            if self._data:
                return True
        return False

    def _head(self) -> bytes | None:
        """The header of the record that begins here, None where there is none."""
        self._need(len(_START))
        while self._data.startswith(_START):
            if match := _HEAD_END.search(self._data, 0, HEAD_BYTES):
                return self._data[: match.end()]
            if len(self._data) >= HEAD_BYTES:
                return None
            if not self._need(len(self._data) + 1):
                break
        if self._ended and _START.startswith(self._data[: len(_START)]) and self._cut_off():
            self._data = b""
        return None

    def _record(self, head: bytes, length: int) -> Record | None:
        """The record, unless what follows shows that its length is wrong or its bytes are damaged."""
        end = len(head) + length
        # Looking behind the end also makes zlib reach and check the checksum before a record is handed out.
        complete = self._need(end + len(_RECORD_END + _START)) or len(self._data) >= end
        if self._ended and self._segment.state is State.DAMAGED:
            self._data = b""
            return None
        follows = self._data[end : end + len(_RECORD_END + _START)]
        fits = follows.startswith(_RECORD_END) or _START.startswith(follows.lstrip(_BLANK)[: len(_START)])
        if not (fits and (complete or self._cut_off())):
            if not self._alone():
                self._lose("damaged_record")
                return None
            self._faults["wrong_length"] += 1
            end, complete = len(self._data.rstrip(_BLANK)), True
        body = self._data[len(head) : end]
        self._data = self._data[end:]
        return Record(head, body, complete)

    def _cut_off(self) -> bool:
        """Whether the segment ends within the record that begins here because the file was cut off there."""
        if self._segment.state is State.UNKNOWN and not _NEXT_RECORD.search(self._data):
            self._segment.state = State.TRUNCATED
        return self._segment.state is State.TRUNCATED

    def _alone(self) -> bool:
        """Whether the record is all that is left of a whole gzip member, whose end is sure."""
        if self._segment.state is not State.WHOLE or self._need(RECORD_BYTES):
            return False
        return self._segment.state is State.WHOLE and not _NEXT_RECORD.search(self._data)

    def _lose(self, reason: str) -> None:
        """Count a fault and go to the next record of the segment, or to its end."""
        start = 1
        while self._data and not (match := _NEXT_RECORD.search(self._data, start)):
            self._data, start = self._data[-_OVERLAP:], 0
            if not self._need(len(self._data) + 1):
                self._data = b""
        if self._data and match:
            self._data = self._data[match.start() + 1 :]
        self._faults[reason] += 1


def _only_record(data: bytes) -> Record | None:
    """The record that a whole member consists of, as nearly each does; None if it may be otherwise."""
    end = data.find(_RECORD_END, 0, HEAD_BYTES) + len(_RECORD_END)
    head = data[:end]
    length = _content_length(head) if head.startswith(_START) else None
    if length is None or length > RECORD_BYTES or end + length + len(_RECORD_END) != len(data):
        return None
    return Record(head, data[end:-4]) if data.endswith(_RECORD_END) else None


def _content_length(head: bytes) -> int | None:
    start = head.find(_USUAL_LENGTH) + len(_USUAL_LENGTH)
    if start >= len(_USUAL_LENGTH) and (digits := head[start : head.find(b"\r\n", start)]).isdigit():
        return int(digits[:18])  # an absurd length stays absurd
    match = _CONTENT_LENGTH.search(head)
    return int(match[1]) if match else None


def header_fields(head: bytes) -> dict[str, str]:
    """The fields of a WARC or HTTP header, names in lower case; of repeated ones the first."""
    fields: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\n")[1:]:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    return fields
