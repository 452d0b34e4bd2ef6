"""The data card: what balancing did, as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.balancing import tail_share
from curation.core.matcher import SCRIPT_LANGUAGES
from curation.core.text import can_match
from curation.record import RunRecord

HEAVIEST = 100

NOTE = (
    "An entry above t keeps more than t pairs, for pairs that a rarer entry brings in carry it along. "
    "Balancing comes before the download: images that are gone make the data set smaller than this."
)
ONLINE_NOTE = (
    "Every match is here, uncut. A loader that keeps each pair with its keep_probability, drawing anew in "
    "every epoch, sees the balanced data set."
)


@dataclass(frozen=True)
class Outcome:
    """What balancing came to.

    Attributes:
        rows: pairs kept.
        dropped: pairs dropped, by reason.
        t: of each list.
        expected_rows: pairs that were expected to be kept.
        standard_deviation: of their number.
    """

    rows: int
    dropped: Mapping[str, int]
    t: Mapping[str, float]
    expected_rows: float
    standard_deviation: float


def datacard(
    sources: Sequence[RunRecord], counts: pa.Table, outcome: Outcome, *, config: Mapping[str, Any]
) -> dict[str, Any]:
    """Say what balancing did.

    Args:
        sources: records of the matches.
        counts: columns of `CURATED_COUNTS`.
        outcome: of balancing.
        config: settings of the run.

    Returns:
        What `datacard.json` holds. Shares are between 0 and 1.
    """
    dropped = outcome.dropped
    return {
        "config": dict(config),
        "funnel": [
            *(_step("extract", **source.facts["pool_rows"]) for source in sources),
            *(_step("match", s.rows["in"], s.dropped, s.rows["out"]) for s in sources),
            _step("balance", outcome.rows + sum(dropped.values()), dropped, outcome.rows),
        ],
        "pairs": {
            "matched": sum(source.rows["out"] for source in sources),
            "expected": outcome.expected_rows,
            "standard_deviation": outcome.standard_deviation,
            "curated": outcome.rows,
        },
        "matches": _matches(counts),
        "entries": _entries(counts),
        "languages": _languages(counts, outcome.t),
        "heaviest": _heaviest(counts),
        "note": ONLINE_NOTE if config["online"] else NOTE,
    }


def entry_counts(counts: pa.Table) -> dict[str, Any]:
    """The count of each entry before balancing, as MetaCLIP publishes its own.

    Args:
        counts: columns of `CURATED_COUNTS`.

    Returns:
        Counts by entry, in id order, entries without matches included; where there are several lists, such
        a dictionary for each language.

    Source:
        `entry_counts_400m.json` of MetaCLIP.
    """
    by_language: dict[str, dict[str, int]] = {}
    columns = (counts[name].to_pylist() for name in ("language", "entry", "count"))
    for language, entry, count in zip(*columns, strict=True):
        by_language.setdefault(language, {})[entry] = count
    return next(iter(by_language.values())) if len(by_language) == 1 else by_language


def _step(name: str, rows_in: int, dropped: Mapping[str, int], rows_out: int) -> dict[str, Any]:
    return {"step": name, "in": rows_in, "dropped": dict(dropped), "out": rows_out}


def _matches(counts: pa.Table) -> dict[str, Any]:
    """Matches before and after, and the share of them that belongs to entries that were cut."""
    head = counts["probability"].to_numpy() < 1
    described: dict[str, Any] = {}
    for name, column in (("before", "count"), ("after", "kept_count")):
        matches = counts[column].to_numpy()
        described[name] = int(matches.sum())
        described[f"head_share_{name}"] = int(matches[head].sum()) / max(1, described[name])
        described[f"tail_share_{name}"] = int(matches[~head].sum()) / max(1, described[name])
    return described


def _entries(counts: pa.Table) -> dict[str, int]:
    matched = int(np.count_nonzero(counts["count"].to_numpy()))
    return {
        "all": len(counts),
        "matched": matched,
        "never_matched": len(counts) - matched,
        "can_never_match": _never(counts),
        "head": int((counts["probability"].to_numpy() < 1).sum()),
    }


def _never(counts: pa.Table) -> int:
    """Entries that spacing keeps from ever matching, in the lists that are matched at word boundaries."""
    scripts = pa.array(sorted(SCRIPT_LANGUAGES))
    at_words = counts.filter(pc.invert(pc.is_in(counts["language"], scripts)))
    return int(pc.sum(pc.invert(can_match(at_words["entry"].combine_chunks()))).as_py() or 0)


def _languages(counts: pa.Table, t: Mapping[str, float]) -> dict[str, Any]:
    languages = counts["language"].to_numpy()
    described = {}
    for language, threshold in t.items():
        before = counts["count"].to_numpy()[languages == language]
        after = counts["kept_count"].to_numpy()[languages == language]
        tail = before < threshold
        described[language] = {
            "t": threshold,
            "entries": len(before),
            "tail_share_before": tail_share(before, threshold),
            "tail_share_after": int(after[tail].sum()) / max(1, int(after.sum())),
        }
    return described


def _heaviest(counts: pa.Table) -> list[dict[str, Any]]:
    order = [("count", "descending"), ("entry_id", "ascending")]
    top = counts.take(pc.select_k_unstable(counts, HEAVIEST, sort_keys=order))
    columns = ["language", "entry_id", "entry", "count", "probability", "kept_count"]
    rows: list[dict[str, Any]] = top.select(columns).to_pylist()
    return rows
