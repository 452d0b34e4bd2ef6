"""How often the articles of a Wikipedia were looked at, from the files that Wikimedia publishes."""

import bz2
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes

import pyarrow as pa
from isal import isal_zlib

from curation.core.drivers import remedy
from curation.errors import InputError
from curation.vocabulary.streams import Open

VIEWS = pa.schema([("title", pa.string()), ("views", pa.int64())])
"""One row a line of a file that counts; a title may come in several."""

BATCH_ROWS = 1 << 16
CHUNK_BYTES = 1 << 16
LINE_BYTES = 1 << 14
"""What is kept of a line without an end; titles have at most 255 bytes, three times that when encoded."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which views count.

    Attributes:
        least_an_hour: a line of an hour with fewer counts as nothing.
        least: a title with fewer over all files is no entry; for the caller, who adds them up.
        desktop: whether views on phones are left out.
        colons: whether titles may hold a colon.
    """

    least_an_hour: int
    least: int
    desktop: bool
    colons: bool


RECIPES = {
    "metaclip": Recipe(least_an_hour=50, least=70, desktop=True, colons=False),
    "weighted": Recipe(least_an_hour=0, least=1, desktop=False, colons=True),
}

# The namespaces that a wiki knows by these names whatever its language, and their shortcuts.
_NAMESPACES = frozenset({"", "media", "special", "mos", "wp", "wt", "image", "image talk", "talk"}) | {
    f"{name}{talk}"
    for name in (
        *("user", "wikipedia", "project", "file", "mediawiki", "template", "help", "category"),
        *("portal", "draft", "timedtext", "module"),
    )
    for talk in ("", " talk")
}
_NO_ARTICLE = frozenset({"", "-", ".", "..", "Main Page"})
_TITLE_BYTES = 255
_SPACES = re.compile("[ _\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e]+")
_ILLEGAL = re.compile(r"[#<>\[\]{}|\x00-\x1f\x7f-\x9f\ufffd]|%[0-9A-Fa-f]{2}|(?:^|/)\.\.?(?:/|$)")
# Titles of which there is nothing to be done but the underscores: most.
_PLAIN = re.compile(rb"[A-Z0-9](?:_?[A-Za-z0-9()',.!-])*_?[A-Za-z0-9()!]")

_HOURS = re.compile(rb"(?:[A-X]\d{1,15})+")
_HOUR = re.compile(rb"[A-X](\d+)")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)

_COMPRESSIONS: dict[str, Callable[[], Any]] = {
    ".gz": lambda: isal_zlib.decompressobj(wbits=31),
    ".bz2": bz2.BZ2Decompressor,
}


def floor(recipe: str) -> int:
    """The views that a title needs, over all files, to be an entry."""
    return RECIPES[recipe].least


def read_views(
    path: str, *, open_at: Open, wiki: str, recipe: str, faults: Counter[str]
) -> Iterator[pa.RecordBatch]:
    """Read the titles and views of one file, in memory that does not grow with it.

    Lines tell their format: `en Some_title 12 0` is of an hourly file (`en.m` for phones), `en.wikipedia
    Some_title 9228 desktop 12 A5B7` of a daily one, with the views of each hour. Redirects are there like
    articles, and cannot be told; nor can namespaces by names that only one language has.

    Args:
        path: path or URL of `pageviews-YYYYMMDD-HH0000.gz` or `pageviews-YYYYMMDD-user.bz2`, or the same
            uncompressed; the ending tells.
        open_at: opens it.
        wiki: code of the Wikipedia, such as `en`.
        recipe: a name of `RECIPES`.
        faults: grows by what is lost, by reason: `malformed_line` of this wiki, `not_utf8` for a title,
            `no_hours` where the recipe needs them; `truncated` for a file that was cut off and `damaged`
            for one that cannot be decompressed to the end, of which what comes before is given.

    Yields:
        Batches of `VIEWS`, of `BATCH_ROWS` rows at most: one row a line, so that a title may come again.

    Raises:
        InputError: it is missing or cannot be read.

    Source:
        MetaCLIP, section 3.1, for the recipe `metaclip`: hours from 50 views, on desktops, no colon.
    """
    rows = _rows(_blocks(path, open_at, faults), wiki, RECIPES[recipe], faults)
    while batch := list(islice(rows, BATCH_ROWS)):
        titles, views = zip(*batch, strict=True)
        yield pa.record_batch([pa.array(titles, pa.string()), pa.array(views, pa.int64())], schema=VIEWS)


def clean_title(raw: bytes, *, colons: bool = True) -> str | None:
    """The title of an article as it reads, from the title in a request.

    Percent-encoding is undone, once, underscores become spaces, runs of them one; the first letter is made
    a capital, and characters are composed (NFC): what MediaWiki does to find the article.

    Args:
        raw: the title as a file has it.
        colons: whether the title may hold a colon.

    Returns:
        None if there can be no such article: an empty title, the English main page, a page of a namespace
        such as `Special:`, or what titles cannot hold (`#`, which begins an anchor, `<>[]{}|`, control
        characters, encoding that is left, more than 255 bytes).

    Raises:
        UnicodeDecodeError: the title is not UTF-8, encoded or not.
    """
    if len(raw) <= _TITLE_BYTES and _PLAIN.fullmatch(raw):
        title = raw.decode().replace("_", " ")
        return None if title in _NO_ARTICLE else title
    title = (unquote_to_bytes(raw) if b"%" in raw else raw).decode()
    title = _SPACES.sub(" ", _DIRECTIONS.sub("", unicodedata.normalize("NFC", title))).strip(" ")
    if _ILLEGAL.search(title) or len(title.encode()) > _TITLE_BYTES:
        return None
    if ":" in title and (not colons or title.split(":")[0].strip().lower() in _NAMESPACES):
        return None
    # Not `upper`, which changes ß and Georgian letters, as MediaWiki does not; `title` changes the capital Ǆ.
    first = title[:1] if title[:1].isupper() else title[:1].title()
    title = first + title[1:] if len(first) == 1 else title
    return None if title in _NO_ARTICLE else title


def _rows(
    blocks: Iterator[bytes], wiki: str, rule: Recipe, faults: Counter[str]
) -> Iterator[tuple[str, int]]:
    ours, lines = _patterns(wiki, rule)
    for block in blocks:
        found = lines.findall(block)
        if lost := len(ours.findall(block)) - len(found):
            faults["malformed_line"] += lost
        for title, views, daily_title, device, total, hours in found:
            if title:
                counted = int(views) if int(views) >= rule.least_an_hour else 0
            elif rule.desktop and device != b"desktop":
                continue
            else:
                title = _unquoted(daily_title)
                counted = _daily_views(int(total), hours, rule.least_an_hour, faults)
            if not counted:
                continue
            try:
                clean = clean_title(title, colons=rule.colons)
            except UnicodeDecodeError:
                faults["not_utf8"] += 1
                continue
            if clean is not None:
                yield clean, counted


def _patterns(wiki: str, rule: Recipe) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """What begins a line that is wanted, and whole lines: title and views, or those of a daily file."""
    # With the line end before it, a pattern begins with characters that are found much faster than `^`.
    start = b"\n" + re.escape(wiki.encode())
    hosts = b"" if rule.desktop else rb"(?:\.m|\.zero)?"
    hourly = hosts + rb" ([^ \n]+) (\d{1,15}) \d+"
    daily = rb"\.wikipedia ([^ \n]+) [^ \n]+ (desktop|mobile-web|mobile-app) (\d{1,15}) ([^ \n]+)"
    ours = re.compile(rb"%b(?:%b|\.wikipedia) " % (start, hosts))
    return ours, re.compile(rb"%b(?:%b|%b)(?=\r?\n)" % (start, hourly, daily))


def _unquoted(title: bytes) -> bytes:
    """A title of a daily file, where one with a quotation mark is in quotation marks, its own escaped."""
    quoted = len(title) > 1 and title.startswith(b'"') and title.endswith(b'"')
    return _ESCAPED.sub(rb"\1", title[1:-1]) if quoted else title


def _daily_views(total: int, hours: bytes, least: int, faults: Counter[str]) -> int:
    if not least or total < least:
        return 0 if least else total
    if not _HOURS.fullmatch(hours):
        faults["no_hours"] += 1  # of a monthly file they are days, and go beyond X
        return 0
    return sum(views for views in map(int, _HOUR.findall(hours)) if views >= least)


def _blocks(path: str, open_at: Open, faults: Counter[str]) -> Iterator[bytes]:
    """The file in blocks of whole lines, each block with a line end before and after it."""
    rest, lost = b"\n", faults["truncated"] + faults["damaged"]
    for piece in _pieces(path, open_at, faults):
        data = rest + piece
        end = data.rindex(b"\n")
        if end:
            yield data[: end + 1]
        rest = data[end : end + LINE_BYTES]
    if len(rest) > 1 and lost == faults["truncated"] + faults["damaged"]:
        yield rest + b"\n"


def _pieces(path: str, open_at: Open, faults: Counter[str]) -> Iterator[bytes]:
    """The file, decompressed, as far as that goes."""
    try:
        with open_at(path, 0) as stream:
            chunks = iter(lambda: stream.read(CHUNK_BYTES), b"")
            yield from _decompressed(chunks, path, faults)
    except Exception as error:  # every file system of fsspec has exceptions of its own
        told = remedy(path, error) or " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read: {told}") from error


def _decompressed(chunks: Iterator[bytes], path: str, faults: Counter[str]) -> Iterator[bytes]:
    start = next((start for ending, start in _COMPRESSIONS.items() if path.endswith(ending)), None)
    if start is None:
        yield from chunks
        return
    engine = None
    for chunk in chunks:
        while chunk:  # a file may be several streams, one after the other
            engine = engine or start()
            try:
                piece = engine.decompress(chunk)
            except (OSError, isal_zlib.error):  # type: ignore[misc]  # the stubs take it for an instance
                faults["damaged"] += 1
                return
            yield piece
            chunk = engine.unused_data if engine.eof else b""
            engine = None if engine.eof else engine
    if engine is not None:
        faults["truncated"] += 1
