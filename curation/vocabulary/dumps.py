"""Wikipedia's XML dumps: cut into pieces that are read in parallel, and from them the pages.

A multistream dump is many bzip2 streams, one after the other. A piece is a range of bytes; the streams that
begin in it are its own, and so are the pages that begin in them, wherever they end. So no index is needed,
and it does not matter whether streams hold whole pages (Wikimedia's do) or were cut anywhere.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from curation.errors import InputError
from curation.vocabulary.streams import BZIP2, HEAD_BYTES, READ_BYTES, Chunks, Open, Piece, chunks
from curation.vocabulary.wikitext import NOT_SHOWN

PIECE_BYTES = 64 << 20
"""Compressed: what is read by one task."""
PAGE_BYTES = 32 << 20
"""Of XML; MediaWiki's own limit is 2 MiB of text, and a page with a longer record is none."""

_OPEN, _CLOSE = b"<page>", b"</page>"
_FILE, _CATEGORY = 6, 14  # the namespaces' numbers, in every wiki


@dataclass(frozen=True, slots=True)
class Page:
    """A page in its newest revision.

    Attributes:
        title: with spaces, as readers see it.
        namespace: 0 for articles.
        redirect: whether it only leads to another page.
        date: of the revision, `YYYY-MM-DD`; empty if it is missing.
        text: wikitext.
    """

    title: str
    namespace: int
    redirect: bool
    date: str
    text: str


def pieces(
    path: str, size_bytes: int | None, *, open_at: Open, piece_bytes: int = PIECE_BYTES
) -> list[Piece]:
    """Cut a dump into pieces: a bzip2 file of known size into many, others are one.

    Raises:
        InputError: it is empty.
    """
    with open_at(path, 0) as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        raise InputError(f"{path} is empty; give a dump, *-pages-articles*.xml.bz2")
    if not size_bytes or not BZIP2.match(head):
        return [Piece(path)]
    starts = range(0, size_bytes, piece_bytes)
    return [Piece(path, start, start + piece_bytes) for start in starts]


def not_shown(path: str, *, open_at: Open) -> frozenset[str]:
    """The names under which a dump's wiki knows files and categories, in lower case, English ones included.

    Raises:
        InputError: it is no dump of a wiki.
    """
    faults: Counter[str] = Counter()
    with open_at(path, 0) as stream:
        head = b""
        for _, data in chunks(stream, Piece(path), faults):
            head += data or b""
            if b"</siteinfo>" in head or len(head) > READ_BYTES:
                break
    if b"<mediawiki" not in head and _OPEN not in head:
        raise InputError(f"{path} is no dump of a wiki; give *-pages-articles*.xml.bz2")
    names = re.findall(rb'<namespace key="(\d+)"[^>]*>([^<]+)</namespace>', head)
    return NOT_SHOWN | {
        name.decode("utf-8", "replace").lower() for key, name in names if int(key) in (_FILE, _CATEGORY)
    }


def read_pages(piece: Piece, *, open_at: Open, faults: Counter[str]) -> Iterator[Page]:
    """The pages of a piece, in memory that does not grow with it.

    What is damaged costs itself: a page its page, a stream the rest of its stream.

    Args:
        piece: of a bzip2, gzip or plain file; the content tells.
        open_at: opens it.
        faults: grows by what is lost, by reason: `stream_damaged` and `stream_cut_off` of bzip2 and gzip,
            `page_cut_off` for a page without its end, `page_damaged` for one that is no XML or lacks a part,
            `page_too_long`.
    """
    with open_at(piece.path, piece.start) as stream:
        for record in _records(chunks(stream, piece, faults), faults):
            page = _page(record)
            if page is None:
                faults["page_damaged"] += 1
            else:
                yield page


def _records(uncompressed: Chunks, faults: Counter[str]) -> Iterator[bytes]:
    """The pages that begin in a piece, as XML, from `<page>` to `</page>`."""
    rest, searched, skipping = bytearray(), 0, False
    for past, data in uncompressed:
        if past and not _is_open(rest):
            return
        if data is None:
            faults.update(["page_cut_off"] * (_OPEN in rest))
            rest, searched, skipping = bytearray(), 0, False
            continue
        rest += data
        while (end := rest.find(_CLOSE, searched)) >= 0:
            start = rest.rfind(_OPEN, 0, end)
            # A page that another one begins in has lost its end.
            faults.update(["page_cut_off"] * (rest.count(_OPEN, 0, end) - 1))
            if start >= 0:
                yield bytes(rest[start : end + len(_CLOSE)])
            skipping, searched = False, 0
            del rest[: end + len(_CLOSE)]
            if past:
                return
        searched = max(0, len(rest) - len(_CLOSE) + 1)
        if len(rest) > PAGE_BYTES:
            faults.update(["page_too_long"] * (_OPEN in rest and not skipping))
            skipping, searched = True, 0
            del rest[: -len(_CLOSE)]
    faults.update(["page_cut_off"] * (_OPEN in rest))


def _is_open(rest: bytearray) -> bool:
    """Whether a page has begun in what is left of a piece, be it with half of its tag."""
    return _OPEN in rest or any(rest.endswith(_OPEN[:length]) for length in range(1, len(_OPEN)))


class _Reader:
    """What is wanted of a page's XML."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.redirect = False
        self._wanted: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "redirect":
            self.redirect = True
        self._wanted = [] if name in ("title", "ns", "timestamp", "text") else None

    def text(self, data: str) -> None:
        if self._wanted is not None:
            self._wanted.append(data)

    def end(self, name: str) -> None:
        if self._wanted is not None:
            self.found.setdefault(name, "".join(self._wanted))
            self._wanted = None


def _page(record: bytes) -> Page | None:
    """The page of an XML record; None if it is damaged."""
    reader, parser = _Reader(), expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.CharacterDataHandler = reader.text
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(record, True)
        found = reader.found
        return Page(
            title=found["title"],
            namespace=int(found["ns"]),
            redirect=reader.redirect,
            date=found.get("timestamp", "")[:10],
            text=found["text"],
        )
    except (expat.ExpatError, KeyError, ValueError):
        return None
