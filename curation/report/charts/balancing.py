"""What a threshold does to the whole distribution: MetaCLIP's figures 1 and 2, for one's own data."""

import altair as alt
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.balancing import tail_share
from curation.report.charts.axes import log_axis, share_axis, short, thinned, threshold_mark
from curation.report.charts.theme import Picture, finish, layered, nothing

BEFORE, AFTER = "before balancing", "after balancing"
MATCHES, ENTRIES = "matches", "matched entries"

_GRID = 400


def rank_table(counts: pa.Table) -> pa.Table:
    """How many pairs the entry of each rank matches, thinned on the ranks.

    Every rank that is there is exact. The 100 heaviest entries are all there, and so are both sides of t and
    the rarest entry that matches.

    Args:
        counts: columns of `MATCH_COUNTS` or `CURATED_COUNTS`, of one list or of all.

    Returns:
        `series` (before, after), `rank` from 1 on, `pairs`. Entries without pairs have no rank; after
        balancing entries are ranked anew.
    """
    parts = []
    for series, column in ((BEFORE, "count"), (AFTER, "kept_count")):
        if column not in counts.column_names:
            continue
        pairs = np.sort(counts[column].to_numpy())[::-1]
        pairs = pairs[: np.count_nonzero(pairs)]
        head = _head(counts) if column == "count" else 0
        places = thinned(len(pairs), keep=[head - 1, head])
        parts.append(pa.table({
            "series": pa.array([series] * len(places), pa.string()),
            "rank": places + 1,
            "pairs": pa.array(pairs[places], pa.int64()),
        }))  # fmt: skip
    return pa.concat_tables(parts)


def rank_counts(counts: pa.Table, t: float | None = None) -> Picture:
    """Counts by rank on logarithmic axes, before and after, with t.

    Args:
        counts: as for `rank_table`.
        t: of this list; None before there is one.

    Source:
        MetaCLIP, figures 1 and 2.
    """
    table = rank_table(counts)
    if not len(table):
        return nothing("Counts by rank", "No entry matches anything.")
    most, ranks = pc.max(table["pairs"]).as_py(), pc.max(table["rank"]).as_py()
    lines = (
        alt.Chart(alt.InlineData(values=table.to_pylist()))
        .mark_line(interpolate="monotone", point=len(table) == 1)
        .encode(
            x=alt.X("rank:Q", axis=log_axis("rank of the entry, the heaviest first", 1, ranks)).scale(
                type="log", domainMin=1, domainMax=max(ranks, 2), nice=False
            ),
            y=alt.Y("pairs:Q", axis=log_axis("pairs that match the entry", 1, most)).scale(
                type="log", domainMin=1
            ),
            color=alt.Color("series:N").scale(domain=[BEFORE, AFTER][: len(pc.unique(table["series"]))]),
            tooltip=["series:N", alt.Tooltip("rank:Q", format=","), alt.Tooltip("pairs:Q", format=",")],
        )
    )
    chart = lines if t is None else layered(lines, threshold_mark(t, "y", f"t = {short(t)}"))
    return finish(
        chart,
        title="Pairs of each entry, by rank",
        says=_rank_words(counts, t),
        description=f"Line chart on logarithmic axes: pairs by rank of {short(ranks)} entries. "
        + _rank_words(counts, t),
    )


def cumulative_table(counts: pa.Table) -> pa.Table:
    """What share of all matches, and of the matched entries, lies below each count.

    Args:
        counts: as for `rank_table`.

    Returns:
        `series` (matches, entries), `t` on an even grid of a logarithmic axis, `share` in [0, 1] that belongs
        to entries with count < t, exact at each t.
    """
    count = np.sort(counts["count"].to_numpy())
    count = count[np.searchsorted(count, 1) :]
    if not len(count):
        return pa.table({"series": pa.array([], pa.string()), "t": pa.array([], pa.float64()),
                         "share": pa.array([], pa.float64())})  # fmt: skip
    t = np.geomspace(1, int(count[-1]) + 1, _GRID)
    t[-1] = count[-1] + 1  # which the logarithm may have moved
    below = np.searchsorted(count, t, side="left")
    sums = np.concatenate([[0], np.cumsum(count)])
    shares = {MATCHES: sums[below] / sums[-1], ENTRIES: below / len(count)}
    series = np.repeat(np.array(list(shares)), len(t))
    return pa.table({"series": series, "t": np.tile(t, 2), "share": np.concatenate(list(shares.values()))})


def cumulative_share(counts: pa.Table, t: float | None = None) -> Picture:
    """Where t falls: the share of all matches that belongs to entries below each count.

    Args:
        counts: as for `rank_table`.
        t: of this list; None before there is one.

    Source:
        MetaCLIP, figure 2; the lower line is MetaCLIP 2's `t_to_p`.
    """
    table = cumulative_table(counts)
    if not len(table):
        return nothing("Where t falls", "No entry matches anything.")
    most = pc.max(table["t"]).as_py()
    lines = (
        alt.Chart(alt.InlineData(values=table.to_pylist()))
        .mark_line()
        .encode(
            x=alt.X("t:Q", axis=log_axis("t: entries with fewer pairs than this", 1, most)).scale(
                type="log", domainMin=1, domainMax=most, nice=False
            ),
            y=alt.Y("share:Q", axis=share_axis("share that lies below")).scale(domain=[0, 1]),
            color=alt.Color("series:N").scale(domain=[MATCHES, ENTRIES]),
            tooltip=["series:N", alt.Tooltip("t:Q", format=",.0f"), alt.Tooltip("share:Q", format=".2%")],
        )
    )
    says = _cumulative_words(counts, t)
    chart = lines if t is None else layered(lines, threshold_mark(t, "x", f"t = {short(t)}"))
    return finish(
        chart,
        title="Most entries are rare, most matches are not",
        says=says,
        description=f"Two rising lines by t, on a logarithmic axis from 1 to {short(most)}. {says}",
    )


def _head(counts: pa.Table) -> int:
    """Entries that balancing cut."""
    if "probability" not in counts.column_names:
        return 0
    return int(np.count_nonzero(counts["probability"].to_numpy() < 1))


def _rank_words(counts: pa.Table, t: float | None) -> str:
    count = counts["count"].to_numpy()
    matched, total = int(np.count_nonzero(count)), int(count.sum())
    said = f"{short(matched)} of {short(len(count))} entries match something, {short(total)} times in all."
    if t is None:
        return said
    head = count > t
    return (
        f"{said} {short(int(head.sum()))} of them are above t and hold {count[head].sum() / total:.0%} "
        "of the matches."
    )


def _cumulative_words(counts: pa.Table, t: float | None) -> str:
    count = counts["count"].to_numpy()
    matched = count[count > 0]
    if t is None:
        top = np.sort(matched)[::-1][: max(1, len(matched) // 100)]
        return f"The heaviest 1% of the matched entries hold {top.sum() / matched.sum():.0%} of the matches."
    return (
        f"Entries below t = {short(t)} are {np.mean(matched < t):.1%} of those that match, and hold "
        f"{tail_share(count, t):.1%} of the matches."
    )
