"""Which entries a page can be searched for, and their counts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.report.card.text import harmless

ALL = 20_000
"""Matched entries that a page holds at the most, whole."""

HEAVIEST = 5_000
SAMPLED = 5_000
_LONGEST = 120


@dataclass(frozen=True, kw_only=True)
class Entries:
    """The entries that a page shows.

    Attributes:
        table: rank int64 (from 1, by count), language, entry string, count, probability, kept_count; by rank.
        matched: entries of the vocabulary that match anything.
        vocabulary: entries of the vocabulary.
    """

    table: pa.Table
    matched: int
    vocabulary: int

    @property
    def whole(self) -> bool:
        """Whether all entries that match are in the table."""
        return len(self.table) == self.matched


def choose_entries(counts: pa.Table) -> Entries:
    """Choose the entries that a page can show without growing too large.

    Args:
        counts: columns of `CURATED_COUNTS`.

    Returns:
        All that match, up to `ALL`; of more, the `HEAVIEST` and, evenly over the ranks below them, `SAMPLED`:
        at most about half a megabyte of JSON.
    """
    order = [("count", "descending"), ("entry_id", "ascending")]
    matched = counts.filter(pc.greater(counts["count"], 0)).sort_by(order)
    ranks = _ranks(len(matched))
    chosen = matched.take(pa.array(ranks))
    names = [harmless(entry, _LONGEST) for entry in chosen["entry"].to_pylist()]
    table = pa.table(
        {
            "rank": ranks + 1,
            "language": chosen["language"],
            "entry": names,
            **{name: chosen[name] for name in ("count", "probability", "kept_count")},
        }
    )
    return Entries(table=table, matched=len(matched), vocabulary=len(counts))


def _ranks(matched: int) -> npt.NDArray[np.int64]:
    """Ranks from 0 of the entries that are taken."""
    if matched <= ALL:
        return np.arange(matched)
    strata = np.linspace(HEAVIEST, matched, SAMPLED, endpoint=False)
    return np.concatenate([np.arange(HEAVIEST), strata.astype(np.int64)])
