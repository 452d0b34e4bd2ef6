"""HTTP responses as WARC records hold them: header fields, and the body without its codings."""

import io
import re
from dataclasses import dataclass

from fastwarc.stream_io import BrotliReader, GzipReader, WarcReader, ZstdReader

from curation.crawl.archive import header_fields

BODY_BYTES = 16 << 20
"""Longest body that is decoded. The tree of an HTML page takes about ten times as much memory."""
_PIECE_BYTES = 1 << 16

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_CHUNK_HEAD = re.compile(rb"\s*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Response:
    """The parts of an HTTP response that matter here.

    Attributes:
        fields: the header, names in lower case; of repeated fields the first.
        body: decoded; at most one byte longer than `BODY_BYTES`, which says that it was too long.
        head: the header as it stands, with what is repeated.
    """

    fields: dict[str, str]
    body: bytes
    head: bytes = b""


def parse_response(data: bytes) -> Response:
    """Take an HTTP response apart.

    A body that is not coded in the way the header says is taken as it is, since some crawlers decode it and
    leave the header alone. Of one that is cut off or damaged the beginning is kept.
    """
    match = _HEAD_END.search(data)
    head = data[: match.start()] if match else b""
    fields = header_fields(head) if match else {}
    body = data[match.end() :] if match else b""
    if "chunked" in fields.get("transfer-encoding", "").lower():
        body = _without_chunks(body)
    return Response(fields, _decode(body, fields.get("content-encoding", "").lower().split(",")), head)


def is_compressed(body: bytes) -> bool:
    """Whether a body that should be text is still a gzip stream."""
    return body.startswith(_GZIP)


def _without_chunks(body: bytes) -> bytes:
    chunks, at = [], 0
    while (head := _CHUNK_HEAD.match(body, at)) and (size := int(head[1], 16)):
        chunks.append(body[head.end() : head.end() + size])
        at = head.end() + size
    return b"".join(chunks) if at else body


def _decode(body: bytes, codings: list[str]) -> bytes:
    reader: io.BytesIO | WarcReader = io.BytesIO(body)
    for coding in reversed(codings):  # they are named in the order in which they were applied
        reader = _decoder(reader, coding.strip())
    pieces: list[bytes] = []
    missing = BODY_BYTES + 1
    try:
        while missing and (piece := reader.read(min(missing, _PIECE_BYTES))):
            pieces.append(piece)
            missing -= len(piece)
    except OSError:
        if not pieces:
            return body[: BODY_BYTES + 1]
    return b"".join(pieces)


def _decoder(reader: io.BytesIO | WarcReader, coding: str) -> io.BytesIO | WarcReader:
    match coding:
        case "gzip" | "x-gzip":
            return GzipReader(reader)
        case "deflate":
            return GzipReader(reader, zlib=True)
        case "br":
            return BrotliReader(reader)
        case "zstd":
            return ZstdReader(reader)
    return reader
