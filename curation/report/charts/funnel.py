"""How many pairs came through each step, and why the others did not."""

from collections.abc import Sequence

import altair as alt
import pyarrow as pa

from curation.record import RunRecord
from curation.report.charts.axes import count_axis, short
from curation.report.charts.bars import lying
from curation.report.charts.theme import Picture, finish, layered

_KEPT, _DROPPED = "go on", "are dropped"
_ROOM = 1.5  # for the words behind the longest bar


def funnel_table(records: Sequence[RunRecord]) -> pa.Table:
    """What each step was given, kept and dropped.

    Args:
        records: of the steps, in their order.

    Returns:
        `step`, `pairs_in`, `pairs_out`, `dropped`, `share` that goes on, `reasons` in words.
    """
    return pa.table({
        "step": [record.job for record in records],
        "pairs_in": pa.array([record.rows["in"] for record in records], pa.int64()),
        "pairs_out": pa.array([record.rows["out"] for record in records], pa.int64()),
        "dropped": pa.array([record.rows["in"] - record.rows["out"] for record in records], pa.int64()),
        "share": [record.rows["out"] / max(1, record.rows["in"]) for record in records],
        "reasons": [
            ", ".join(f"{reason} {short(pairs)}" for reason, pairs in _ordered(record)) for record in records
        ],
    })  # fmt: skip


def reasons_table(records: Sequence[RunRecord]) -> pa.Table:
    """Why pairs were dropped.

    Args:
        records: of the steps, in their order.

    Returns:
        `reason` with its step before it, `pairs`, `share` of what the step was given.
    """
    rows = [
        {"reason": f"{record.job}: {reason}", "pairs": pairs, "share": pairs / max(1, record.rows["in"])}
        for record in records
        for reason, pairs in _ordered(record)
    ]
    columns = [("reason", pa.string()), ("pairs", pa.int64()), ("share", pa.float64())]
    return pa.Table.from_pylist(rows, schema=pa.schema(columns))


def funnel(records: Sequence[RunRecord]) -> Picture:
    """Pairs that went into each step, and how many of them went on.

    Args:
        records: of the steps, in their order.
    """
    table = funnel_table(records)
    first, last = table["pairs_in"][0].as_py(), table["pairs_out"][-1].as_py()
    says = f"Of {short(first)} pairs {short(last)} are left at the end ({last / max(1, first):.1%})."
    return finish(
        _steps(table),
        title="What each step keeps",
        says=says,
        description=f"A bar for each of {len(table)} steps. {says}",
    )


def _steps(table: pa.Table) -> Picture:
    rows = [
        {"step": row["step"], "what": what, "pairs": row[column], "order": place, "reasons": row["reasons"],
         "in": row["pairs_in"], "said": f"{short(row['pairs_out'])} ({row['share']:.1%})"}
        for row in table.to_pylist()
        for place, (what, column) in enumerate([(_KEPT, "pairs_out"), (_DROPPED, "dropped")])
    ]  # fmt: skip
    most = max(1, *table["pairs_in"].to_pylist())
    x = alt.X("pairs:Q", axis=count_axis("pairs that went into the step"))
    base = alt.Chart(alt.InlineData(values=rows), height=alt.Step(34)).encode(
        y=alt.Y("step:N", sort=None, title=None), x=x.scale(domain=[0, most * _ROOM], nice=False)
    )
    bars = base.mark_bar().encode(
        color=alt.Color("what:N").scale(domain=[_KEPT, _DROPPED]),
        order="order:Q",
        tooltip=["step:N", "what:N", alt.Tooltip("pairs:Q", format=","), "reasons:N"],
    )
    words = base.transform_filter(f"datum.what == '{_KEPT}'").mark_text(
        style="value-label", align="left", dx=4
    )
    return layered(bars, words.encode(x="in:Q", text="said:N"))


def reasons(records: Sequence[RunRecord]) -> Picture:
    """Why pairs were dropped, step by step.

    Args:
        records: of the steps, in their order.
    """
    table = reasons_table(records)
    most = max(table.to_pylist(), key=lambda row: row["pairs"], default=None)
    says = (
        "Nothing was dropped." if most is None else f"The commonest is {most['reason']}: {most['share']:.1%}."
    )
    return finish(
        lying(table, name="reason", value="pairs", axis="pairs dropped"),
        title="Why pairs were dropped",
        says=says,
        description=f"A bar for each of {len(table)} reasons. {says}",
    )


def _ordered(record: RunRecord) -> list[tuple[str, int]]:
    return sorted(record.dropped.items(), key=lambda item: (-item[1], item[0]))
