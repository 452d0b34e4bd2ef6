"""The vocabulary as data: the entries that texts are matched against, and the files they are kept in."""

import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core.matcher import OTHER
from curation.errors import InputError
from curation.schemas import ENTRIES
from curation.vocabulary.files import exists, gzipped, read_bytes, write_folder

_TABLE = "entries.parquet"
_MANIFEST = "MANIFEST.json"
_LANGUAGE = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")  # it names a file


@dataclass(frozen=True)
class Vocabulary:
    """Lists of entries, one a language, one after the other.

    Attributes:
        table: columns of `schemas.ENTRIES`; entry_id is the row, and each language is one run of rows.

    Raises:
        InputError: the table is not such a vocabulary. The message lacks the place, which the reader adds.
    """

    table: pa.Table

    def __post_init__(self) -> None:
        if self.table.num_rows == 0:
            raise InputError("holds no entries")
        object.__setattr__(self, "table", self.table.combine_chunks())
        _check_rows(self.table)
        _check_languages([language for language, _, _ in _runs(self.table)])
        _check_unique(self)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages, in the order of their lists."""
        return tuple(self._ranges)

    def entries(self, language: str) -> pa.StringArray:
        """The list of a language.

        Raises:
            KeyError: the vocabulary has no such list.
        """
        first, end = self._ranges[language]
        # `combine_chunks` copies; a plain slice would take the other lists along when pickled.
        return self.table["entry"].slice(first, end - first).combine_chunks()

    @cached_property
    def sha256(self) -> str:
        """Hex digest of all that decides matching: "LEN:LANGUAGE" + "LEN:ENTRY" of each row, in id order.

        Lengths are in bytes of UTF-8. Sources and counts are left out.
        """
        languages = self.table["language"].cast(pa.binary()).to_pylist()
        entries = self.table["entry"].cast(pa.binary()).to_pylist()
        rows = zip(languages, entries, strict=True)
        text = b"".join(b"%d:%b%d:%b" % (len(name), name, len(entry), entry) for name, entry in rows)
        return hashlib.sha256(text).hexdigest()

    @cached_property
    def _ranges(self) -> dict[str, tuple[int, int]]:
        return {language: (first, end) for language, first, end in _runs(self.table)}


def one_list(
    language: str, sources: Mapping[str, Iterable[str]], *, counts: Mapping[str, int] | None = None
) -> Vocabulary:
    """A vocabulary of one language.

    Args:
        language: of all entries.
        sources: entries, in the order of their ids, each with the names of the sources it is from.
        counts: of those entries that have one.

    Raises:
        InputError: there are none, or one cannot be an entry.
    """
    n = len(sources)
    columns = [
        pa.array(range(n), pa.int32()),
        pa.array(sources, pa.string()),
        pa.repeat(pa.scalar(language), n),
        pa.array([list(names) for names in sources.values()], pa.list_(pa.string())),
        pa.array([(counts or {}).get(entry) for entry in sources], pa.int64()),
    ]
    return Vocabulary(pa.table(columns, schema=ENTRIES))


def read_vocabulary(path: str) -> Vocabulary:
    """Read a vocabulary, from a path or a URL.

    The name decides what it is: a folder with `entries.parquet` or a `.parquet` file of the columns of
    `schemas.ENTRIES`; a `.json` or `.json.gz` file, a list of strings as MetaCLIP's `metadata.json`; any
    other file, text in UTF-8 with one entry a line, with gzip if it ends in `.gz`. A list without a
    language becomes the list of `OTHER`; its entries are taken as they are, except that empty ones
    are left out and of equal ones the first stays, so that an id is a place among those that remain.

    Raises:
        InputError: it is missing, is none of these, or holds no entries.
    """
    table = f"{path.rstrip('/')}/{_TABLE}"
    if exists(table):
        path = table
    elif Path(path).is_dir():
        raise InputError(f"{path}: a folder without {_TABLE}: give a vocabulary, a text file or a JSON list")
    data = read_bytes(path)
    try:
        return _parse(path, data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_manifest(path: str) -> Any:
    """The manifest of a vocabulary folder, with its licences; None where there is none.

    Raises:
        InputError: it is damaged.
    """
    manifest = f"{path.rstrip('/')}/{_MANIFEST}"
    if not exists(manifest):
        return None
    try:
        return json.loads(read_bytes(manifest))
    except ValueError as error:
        raise InputError(f"{manifest}: not JSON: {error}") from error


def write_vocabulary(folder: str | Path, vocabulary: Vocabulary, manifest: Mapping[str, Any]) -> None:
    """Write a VOCABULARY folder: `entries.parquet`, a `LANGUAGE.txt.gz` per list, `MANIFEST.json`.

    The folder appears complete or not at all, and the same input gives the same bytes.

    Raises:
        InputError: the folder exists and is not empty, or cannot be written.
    """
    files = {_TABLE: _parquet(vocabulary.table)}
    for language in vocabulary.languages:
        lines = "".join(f"{entry}\n" for entry in vocabulary.entries(language).to_pylist())
        files[f"{language}.txt.gz"] = gzipped(lines.encode())
    files[_MANIFEST] = (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()
    write_folder(Path(folder).absolute(), files)


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    # Dictionaries of values that are all different only cost room; ids and sorted entries delta-encode well.
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=19,
        use_dictionary=["language", "sources.list.element"],
        column_encoding={"entry_id": "DELTA_BINARY_PACKED", "entry": "DELTA_BYTE_ARRAY"},
    )
    return sink.getvalue()


def _parse(path: str, data: bytes) -> Vocabulary:
    if path.endswith(".parquet"):
        return Vocabulary(_parse_parquet(data))
    parse = _parse_json if path.endswith((".json", ".json.gz")) else _parse_text
    return one_list(OTHER, {entry: () for entry in parse(data) if entry})


def _parse_parquet(data: bytes) -> pa.Table:
    try:
        table = pq.read_table(pa.BufferReader(data))
        missing = [name for name in ENTRIES.names if name not in table.schema.names]
        if missing:
            raise InputError(f"lacks the column {missing[0]}: not the entries of a vocabulary")
        return table.select(ENTRIES.names).cast(ENTRIES)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"not the entries of a vocabulary: {' '.join(str(error).split())}") from error


def _parse_json(data: bytes) -> list[str]:
    try:
        return msgspec.json.decode(data, type=list[str])
    except ValueError as error:
        raise InputError(f"not a JSON list of strings: {error}") from error


def _parse_text(data: bytes) -> list[str]:
    try:
        # A byte order mark and the carriage returns of Windows belong to the file, not to its entries.
        return data.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"line {line} is not UTF-8: save the list as UTF-8") from None


def _runs(table: pa.Table) -> list[tuple[str, int, int]]:
    """The stretches of rows of one language: language, first row, row after the last."""
    runs = pc.run_end_encode(table["language"].combine_chunks())
    ends = runs.run_ends.to_pylist()
    return list(zip(runs.values.to_pylist(), [0, *ends[:-1]], ends, strict=True))


def _check_rows(table: pa.Table) -> None:
    ids, entries = table["entry_id"], table["entry"]
    if entries.null_count or table["language"].null_count:
        raise InputError("holds rows without an entry or a language")
    if not ids.equals(pa.chunked_array([pa.array(range(len(ids)), pa.int32())])):
        raise InputError("its entry_id does not count the rows, 0, 1, 2 and so on")
    if pc.any(pc.equal(entries, "")).as_py():
        raise InputError(f"entry {pc.index(entries, '').as_py()} is empty")
    broken = pc.match_substring_regex(entries, r"[\r\n]")
    if pc.any(broken).as_py():
        # No text can hold it once spaced, and lists are kept one entry a line.
        raise InputError(f"entry {pc.index(broken, True).as_py()} holds a line break, so it can never match")


def _check_languages(names: list[str]) -> None:
    for name in names:
        if not _LANGUAGE.fullmatch(name):
            raise InputError(f"{name!r} is no name of a language: use letters, digits, - and _")
    if len(names) > len(set(names)):
        raise InputError("the entries of a language do not lie together")


def _check_unique(vocabulary: Vocabulary) -> None:
    for language in vocabulary.languages:
        entries = vocabulary.entries(language)
        if pc.count_distinct(entries).as_py() < len(entries):
            raise InputError(f"an entry comes twice in the list of {language}")
