"""Axes, numbers and the choice of points that charts share."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import numpy.typing as npt

from curation.report.charts.theme import layered

Places = npt.NDArray[np.int64]

_SHORT = "replace(format(datum.value, '~s'), 'G', 'B')"  # a billion, as people say
_FEW_DECADES = 2


def count_axis(title: str) -> alt.Axis:
    """An axis of counts: 10k, 2M, 1.6B."""
    return alt.Axis(title=title, labelExpr=_SHORT, tickCount=5)


def share_axis(title: str) -> alt.Axis:
    """An axis of shares, as percentages."""
    return alt.Axis(title=title, format="~%", tickCount=5)


def log_axis(title: str, low: float, high: float) -> alt.Axis:
    """A logarithmic axis that is labelled at powers of ten, and between them where there are few."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    steps = (1, 2, 5) if last - first <= _FEW_DECADES else (1,)
    ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return alt.Axis(title=title, values=ticks, labelExpr=_SHORT)


def threshold_mark(value: float, axis: str, label: str) -> alt.LayerChart:
    """A dashed line across the chart where something is decided, with its label.

    Args:
        value: where.
        axis: `x` for an upright line, `y` for a level one.
        label: what it is.
    """
    base = alt.Chart(alt.InlineData(values=[{"value": value, "label": label}]))
    if axis == "y":
        line = base.mark_rule(style="threshold").encode(y=alt.Y("value:Q"))
        place = {"x": alt.value("width"), "y": alt.Y("value:Q")}
        words = base.mark_text(style="threshold-label", align="right", dy=-7, dx=-2)
    else:
        line = base.mark_rule(style="threshold").encode(x=alt.X("value:Q"))
        place = {"x": alt.X("value:Q"), "y": alt.value(0)}
        words = base.mark_text(style="threshold-label", align="center", dy=-7)
    return layered(line, words.encode(text="label:N", **place))


def thinned(length: int, *, exact: int = 100, points: int = 400, keep: Sequence[int] = ()) -> Places:
    """Choose which of many ranked values to draw.

    The first `exact` are all there; of the others, at most `points`, evenly spaced on a logarithmic axis, the
    last among them. What is drawn is exact: values are left out, none is averaged or moved.

    Args:
        length: of the values.
        exact: how many of the first to take.
        points: how many of the others to take at most.
        keep: places to take in any case; those outside are passed over.

    Returns:
        Places from 0 (k), ascending, each once.
    """
    first = np.arange(min(exact, length))
    rest = np.geomspace(exact, length, points).round() - 1 if length > exact else np.array([])
    kept = [place for place in keep if 0 <= place < length]
    return np.unique(np.concatenate([first, rest, kept]).astype(np.int64))


def short(number: float) -> str:
    """A count as one says it: 950, 12,345, 1.6M, 5.6B."""
    for size, letter in ((1e9, "B"), (1e6, "M")):
        if abs(number) >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:,.0f}" if number == round(number) or number >= 100 else f"{number:.3g}"
