"""One input file to rows: its pairs as they are found, and at its end one line of the ledger."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice

import pyarrow as pa

from curation.crawl.archive import Archive, Record
from curation.crawl.files import open_input
from curation.crawl.html import page_of_response
from curation.crawl.language import identify
from curation.crawl.links import Base, Page
from curation.crawl.members import ReadError
from curation.crawl.texts import accept_text
from curation.crawl.wat import page_of_wat
from curation.schemas import FILES, PAIRS

BATCH_ROWS = 4096

ROWS = pa.schema(
    [column for column in PAIRS if column.name not in ("uid", "seen")]
    + [pa.field("file", pa.struct(list(FILES)))]
)
"""Pairs have no `file`; the last row of a file has nothing else. One schema, as one pass yields both."""

_CRAWL = re.compile(r"CC-MAIN-\d{4}-\d{2}(?!\d)")

_Pair = tuple[str, str, str, str | None, str | None]
"""url, text, text_source, page_url, crawl."""


@dataclass
class Ledger:
    """What happened to one file, as `schemas.FILES` has it; candidates = pairs + the sum of `dropped`."""

    path: str
    size_bytes: int | None = None
    records: int = 0
    pages: int = 0
    images: int = 0
    candidates: int = 0
    pairs: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    truncated: bool = False
    error: str | None = None


def read_file(path: str, *, languages: frozenset[str] | None) -> Iterator[pa.RecordBatch]:
    """The pairs of a WAT or WARC file, plain or gzipped, and its ledger.

    Never raises for what is wrong with the file: what was read before is kept, and the ledger tells.

    Args:
        path: a local path or a URL that fsspec can open.
        languages: the languages whose texts are kept, as `identify` names them; None keeps all.

    Returns:
        Batches of `ROWS`, at most `BATCH_ROWS` pairs in each; the last holds the ledger, and only that.
    """
    ledger = Ledger(path)
    pairs = _pairs_of_file(ledger)
    while batch := list(islice(pairs, BATCH_ROWS)):
        yield _pair_batch(batch, languages, ledger)
    yield _ledger_batch(ledger)


def _pairs_of_file(ledger: Ledger) -> Iterator[_Pair]:
    try:
        with open_input(ledger.path) as stream:
            archive = Archive(stream)
            try:
                yield from _pairs_of_archive(archive, ledger)
            finally:
                ledger.faults += archive.faults
                ledger.truncated = archive.truncated
                ledger.size_bytes = getattr(stream, "size", None) or archive.bytes_read
    except ReadError as error:
        ledger.error = str(error)
    else:
        if not ledger.records:
            ledger.error = "no WARC record in the file"


def _pairs_of_archive(archive: Archive, ledger: Ledger) -> Iterator[_Pair]:
    crawl = _crawl_in(ledger.path)
    for record in archive:
        ledger.records += 1
        if record.kind == "warcinfo":
            crawl = crawl or _crawl_in(record.body.decode("utf-8", "replace"))
        elif page := _page(record, ledger.faults):
            ledger.pages += 1
            ledger.images += len(page.images)
            for url, text, source in _pairs_of_page(page, ledger):
                yield url, text, source, page.url, crawl


def _page(record: Record, faults: Counter[str]) -> Page | None:
    """The page of a record; what is half a JSON document at the end of a cut-off file holds none."""
    if record.kind == "response":
        return page_of_response(record, faults)
    if record.kind == "metadata" and record.complete and "json" in record.fields.get("content-type", ""):
        return page_of_wat(record.body, record.url, faults)
    return None


def _pairs_of_page(page: Page, ledger: Ledger) -> Iterator[tuple[str, str, str]]:
    """url, text and text_source of what the rules for texts and links accept."""
    base: Base | None = None
    for image in page.images:
        resolved: tuple[str, None] | tuple[None, str] | None = None
        for source, candidate in (("alt", image.alt), ("title", image.title)):
            if candidate is None:
                continue
            ledger.candidates += 1
            text, reason = accept_text(candidate)
            if text is not None:
                base = base or Base(page.url, page.base)
                resolved = resolved or base.resolve(image.url)
                url, reason = resolved
                if url is not None:
                    yield url, text, source
                    continue
            ledger.dropped[str(reason)] += 1


def _pair_batch(batch: list[_Pair], languages: frozenset[str] | None, ledger: Ledger) -> pa.RecordBatch:
    """The pairs with their language, without those in a language that is not wanted."""
    found, scores = identify([text for _, text, *_ in batch])
    rows = [
        (*pair, language, score)
        for pair, language, score in zip(batch, found, scores, strict=True)
        if languages is None or language in languages
    ]
    ledger.pairs += len(rows)
    if unwanted := len(batch) - len(rows):
        ledger.dropped["language"] += unwanted
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in ROWS.names[:-1]]
    return pa.record_batch([*columns, [None] * len(rows)], schema=ROWS)


def _ledger_batch(ledger: Ledger) -> pa.RecordBatch:
    row = asdict(ledger) | {name: sorted(getattr(ledger, name).items()) for name in ("dropped", "faults")}
    return pa.RecordBatch.from_pylist([{"file": row}], schema=ROWS)


def _crawl_in(text: str) -> str | None:
    match = _CRAWL.search(text)
    return match[0] if match else None
