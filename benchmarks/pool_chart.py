"""Draw docs/images/scale-pool.png: `python -m benchmarks.pool_chart`."""

import io
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
from PIL import Image

from benchmarks import pool_model as model
from curation.report.charts.axes import log_axis, share_axis
from curation.report.charts.theme import Picture, draw, finish, layered

IMAGE = Path(__file__).parents[1] / "docs" / "images" / "scale-pool.png"
LOW, HIGH = 1_000, 100_000
FIRST = {"400M of 1.6B": (model.T, model.KEPT)}
SECOND = {
    f"{share * model.PAIRS_2 / 1e9:g}B of 10.7B": (t * model.PAIRS / model.PAIRS_2, share)
    for t, share in model.KEPT_2.items()
}
COLOURS = 48


def chart() -> Picture:
    """The kept share over t, by what is assumed of matches in one text."""
    x = alt.X("t:Q", scale=alt.Scale(type="log", domain=[LOW, HIGH], nice=False))
    lines = alt.Chart(alt.InlineData(values=_rows())).mark_line()
    lines = lines.encode(
        x=x.axis(log_axis("t, scaled to a pool of 1.6B pairs", LOW, HIGH)),
        y=alt.Y("kept:Q", axis=share_axis("pairs kept")),
        color=alt.Color("matches in one text:N", sort=None, legend=alt.Legend(orient="top")),
    )
    return finish(
        layered(lines, *_points(FIRST, x, align="center", dy=32), *_points(SECOND, x, dx=9, dy=9)),
        title="How much a pool keeps",
        says="Lines: the simulated pool. Points: as published.",
        description="The share of pairs kept over t for three assumptions, and three published points.",
    )


def _rows() -> list[dict[str, object]]:
    thresholds = np.geomspace(LOW, HIGH, 30).tolist()
    assumed = {
        "independent": [model.kept_if_independent(t) for t in thresholds],
        "as in real alts": model.kept(thresholds, model.Law(company=model.MEASURED_COMPANY)).tolist(),
        "fitted": model.kept(thresholds, model.Law()).tolist(),
    }
    return [
        {"t": t, "kept": share, "matches in one text": name}
        for name, shares in assumed.items()
        for t, share in zip(thresholds, shares, strict=True)
    ]


def _points(places: dict[str, tuple[float, float]], x: alt.X, **label: Any) -> list[alt.Chart]:
    rows = [{"t": t, "kept": share, "label": name} for name, (t, share) in places.items()]
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x, y="kept:Q")
    points = base.mark_point(filled=True, size=70, opacity=1, style="threshold", strokeWidth=0)
    words = base.mark_text(style="threshold-label", **({"align": "left"} | label))
    return [points, words.encode(text="label:N")]


def _small(png: bytes) -> bytes:
    """The same picture in few colours, a tenth of the bytes."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS).save(out, "png", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    IMAGE.write_bytes(_small(draw(chart())))
