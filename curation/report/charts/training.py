"""Which data set trains better models: arms, with intervals."""

from dataclasses import asdict

import altair as alt
import pyarrow as pa

from curation.report.arms import WHOLE, Comparison
from curation.report.charts.axes import share_axis
from curation.report.charts.theme import Picture, finish, layered, nothing

_SCORES = pa.schema([(name, pa.string()) for name in ("arm", "dataset", "metric")] + [
    (name, pa.float64()) for name in ("value", "low", "high", "head", "tail")])  # fmt: skip
_DIFFERENCES = pa.schema([(name, pa.string()) for name in ("arm", "baseline", "dataset", "part")] + [
    (name, pa.float64()) for name in ("value", "low", "high")] + [("verdict", pa.string())])  # fmt: skip


def scores_table(comparison: Comparison) -> pa.Table:
    """What each arm scores on each data set.

    Args:
        comparison: of arms.

    Returns:
        `arm`, `dataset`, `metric`, `value`, `low`, `high`, `head`, `tail`; null where it is not known.
    """
    return pa.Table.from_pylist([asdict(row) for row in comparison.measured], schema=_SCORES)


def differences_table(comparison: Comparison) -> pa.Table:
    """How much better each arm is than the baseline.

    Args:
        comparison: of arms.

    Returns:
        `arm`, `baseline`, `dataset`, `part`, `value`, `low`, `high`, `verdict`.
    """
    return pa.Table.from_pylist([asdict(row) for row in comparison.differences], schema=_DIFFERENCES)


def scores(comparison: Comparison) -> Picture:
    """What each arm scores on each data set, with intervals.

    Args:
        comparison: of arms.
    """
    title = "What each arm scores"
    if not comparison.measured:
        return nothing(title, "Nothing was measured.")
    rows = scores_table(comparison).to_pylist()
    arms = list(comparison.arms)
    says = f"Means over {comparison.seeds} seeds; lines are 95% intervals, over seeds and test images."
    if comparison.seeds < 2:
        says = "One seed: no intervals, and no telling what is noise."
    return finish(
        _dots(rows, by="arm", order=arms, axis=", ".join(sorted({row["metric"] for row in rows}))),
        title=title,
        says=says,
        description=f"A dot for each of {len(arms)} arms on each data set. {says}",
    )


def differences(comparison: Comparison, part: str = WHOLE) -> Picture:
    """How much better each arm is than the baseline, with intervals; what crosses 0 may be noise.

    Args:
        comparison: of arms.
        part: of the data sets: `all`, or the classes of `head` or `tail` entries.
    """
    rows = [row for row in differences_table(comparison).to_pylist() if row["part"] == part]
    title = "How much better than the baseline"
    if not rows:
        return nothing(title, f"No differences are known for {part}.")
    arms = [arm for arm in comparison.arms if any(row["arm"] == arm for row in rows)]
    clear = sum(row["verdict"] in ("better", "worse") for row in rows)
    says = (
        f"Held against {rows[0]['baseline']}. {clear} of {len(rows)} differences are clear of noise; "
        "where a line crosses 0, this comparison cannot tell."
    )
    zero = alt.Chart(alt.InlineData(values=[{"value": 0}])).mark_rule(style="threshold").encode(x="value:Q")
    chart = _dots(rows, by="arm", order=arms, axis="difference, in percentage points", zero=False)
    return finish(
        layered(zero, chart),
        title=title,
        says=says,
        description=f"A dot for each arm on each data set, and a line at 0. {says}",
    )


def _dots(
    rows: list[dict[str, object]], *, by: str, order: list[str], axis: str, zero: bool = False
) -> alt.LayerChart:
    base = alt.Chart(alt.InlineData(values=rows), height=alt.Step(16, **{"for": "offset"})).encode(
        y=alt.Y("dataset:N", sort=None, title=None),
        yOffset=alt.YOffset(f"{by}:N", sort=order),
        color=alt.Color(f"{by}:N", sort=order, legend=alt.Legend(columns=1)).scale(domain=order),
    )
    scale = alt.Scale(zero=zero, nice=True)
    lines = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    )
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=alt.X("value:Q", axis=share_axis(axis), scale=scale),
        tooltip=[f"{by}:N", "dataset:N"]
        + [alt.Tooltip(f"{name}:Q", format=".2%") for name in ("value", "low", "high")],
    )
    return layered(lines, dots)
