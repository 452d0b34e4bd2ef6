"""From the pages of a dump to how often their words, and pairs of neighbours, occur."""

import re
import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.vocabulary.dumps import Page, read_pages
from curation.vocabulary.streams import Open, Piece
from curation.vocabulary.wikitext import TangledError, prose

MOST_TOKENS = 1 << 23
"""Tokens that are counted at once, 4 bytes each; then the counts are handed on, so that memory stays flat."""
BATCH_ROWS = 1 << 16

LEDGER = pa.struct(
    [
        ("file", pa.string()),
        ("pages", pa.int64()),
        ("articles", pa.int64()),
        ("redirects", pa.int64()),
        ("words", pa.int64()),
        ("date", pa.string()),
        ("faults", pa.map_(pa.string(), pa.int64())),
        ("error", pa.string()),
    ]
)
PARTS = pa.schema(
    [
        ("first", pa.string()),
        ("second", pa.string()),
        ("count", pa.int64()),
        ("redirect", pa.string()),
        ("piece", LEDGER),
    ]
)
"""What a piece gives: counts of words (`first`) and pairs (`first`, `second`), each perhaps in several rows,
then titles of redirects, and in the last row its ledger."""

Runs = Callable[[str], Iterator[list[str]]]
"""Cuts a text into runs of words; only words of one run are neighbours."""


class _Kept(dict[int, int]):
    """For `str.translate`: letters, digits, marks, joiners and spaces stay, all else ends the line."""

    def __missing__(self, code: int) -> int:
        character = chr(code)
        stays = character.isalnum() or character.isspace() or character in _JOINERS + _INVISIBLE
        self[code] = code if stays or unicodedata.category(character)[0] == "M" else _LINE_END
        return self[code]


_LINE_END = ord("\n")
_JOINERS = "'\u2019&/\u00b7-"
_SOFT_HYPHEN = "\u00ad"
_INVISIBLE = "\u200c\u200d"  # join letters within words of Persian and of India
_KEPT = _Kept()
_NOT_INSIDE = re.compile(rf"(?<=[\s{_JOINERS}])[{_JOINERS}]+|[{_JOINERS}]+(?=[\s{_JOINERS}])")


def runs(text: str) -> Iterator[list[str]]:
    """The words of a text, in runs of those that only spaces part.

    A word is letters, marks and digits, with single apostrophes, `&`, `/`, middle dots and hyphens inside it
    (`rock'n'roll`, `AT&T`, `km/h`). Case is kept. Any other character parts words and ends a run: so do the
    ends of lines, and the punctuation that matching puts spaces round, for a pair across it could never
    match. Quotes and brackets round a word are not counted with it, though matching would only find it with
    them: the count says how usual the word is.
    """
    text = f"\n{text.replace(_SOFT_HYPHEN, '')}\n".translate(_KEPT)
    for line in _NOT_INSIDE.sub("\n", text).split("\n"):
        if run := line.split():
            yield run


class Ngrams:
    """Counts words and pairs of neighbours."""

    def __init__(self) -> None:
        self._forget()

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, run: list[str]) -> None:
        """Count the words of a run, and each with its neighbour."""
        self._tokens.extend(map(self._ids.__getitem__, run))
        self._tokens.append(-1)

    def take(self) -> Iterator[pa.RecordBatch]:
        """Batches of `PARTS` with the counts so far, each n-gram once; counting begins anew."""
        tokens = np.frombuffer(self._tokens, np.int32)
        words = pa.array(self._ids, pa.string())
        self._forget()
        counts = np.bincount(tokens[tokens >= 0], minlength=len(words))
        yield from _batches(words, None, counts)
        left, right = tokens[:-1], tokens[1:]
        neighbours = (left >= 0) & (right >= 0)
        keys = left[neighbours].astype(np.int64) << 32 | right[neighbours]
        pairs, counts = np.unique(keys, return_counts=True)
        for start in range(0, len(pairs), BATCH_ROWS):
            some = slice(start, start + BATCH_ROWS)
            left, right = pairs[some] >> 32, pairs[some] & 0xFFFFFFFF
            yield from _batches(words.take(pa.array(left)), words.take(pa.array(right)), counts[some])

    def _forget(self) -> None:
        self._tokens = array("i")
        self._ids: defaultdict[str, int] = defaultdict()
        self._ids.default_factory = self._ids.__len__


@dataclass
class _Ledger:
    file: str
    pages: int = 0
    articles: int = 0
    redirects: int = 0
    words: int = 0
    date: str = ""


def count_piece(
    piece: Piece, *, open_at: Open, not_shown: frozenset[str], runs: Runs = runs
) -> Iterator[pa.RecordBatch]:
    """Count the words and pairs in the articles of a piece; never raises for what is wrong with it.

    Args:
        piece: of a dump.
        open_at: opens it.
        not_shown: see `wikitext.prose`.
        runs: cuts texts.

    Yields:
        Batches of `PARTS`. Faults are those of `dumps.read_pages`, and `markup_tangled` for a page whose
        markup cannot be parsed in reasonable time; `error` says why a piece could not be read on.
    """
    ledger, faults = _Ledger(piece.path), Counter[str]()
    ngrams, redirects, error = Ngrams(), list[str](), None
    try:
        for page in read_pages(piece, open_at=open_at, faults=faults):
            ledger.pages += 1
            ledger.date = max(ledger.date, page.date)
            if page.namespace == 0 and page.redirect:
                redirects.append(page.title)
            elif page.namespace == 0:
                ledger.articles += 1
                ledger.words += _count_article(page, ngrams, not_shown, runs, faults)
                if len(ngrams) >= MOST_TOKENS:
                    yield from ngrams.take()
    except Exception as problem:  # noqa: BLE001 - every file system of fsspec has exceptions of its own
        error = " ".join(f"{type(problem).__name__}: {problem}".split())
    yield from ngrams.take()
    ledger.redirects = len(redirects)
    for start in range(0, len(redirects), BATCH_ROWS):
        yield _batch(
            len(redirects[start : start + BATCH_ROWS]), redirect=redirects[start : start + BATCH_ROWS]
        )
    row = vars(ledger) | {"faults": sorted(faults.items()), "error": error}
    yield _batch(1, piece=[row])


def _count_article(
    page: Page, ngrams: Ngrams, not_shown: frozenset[str], runs: Runs, faults: Counter[str]
) -> int:
    try:
        text = prose(page.text, not_shown=not_shown)
    except TangledError:
        faults["markup_tangled"] += 1
        return 0
    words = 0
    for run in runs(text):
        ngrams.add(run)
        words += len(run)
    return words


def _batches(first: pa.Array, second: pa.Array | None, counts: np.ndarray) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(counts), BATCH_ROWS):
        some = slice(start, start + BATCH_ROWS)
        columns = {"first": first[some], "count": pa.array(counts[some], pa.int64())}
        if second is not None:
            columns["second"] = second[some]
        yield _batch(len(columns["first"]), **columns)


def _batch(rows: int, **columns: object) -> pa.RecordBatch:
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in PARTS
    ]
    return pa.record_batch(arrays, schema=PARTS)
