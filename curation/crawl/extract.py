"""One input file to rows: its pairs as they are found, and at its end one line of the ledger."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from curation.crawl.archive import Archive, Record
from curation.crawl.files import open_input
from curation.crawl.html import page_of_response
from curation.crawl.language import Languages
from curation.crawl.links import Page
from curation.crawl.members import ReadError
from curation.crawl.pairs import CANDIDATES, Columns, Rules, add_pairs
from curation.crawl.wat import is_response, page_of_wat
from curation.schemas import FILES

BATCH_ROWS = 4096

ROWS = CANDIDATES.append(pa.field("file", pa.struct(list(FILES))))
"""Pairs have no `file`; the last row of a file has nothing else. One schema, as one pass yields both."""

_CRAWL = re.compile(r"CC-MAIN-\d{4}-\d{2}(?!\d)")


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


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files are read.

    Attributes:
        rules: what is taken from a page.
        languages: how they are told, and which are kept; None leaves them open.
    """

    rules: Rules = field(default_factory=Rules)
    languages: Languages | None = field(default_factory=Languages)


def read_file(path: str, *, reading: Reading) -> Iterator[pa.RecordBatch]:
    """The pairs of a WAT or WARC file, plain or gzipped, and its ledger.

    Never raises for what is wrong with the file: what was read before is kept, and the ledger tells. What is
    wrong with the machine (`curation.core.drivers.AccessError`) would be an error of every file after it.

    Args:
        path: a local path or a URL that fsspec can open.
        reading: how.

    Returns:
        Batches of `ROWS`, of `BATCH_ROWS` pairs and at most a page's more; the last holds the ledger, and
        only that.
    """
    ledger = Ledger(path)
    for columns in _columns_of_file(ledger, reading.rules):
        yield _pair_batch(columns, reading, ledger)
    yield _ledger_batch(ledger)


def _columns_of_file(ledger: Ledger, rules: Rules) -> Iterator[Columns]:
    try:
        with open_input(ledger.path) as stream:
            archive = Archive(stream)
            try:
                yield from _columns_of_archive(archive, ledger, rules)
            finally:
                ledger.faults += archive.faults
                ledger.truncated = archive.truncated
                ledger.size_bytes = getattr(stream, "size", None) or archive.bytes_read
    except ReadError as error:
        ledger.error = str(error)
    else:
        if not ledger.records:
            ledger.error = "no WARC record in the file"


def _columns_of_archive(archive: Archive, ledger: Ledger, rules: Rules) -> Iterator[Columns]:
    crawl, columns = _crawl_in(ledger.path), Columns()
    try:
        for record in archive:
            ledger.records += 1
            kind = record.kind
            if kind == "warcinfo":
                crawl = crawl or _crawl_in(record.body.decode("utf-8", "replace"))
            elif page := _page(kind, record, ledger.faults):
                ledger.pages += 1
                ledger.images += len(page.images)
                ledger.candidates += add_pairs(page, crawl, rules, columns, ledger.dropped)
                if len(columns.urls) >= BATCH_ROWS:
                    yield columns
                    columns = Columns()
    except ReadError:
        if columns.urls:  # what was read before the file broke
            yield columns
        raise
    if columns.urls:
        yield columns


def _page(kind: str, record: Record, faults: Counter[str]) -> Page | None:
    """The page of a record; what is half a JSON document at the end of a cut-off file holds none."""
    if kind == "response":
        return page_of_response(record, faults)
    if kind == "metadata" and record.complete and is_response(record.body):
        return (
            page_of_wat(record.body, record.url, faults)
            if "json" in record.field(b"\nContent-Type: ")
            else None
        )
    return None


def _pair_batch(columns: Columns, reading: Reading, ledger: Ledger) -> pa.RecordBatch:
    """The pairs with their language, without those in a language that is not wanted."""
    n, languages = len(columns.urls), reading.languages
    names, scores = languages.identify(columns.texts) if languages else ([None] * n, [None] * n)
    batch = columns.batch(names, scores).append_column("file", pa.nulls(n, ROWS.field("file").type))
    if languages and languages.wanted is not None:
        batch = batch.filter(pc.is_in(batch["language"], pa.array(languages.wanted, pa.string())))
        if batch.num_rows < n:
            ledger.dropped["language"] += n - batch.num_rows
    ledger.pairs += batch.num_rows
    return batch


def _ledger_batch(ledger: Ledger) -> pa.RecordBatch:
    row = asdict(ledger) | {name: sorted(getattr(ledger, name).items()) for name in ("dropped", "faults")}
    return pa.RecordBatch.from_pylist([{"file": row}], schema=ROWS)


def _crawl_in(text: str) -> str | None:
    match = _CRAWL.search(text)
    return match[0] if match else None
