"""How all charts look: light or dark, in colours that the colour-blind tell apart.

Charts hold no colours of their own. They name series and styles, and the configuration made here says what
these look like, so that a page can draw one chart both ways.
"""

import textwrap
from typing import Any, Literal, TypeAlias

import altair as alt
import vl_convert

Picture: TypeAlias = alt.Chart | alt.LayerChart

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

_LIGHT = {
    "ink": "#1b1f24", "soft": "#57606a", "grid": "#e4e7ea", "paper": "#ffffff", "line": "#a1201b",
    "series": ["#0067a5", "#c4520a", "#00805e", "#9a4791", "#7a6a00", "#5a6570"],
    "ramp": ["#eef4f9", "#0067a5"],
}  # fmt: skip
_DARK = {
    "ink": "#e6e8eb", "soft": "#a3abb5", "grid": "#2f353d", "paper": "#14171b", "line": "#ff8a80",
    "series": ["#58b4ee", "#f39a4a", "#3ecba0", "#dd9bd5", "#d9c94f", "#a9b4bf"],
    "ramp": ["#1c2731", "#58b4ee"],
}  # fmt: skip
"""Okabe and Ito's hues, moved until each has a contrast of 3:1 or more with its paper."""

_TITLE_WIDTH, _SUBTITLE_WIDTH = 36, 48  # characters of a line: what a phone shows
_NOTEBOOK_WIDTH = 640  # pixels, where no page says how wide


def config(*, dark: bool = False, width: int = _NOTEBOOK_WIDTH) -> dict[str, Any]:
    """The Vega-Lite configuration.

    Args:
        dark: for a dark page.
        width: in pixels, of charts that no page holds.
    """
    look: dict[str, Any] = _DARK if dark else _LIGHT
    return {
        "font": FONT,
        "background": look["paper"],
        "view": {"stroke": None, "continuousWidth": width, "continuousHeight": 280},
        "title": _titles(look),
        "axis": _axes(look),
        "axisY": {"labelLimit": 150},
        "legend": _legends(look),
        "range": {"category": look["series"], "ramp": look["ramp"], "heatmap": look["ramp"]},
        "mark": {"color": look["series"][0]},
        "line": {"strokeWidth": 2.5},
        "bar": {"cornerRadiusEnd": 2},
        "text": {"color": look["ink"], "fontSize": 11},
        "rule": {"color": look["soft"]},
        "style": {
            "threshold": {"color": look["line"], "strokeDash": [5, 4], "strokeWidth": 1.5},
            "threshold-label": {"color": look["line"], "fontWeight": "bold"},
            "value-label": {"color": look["soft"]},
            "faint": {"color": look["soft"], "strokeWidth": 1.5, "opacity": 0.6},
        },
    }


def _titles(look: dict[str, Any]) -> dict[str, Any]:
    return {
        "anchor": "start", "frame": "bounds", "fontSize": 15, "fontWeight": 600, "color": look["ink"],
        "subtitleColor": look["soft"], "subtitleFontSize": 12, "subtitlePadding": 4, "offset": 12,
    }  # fmt: skip


def _axes(look: dict[str, Any]) -> dict[str, Any]:
    return {
        "labelColor": look["soft"], "titleColor": look["soft"], "gridColor": look["grid"],
        "domainColor": look["grid"], "tickColor": look["grid"], "labelFontSize": 11, "titleFontSize": 12,
        "titleFontWeight": "normal", "labelPadding": 4, "titlePadding": 8,
    }  # fmt: skip


def _legends(look: dict[str, Any]) -> dict[str, Any]:
    return {
        "orient": "top", "direction": "horizontal", "title": None, "labelColor": look["ink"],
        "titleColor": look["soft"], "labelFontSize": 12, "labelLimit": 200, "symbolStrokeWidth": 2.5,
        "columns": 3, "offset": 20,
    }  # fmt: skip


def finish(chart: Picture, *, title: str, says: str, description: str) -> Picture:
    """Give a chart its words and let it be as wide as what holds it.

    Args:
        chart: to be finished.
        title: what one sees.
        says: what it comes to, in a sentence or two with numbers.
        description: for those who do not see it.
    """
    heading = alt.TitleParams(
        text=textwrap.wrap(title, _TITLE_WIDTH), subtitle=textwrap.wrap(says, _SUBTITLE_WIDTH)
    )
    return chart.properties(title=heading, description=description, width="container")


def layered(*charts: Picture) -> alt.LayerChart:
    """Charts drawn one over another."""
    return alt.LayerChart(layer=list(charts))


def nothing(title: str, says: str) -> Picture:
    """What to show where there is nothing to show.

    Args:
        title: what one would see.
        says: why one does not.
    """
    empty = alt.Chart(alt.InlineData(values=[{"says": says}]), height=40).mark_text().encode(text="says:N")
    return finish(empty, title=title, says="", description=says)


def draw(chart: Picture, kind: Literal["png", "svg"] = "png", *, dark: bool = False, scale: int = 2) -> bytes:
    """Draw a chart as a file, without a browser or a network.

    Args:
        chart: any of this package.
        kind: of file.
        dark: for a dark page.
        scale: pixels of a PNG for one of the chart.
    """
    spec = {name: value for name, value in chart.to_dict().items() if name != "config"}
    if kind == "svg":
        return vl_convert.vegalite_to_svg(spec, config=config(dark=dark)).encode()
    return vl_convert.vegalite_to_png(spec, config=config(dark=dark), scale=scale)


def use_in_notebook(*, dark: bool = False, renderer: str = "png") -> None:
    """Make every chart of this session look like this, and draw it as a picture that needs no network.

    Args:
        dark: for a dark page.
        renderer: of Altair; `html` gives pictures that answer the mouse, with scripts from a CDN.
    """
    look: Any = {"config": config(dark=dark)}
    alt.theme.register("curation", enable=True)(lambda: look)
    alt.renderers.enable(renderer, **({"scale_factor": 2} if renderer == "png" else {}))
