"""What each t would keep."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.balancing import tail_share, thresholds_for_tail_shares
from curation.report.charts.axes import count_axis, log_axis, share_axis, short, threshold_mark
from curation.report.charts.theme import Picture, finish, layered

_OCTAVE = 4  # points of the size curve in one doubling of t


def size_table(curve: pa.Table, matched: int) -> pa.Table:
    """What each t of the size curve keeps.

    Args:
        curve: columns of `SIZE_CURVE`.
        matched: pairs that match.

    Returns:
        `t` (null where no list leads), `expected_rows`, `low` and `high` (two standard deviations of the draw
        to each side), `kept_share` of the pairs that match, `tail_share` of the matches.
    """
    rows, deviation = curve["expected_rows"].to_numpy(), curve["standard_deviation"].to_numpy()
    return pa.table({
        "t": curve["t"],
        "expected_rows": rows,
        "low": np.maximum(0, rows - 2 * deviation),
        "high": np.minimum(matched, rows + 2 * deviation),
        "kept_share": rows / max(1, matched),
        "tail_share": curve["tail_share"],
    })  # fmt: skip


def choices_table(
    curve: pa.Table, counts: pa.Table, matched: int, *, bytes_per_image: float, came: float
) -> pa.Table:
    """What every doubling of t keeps, drops and costs.

    Args:
        curve: columns of `SIZE_CURVE`, with t.
        counts: columns of `MATCH_COUNTS`, of the list that t is of.
        matched: pairs that match, of all lists.
        bytes_per_image: of an image as it comes.
        came: share of the pairs whose image can be had.

    Returns:
        `t`, `pairs_kept`, `kept_share`, `pairs_dropped`, `tail_share`, `entries_cut`, `pairs_after_download`,
        `gigabytes`. Texts of one image count as several images here, so the last is an upper bound.
    """
    sizes = size_table(curve, matched).filter(pc.is_valid(curve["t"]))
    sizes = sizes.take(np.arange(0, len(sizes), _OCTAVE))
    count = np.sort(counts["count"].to_numpy())
    kept = sizes["expected_rows"].to_numpy()
    return pa.table({
        "t": sizes["t"],
        "pairs_kept": kept.round().astype(np.int64),
        "kept_share": sizes["kept_share"],
        "pairs_dropped": (matched - kept).round().astype(np.int64),
        "tail_share": sizes["tail_share"],
        "entries_cut": len(count) - np.searchsorted(count, sizes["t"].to_numpy(), side="right"),
        "pairs_after_download": (kept * came).round().astype(np.int64),
        "gigabytes": kept * came * bytes_per_image / 1e9,
    })  # fmt: skip


def tails_table(counts: pa.Table, wanted: Sequence[float]) -> pa.Table:
    """The t that tail shares ask for, and the tail share that each really gives.

    Args:
        counts: columns of `MATCH_COUNTS`, of one list.
        wanted: tail shares, in [0, 1].

    Returns:
        `wanted_share`, `t`, `tail_share`, `entries_cut`.

    Source:
        MetaCLIP 2, algorithm 1: `p_to_t`, and back.
    """
    count = counts["count"].to_numpy()
    t = thresholds_for_tail_shares(count, wanted)
    return pa.table({
        "wanted_share": pa.array(wanted, pa.float64()),
        "t": t,
        "tail_share": pa.array([tail_share(count, one) for one in t], pa.float64()),
        "entries_cut": pa.array([int(np.count_nonzero(count > one)) for one in t], pa.int64()),
    })  # fmt: skip


def in_words(counts: pa.Table, t: float) -> str:
    """What a t comes to.

    Args:
        counts: columns of `MATCH_COUNTS`, of one list.
        t: of this list.
    """
    count = counts["count"].to_numpy()
    cut = int(np.count_nonzero(count > t))
    return (
        f"t = {t:,.6g}: {cut:,} of {len(count):,} entries are cut; "
        f"those below it hold {tail_share(count, t):.1%} of the matches."
    )


def size_curve(curve: pa.Table, matched: int, t: float | None = None) -> Picture:
    """How many pairs each t is expected to keep.

    Args:
        curve: columns of `SIZE_CURVE`.
        matched: pairs that match.
        t: that was chosen; None before.
    """
    table = size_table(curve, matched)
    base, most = _base(table)
    y = alt.Y("expected_rows:Q", axis=count_axis("pairs kept, as expected")).scale(domain=[0, matched])
    band = base.mark_area(opacity=0.25).encode(y=alt.Y("low:Q"), y2="high:Q")
    line = base.mark_line().encode(y=y, tooltip=_tooltips())
    says = (
        f"From {short(table['expected_rows'][0].as_py())} to {short(table['expected_rows'][-1].as_py())} of "
        f"{short(matched)} pairs that match. The band is what the draw's chance makes of it (two standard "
        "deviations); for large data it is thinner than the line."
    )
    return finish(
        _with_threshold(layered(band, line), t, table),
        title="The larger t, the more pairs are kept",
        says=says,
        description=f"A rising line by t up to {short(most)}. {says}",
    )


def tail_curve(curve: pa.Table, matched: int, t: float | None = None) -> Picture:
    """What share of the matches, and of the pairs, each t leaves alone.

    Args:
        curve: columns of `SIZE_CURVE`.
        matched: pairs that match.
        t: that was chosen; None before.
    """
    table = size_table(curve, matched)
    base, most = _base(table)
    series = {"pairs kept": "kept_share", "matches below t": "tail_share"}
    lines = [
        base.transform_calculate(series=f"'{name}'")
        .mark_line()
        .encode(
            y=alt.Y(f"{column}:Q", axis=share_axis("share")).scale(domain=[0, 1]),
            color=alt.Color("series:N").scale(domain=list(series)),
            tooltip=_tooltips(),
        )
        for name, column in series.items()
    ]
    says = (
        "Matches of entries below t are kept whole. MetaCLIP chose t = 20,000 for 1.6 billion pairs, where "
        "they were about 6% of the matches; for a larger pool it raised t until they were 6% again."
    )
    return finish(
        _with_threshold(layered(*lines), t, table),
        title="How much is tail, and how much is kept",
        says=says,
        description=f"Two rising lines by t up to {short(most)}, from 0 to 100%. {says}",
    )


def _base(table: pa.Table) -> tuple[alt.Chart, float]:
    """Points along t; along the tail share where no list leads."""
    by = "t" if table["t"].null_count == 0 else "tail_share"
    title = "t" if by == "t" else "tail share that is asked for"
    low, high = pc.min(table[by]).as_py(), pc.max(table[by]).as_py()
    rows = [row | {"by": row[by]} for row in table.to_pylist() if row[by] > 0]
    axis = log_axis(title, low, high) if by == "t" else share_axis(title)
    scale = alt.Scale(type="log", domainMin=low, domainMax=high, nice=False)
    return alt.Chart(alt.InlineData(values=rows)).encode(x=alt.X("by:Q", axis=axis, scale=scale)), high


def _with_threshold(chart: alt.LayerChart, t: float | None, table: pa.Table) -> Picture:
    if t is None or table["t"].null_count:
        return chart
    return layered(chart, threshold_mark(t, "x", f"t = {short(t)}"))


def _tooltips() -> list[Any]:
    return [
        alt.Tooltip("t:Q", format=",.0f"),
        alt.Tooltip("expected_rows:Q", format=",.0f", title="pairs kept"),
        alt.Tooltip("kept_share:Q", format=".1%", title="share kept"),
        alt.Tooltip("tail_share:Q", format=".2%", title="tail share"),
    ]
