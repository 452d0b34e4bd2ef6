"""Entries one by one: the heaviest, the rarest, those that are named; before and after balancing."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.report.charts.axes import count_axis, log_axis, short, threshold_mark
from curation.report.charts.balancing import AFTER, BEFORE
from curation.report.charts.ranges import octave
from curation.report.charts.theme import Picture, finish, layered, nothing
from curation.report.inert import inert

_LONGEST = 40  # characters of a label


def labels(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What to call entries so that each has a name of its own, and none does harm.

    Args:
        rows: with `entry`, `entry_id`, `language`.

    Returns:
        The entries, inert; with the language where there are several, cut where they are long, with their id
        where two would look the same.
    """
    several = len({row["language"] for row in rows}) > 1
    names = [_cut(inert(row["entry"])) + (f" ({row['language']})" if several else "") for row in rows]
    times = Counter(names)
    return [
        f"{name} #{row['entry_id']}" if times[name] > 1 else name
        for name, row in zip(names, rows, strict=True)
    ]


def heaviest_table(counts: pa.Table, rows: int = 20) -> pa.Table:
    """The entries with the most pairs.

    Args:
        counts: columns of `MATCH_COUNTS` or `CURATED_COUNTS`.
        rows: how many at most.

    Returns:
        `label`, and the columns of `counts` without `entry`; the heaviest first. Entries without pairs are
        left out.
    """
    return _told(_select(counts, rows, "descending"))


def rarest_table(counts: pa.Table, rows: int = 20) -> pa.Table:
    """The entries with the fewest pairs, but some; the smallest ids where many have as few.

    Args:
        counts: columns of `MATCH_COUNTS` or `CURATED_COUNTS`.
        rows: how many at most.

    Returns:
        As of `heaviest_table`, the rarest first.
    """
    return _told(_select(counts, rows, "ascending"))


def named_table(counts: pa.Table, names: Sequence[str]) -> pa.Table:
    """The entries of these names, letter by letter, in every list that has them.

    Args:
        counts: columns of `MATCH_COUNTS` or `CURATED_COUNTS`.
        names: of entries.

    Returns:
        As of `heaviest_table`, in the order of the names. Names that are no entries are left out.
    """
    place = {name: number for number, name in reversed(list(enumerate(names)))}
    found = counts.filter(pc.is_in(counts["entry"], pa.array(place, pa.string())))
    order = np.argsort([place[name] for name in found["entry"].to_pylist()], kind="stable")
    return _told(found.take(pa.array(order, pa.int64())))


def octaves_table(counts: pa.Table) -> pa.Table:
    """How many entries have 1 pair, 2 to 3, 4 to 7 and so on, before and after.

    Args:
        counts: columns of `MATCH_COUNTS` or `CURATED_COUNTS`.

    Returns:
        `series`, `pairs` (the range, in words), `entries`; `0` first.
    """
    rows = []
    for series, column in ((BEFORE, "count"), (AFTER, "kept_count")):
        if column in counts.column_names:
            power = np.frexp(counts[column].to_numpy())[1]  # 0 for 0, then 1 + the power of two below
            rows += [
                {"series": series, "pairs": octave(2**number // 2), "entries": int(entries)}
                for number, entries in enumerate(np.bincount(power))
            ]
    columns = [("series", pa.string()), ("pairs", pa.string()), ("entries", pa.int64())]
    return pa.Table.from_pylist(rows, schema=pa.schema(columns))


def before_after(table: pa.Table, *, title: str, says: str, t: float | None = None) -> Picture:
    """Entries on a logarithmic axis: where they were, where balancing put them, and t.

    Args:
        table: of `heaviest_table`, `rarest_table` or `named_table`.
        title: what these entries are.
        says: what to see in them.
        t: of their list; None before there is one, or for entries of several lists.
    """
    after = "kept_count" in table.column_names
    rows = table.to_pylist()
    columns = {BEFORE: "count", AFTER: "kept_count"} if after else {BEFORE: "count"}
    points = [
        {"entry": row["label"], "series": series, "pairs": row[column]}
        for row in rows
        for series, column in columns.items()
        if row[column] > 0
    ]
    if not points:
        return nothing(title, "No such entry matches anything.")
    pairs = [point["pairs"] for point in points] + [1] + ([t] if t else [])
    axis = log_axis("pairs that match the entry", min(pairs), max(pairs))
    x = alt.X("pairs:Q", axis=axis).scale(type="log", domainMin=min(pairs), nice=True)
    y = alt.Y("entry:N", sort=[row["label"] for row in rows], title=None)
    base = alt.Chart(alt.InlineData(values=points), height=alt.Step(20)).encode(y=y)
    lines = base.mark_rule(style="faint").encode(x="min(pairs):Q", x2="max(pairs):Q")
    dots = base.mark_point(filled=True, opacity=1).encode(
        x=x,
        size=alt.Size("series:N").scale(domain=list(columns), range=[110, 55]),
        color=alt.Color("series:N").scale(domain=list(columns)),
        shape=alt.Shape("series:N").scale(domain=list(columns), range=["circle", "diamond"]),
        tooltip=["entry:N", "series:N", alt.Tooltip("pairs:Q", format=",")],
    )
    layers = [lines, dots] + ([threshold_mark(t, "x", f"t = {short(t)}")] if t else [])
    return finish(
        layered(*layers), title=title, says=says, description=f"Two dots a row, {len(rows)} entries. {says}"
    )


def heaviest(counts: pa.Table, t: float | None = None, rows: int = 20) -> Picture:
    """The heaviest entries before and after.

    Args:
        counts: columns of `MATCH_COUNTS` or `CURATED_COUNTS`.
        t: of their list; None for several, or before there is one.
        rows: how many at most.
    """
    table = heaviest_table(counts, rows)
    share = pc.sum(table["count"]).as_py() or 0
    total = pc.sum(counts["count"]).as_py() or 0
    says = f"These {len(table)} hold {share / max(1, total):.0%} of all matches."
    if "kept_count" in table.column_names:
        says += (
            " After balancing they keep more than t, for pairs that a rarer entry brings carry them along."
        )
    return before_after(table, title="The heaviest entries", says=says, t=t)


def rarest(counts: pa.Table, t: float | None = None, rows: int = 20) -> Picture:
    """Some of the rarest entries before and after.

    Args:
        counts: columns of `MATCH_COUNTS` or `CURATED_COUNTS`.
        t: of their list; None for several, or before there is one.
        rows: how many at most.
    """
    once = int(np.count_nonzero(counts["count"].to_numpy() == 1))
    says = f"Entries that match one pair: {short(once)}. Entries up to t lose none."
    return before_after(rarest_table(counts, rows), title="Some of the rarest entries", says=says, t=t)


def octaves(counts: pa.Table) -> Picture:
    """How many entries have how many pairs, before and after.

    Args:
        counts: columns of `MATCH_COUNTS` or `CURATED_COUNTS`.
    """
    table = octaves_table(counts)
    table = table.filter(pc.not_equal(table["pairs"], "0"))
    series = pc.unique(table["series"]).to_pylist()
    never = int(np.count_nonzero(counts["count"].to_numpy() == 0))
    says = f"{short(never)} of {short(len(counts))} entries match nothing and are not shown."
    longest = max((row["pairs"] for row in table.to_pylist()), key=len, default="")
    chart = (
        alt.Chart(alt.InlineData(values=table.to_pylist()))
        .mark_line(point=True)
        .encode(
            x=alt.X("pairs:O", sort=None, axis=alt.Axis(
                title="pairs that match an entry", labelOverlap=True, labelAngle=0)),
            y=alt.Y("entries:Q", axis=count_axis("entries")),
            color=alt.Color("series:N", sort=series).scale(domain=[BEFORE, AFTER][: len(series)]),
            tooltip=["series:N", "pairs:N", alt.Tooltip("entries:Q", format=",")],
        )
    )  # fmt: skip
    return finish(
        chart,
        title="How many entries have how many pairs",
        says=says,
        description=f"Entries by ranges of pairs that double, up to {longest}. {says}",
    )


def _select(counts: pa.Table, rows: int, direction: str) -> pa.Table:
    matched = counts.filter(pc.greater(counts["count"], 0))
    order = [("count", direction), ("entry_id", "ascending")]
    return matched.take(pc.select_k_unstable(matched, min(rows, len(matched)), sort_keys=order))


def _told(table: pa.Table) -> pa.Table:
    named = pa.array(labels(table.select(["entry", "entry_id", "language"]).to_pylist()), pa.string())
    return table.drop_columns(["entry"]).add_column(0, "label", named)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
