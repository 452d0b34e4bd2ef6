"""The data card: what balancing did, as JSON."""

from collections.abc import Mapping, Sequence
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


def datacard(
    sources: Sequence[RunRecord],
    counts: pa.Table,
    *,
    t: Mapping[str, float],
    rows: int,
    dropped: Mapping[str, int],
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Say what balancing did.

    Args:
        sources: records of the matches.
        counts: columns of `CURATED_COUNTS`.
        t: of each list.
        rows: pairs kept.
        dropped: pairs dropped by balancing, by reason.
        config: settings of the run.

    Returns:
        What `datacard.json` holds. Shares are between 0 and 1.
    """
    return {
        "config": dict(config),
        "funnel": [
            *(_step("match", s.rows["in"], s.dropped, s.rows["out"]) for s in sources),
            _step("balance", rows + sum(dropped.values()), dropped, rows),
        ],
        "pairs": {"matched": sum(source.rows["out"] for source in sources), "curated": rows},
        "matches": {"before": _sum(counts["count"]), "after": _sum(counts["kept_count"])},
        "entries": _entries(counts),
        "languages": _languages(counts, t),
        "heaviest": _heaviest(counts),
        "note": NOTE,
    }


def _step(name: str, rows_in: int, dropped: Mapping[str, int], rows_out: int) -> dict[str, Any]:
    return {"step": name, "in": rows_in, "dropped": dict(dropped), "out": rows_out}


def _sum(column: pa.ChunkedArray) -> int:
    return int(pc.sum(column).as_py())


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
