"""Bars, lying for names and standing for ranges: what most of the charts of populations are."""

from collections.abc import Sequence

import altair as alt
import pyarrow as pa
import pyarrow.compute as pc

from curation.report.charts.axes import count_axis, share_axis, short
from curation.report.charts.theme import Picture, layered

_STEP, _GROUPED_STEP = 20, 12  # pixels a bar takes
_ROOM = 1.18  # for the number behind the longest bar


def lying(table: pa.Table, *, name: str, value: str, axis: str) -> Picture:
    """A bar a row, in the order of the rows, with its number behind it.

    Args:
        table: the rows, few.
        name: the column of the names; each name once.
        value: the column of the numbers: counts, or shares where it is called so.
        axis: title of the axis, with the unit.
    """
    is_share = value.endswith("share")
    most = pc.max(table[value]).as_py() or 1
    rows = [
        row | {"said": f"{row[value]:.1%}" if is_share else short(row[value])} for row in table.to_pylist()
    ]
    base = alt.Chart(alt.InlineData(values=rows), height=alt.Step(_STEP)).encode(
        y=alt.Y(f"{name}:N", sort=None, title=None),
        x=alt.X(f"{value}:Q", axis=share_axis(axis) if is_share else count_axis(axis)).scale(
            domain=[0, most * _ROOM], nice=False
        ),
    )
    tooltip = [f"{name}:N", alt.Tooltip(f"{value}:Q", format=".2%" if is_share else ",")]
    bars = base.mark_bar().encode(tooltip=tooltip)
    words = base.mark_text(style="value-label", align="left", dx=4).encode(text="said:N")
    return layered(bars, words)


def lying_by(
    table: pa.Table, *, name: str, series: str, value: str, axis: str, order: Sequence[str]
) -> Picture:
    """Several bars for each name, one a series.

    Args:
        table: a row for each bar.
        name: the column of the names.
        series: the column that tells the bars of a name apart.
        value: the column of the shares.
        axis: title of the axis.
        order: of the series.
    """
    step = alt.Step(_GROUPED_STEP, **{"for": "offset"}) if len(order) > 1 else alt.Step(_STEP)
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=table.to_pylist()), height=step)
        .mark_bar()
        .encode(
            y=alt.Y(f"{name}:N", sort=None, title=None),
            yOffset=alt.YOffset(f"{series}:N", sort=list(order)),
            x=alt.X(f"{value}:Q", axis=share_axis(axis)),
            color=colour_of(series, order),
            tooltip=[f"{name}:N", f"{series}:N", alt.Tooltip(f"{value}:Q", format=".2%"),
                     alt.Tooltip("rows:Q", format=",")],
        )
    )  # fmt: skip
    return chart


def standing(
    table: pa.Table, *, bucket: str, series: str, value: str, axis: str, order: Sequence[str]
) -> Picture:
    """How something is spread over ranges: bars for one series, lines for several.

    Args:
        table: a row for each range and series, in the order of the ranges.
        bucket: the column that names the range.
        series: the column that names the series.
        value: the column of the shares.
        axis: title of the axis of ranges, with the unit.
        order: of the series.
    """
    base = alt.Chart(alt.InlineData(values=table.to_pylist()))
    marked: alt.Chart = base.mark_bar() if len(order) == 1 else base.mark_line(point=True)
    chart: alt.Chart = marked.encode(
        x=alt.X(f"{bucket}:O", sort=None, axis=alt.Axis(title=axis, labelOverlap=True, labelAngle=0)),
        y=alt.Y(f"{value}:Q", axis=share_axis("share")),
        color=colour_of(series, order),
        tooltip=[f"{bucket}:N", f"{series}:N", alt.Tooltip(f"{value}:Q", format=".2%"),
                 alt.Tooltip("rows:Q", format=",")],
    )  # fmt: skip
    return chart


def colour_of(series: str, order: Sequence[str]) -> alt.Color:
    """The colours of series; no legend where there is one only.

    Args:
        series: the column that names them.
        order: of the series.
    """
    colour = alt.Color(f"{series}:N", sort=list(order)).scale(domain=list(order))
    return colour if len(order) > 1 else colour.legend(None)
