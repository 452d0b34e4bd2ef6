"""The end of a comparison: differences between arms, and whether they are more than noise."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curation import io
from curation.report.arms import read_comparison
from curation.report.charts.theme import draw
from curation.report.charts.training import differences, scores
from curation.report.inert import inert

_ALL = "all"
_STYLES = {"better": "green", "worse": "red"}
_CHANCE = 0.05  # of a difference outside its interval where there is none


def tell(path: Path) -> RenderableType:
    """Say which arm is better, by how much, and how sure that is; and draw it beside.

    Args:
        path: of `comparison.json`.
    """
    comparison = io.read_json(path)
    arms = read_comparison(path.parent)
    charts = {"scores.png": scores(arms), "differences.png": differences(arms)}
    for name, chart in charts.items():
        (path.parent / name).write_bytes(draw(chart))
    notes = [Text.assemble(("note  ", "bold yellow"), note) for note in _notes(comparison)]
    drawn = Text.assemble(("drawn  ", "bold"), ", ".join(str(path.parent / name) for name in charts))
    return Group(_arms(comparison), Text(), _differences(comparison), *notes, drawn)


def _arms(comparison: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("arm")
    names = list(comparison["arms"][0]["datasets"])
    for name in ("images", "epochs", "loss", *names):
        table.add_column(inert(name), justify="right")
    for arm in comparison["arms"]:
        table.add_row(
            inert(arm["name"]) + (" (online)" if arm["online"] else ""),
            f"{arm['samples']:,}",
            f"{arm['epochs']:.1f}",
            f"{sum(arm['loss']) / len(arm['loss']):.3f}",
            *(_value(arm["datasets"][name]) for name in names),
        )
    return table


def _value(row: Mapping[str, Any]) -> str:
    reach = "" if row["low"] is None else f" ±{100 * (row['high'] - row['low']) / 2:.1f}"
    return f"{100 * row['value']:.1f}{reach}"


def _differences(comparison: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"against {inert(comparison['baseline'])}")
    table.add_column("data set")
    table.add_column("classes")
    for name in ("difference", "95% interval"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in comparison["differences"]:
        between = "" if row["low"] is None else f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
        table.add_row(
            inert(row["arm"]),
            inert(row["dataset"]),
            row["part"],
            f"{100 * row['value']:+.1f}",
            between,
            Text(row["verdict"], style=_STYLES.get(row["verdict"], "dim")),
        )
    return table


def _notes(comparison: Mapping[str, Any]) -> list[str]:
    seeds, rows = len(comparison["seeds"]), comparison["differences"]
    notes = []
    if seeds == 1:
        notes.append("one seed tells nothing about noise: give --seeds 0 1 2")
    elif len(rows) > 1:
        notes.append(
            f"of {len(rows)} differences, {_CHANCE * len(rows):.1f} would be called better or worse if all "
            "arms were alike; believe what several data sets say"
        )
    notes += _published(comparison["reference"])
    if any(row["part"] != _ALL for row in rows):
        notes.append("head and tail: classes whose names are entries with more than t pairs, and the others")
    return notes


def _published(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    figures = "; ".join(f"{row['data']} {row['imagenet']:g}" for row in rows)
    return [f"published with {rows[0]['samples_seen']:,} samples, ImageNet: {figures} ({rows[0]['source']})"]
