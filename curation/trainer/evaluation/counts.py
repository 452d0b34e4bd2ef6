"""Accuracy against how often the class's name occurs in the pairs that a model was trained on."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from curation.errors import InputError

ABSENT, TAIL, HEAD = "absent", "tail", "head"


@dataclass(frozen=True)
class EntryCount:
    """What balancing knew of a name: all entries that are it but for upper and lower case.

    Attributes:
        count: pairs that match, of all of them together.
        kept_count: those that balancing kept; None without balancing.
        head: whether one of them was cut down: its count was above t.
    """

    count: int
    kept_count: int | None
    head: bool


@dataclass(frozen=True)
class Bin:
    """Classes whose names have about the same count.

    Attributes:
        name: "absent" (no entry, or no pair), "tail", "head", or a decade such as "100-999".
        classes: how many.
        n: their images.
        accuracy: mean of the classes'.
    """

    name: str
    classes: int
    n: int
    accuracy: float


@dataclass(frozen=True)
class AgainstCounts:
    """How accuracy goes with counts.

    Attributes:
        classes_with_entry: whose name is an entry of the vocabulary.
        spearman: rank correlation of count and accuracy over these; None where it has no meaning.
        bins: by tail and head.
        decades: by the count's order of magnitude.
    """

    classes_with_entry: int
    spearman: float | None
    bins: tuple[Bin, ...]
    decades: tuple[Bin, ...]


class Counts:
    """Counts of entries by name."""

    def __init__(self, by_name: dict[str, EntryCount]) -> None:
        self._by_name = by_name

    @classmethod
    def open(cls, folder: str) -> "Counts":
        """Read CURATED/counts, or MATCHES/counts, where nothing is head.

        Raises:
            InputError: there is no such table.
        """
        try:
            if not Path(folder).is_dir():
                raise FileNotFoundError("no such folder")
            table = ds.dataset(folder, format="parquet").to_table()
            rows = table.select(["entry", "count"]).to_pylist()
        except (OSError, KeyError, pa.ArrowException) as error:
            told = str(error).splitlines()[0]
            raise InputError(f"--counts {folder}: no table of counts ({told}); give CURATED/counts") from None
        balanced = {"probability", "kept_count"} <= set(table.column_names)
        kept = table["kept_count"].to_pylist() if balanced else [None] * len(rows)
        probability = table["probability"].to_pylist() if balanced else [1.0] * len(rows)
        variants: dict[str, list[tuple]] = defaultdict(list)
        for row, kept_count, share in zip(rows, kept, probability, strict=True):
            variants[row["entry"].lower()].append((row["count"], kept_count, share))
        return cls({name: _summed(entries) for name, entries in variants.items()})

    def of(self, classname: str) -> EntryCount | None:
        """The counts of a class's name; None if no entry is it."""
        return self._by_name.get(classname.lower())


def against_counts(
    counts: Counts, classnames: Sequence[str], n: np.ndarray, accuracy: np.ndarray
) -> AgainstCounts:
    """Join accuracy per class with the counts of the classes' names.

    Args:
        counts: of the entries.
        classnames: c names.
        n: int (c), images of each class; those without any are left out.
        accuracy: float (c).
    """
    present = np.flatnonzero(n > 0)
    entries = [counts.of(classnames[index]) for index in present]
    n, accuracy = n[present], accuracy[present]
    count = np.array([entry.count if entry else 0 for entry in entries], np.int64)
    known = np.array([entry is not None for entry in entries], bool)
    head = np.array([bool(entry and entry.head) for entry in entries], bool)
    parts = {ABSENT: count == 0, TAIL: (count > 0) & ~head, HEAD: (count > 0) & head}
    digits = np.char.str_len(count.astype(str))
    decades = {"0": count == 0}
    for size in range(1, int(digits.max(initial=1)) + 1):
        decades[f"{10 ** (size - 1)}-{10**size - 1}"] = (count > 0) & (digits == size)
    return AgainstCounts(
        int(known.sum()),
        spearman(count[known], accuracy[known]),
        _bins(parts, n, accuracy),
        _bins(decades, n, accuracy),
    )


def spearman(x: np.ndarray, y: np.ndarray) -> float | None:
    """Rank correlation, equal values sharing their mean rank; None of fewer than three, or of a constant."""
    if len(x) < 3 or len(np.unique(x)) == 1 or len(np.unique(y)) == 1:
        return None
    return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[inverse]


def _summed(entries: list[tuple]) -> EntryCount:
    count, kept, probability = zip(*entries, strict=True)
    return EntryCount(
        sum(count),
        None if None in kept else sum(kept),
        any(share is not None and share < 1 for share in probability),
    )


def _bins(parts: dict[str, np.ndarray], n: np.ndarray, accuracy: np.ndarray) -> tuple[Bin, ...]:
    return tuple(
        Bin(name, int(part.sum()), int(n[part].sum()), float(accuracy[part].mean()))
        for name, part in parts.items()
        if part.any()
    )
