"""Why a pair was kept or dropped, as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curation.report.inert import inert


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What became of one pair.

    Attributes:
        text: of the pair.
        url: of its image; None for a text alone.
        uid: of the pair; None for a text alone.
        entries: rows of `CURATED_COUNTS`, of the entries that occur in the text, in id order.
        keep_probability: of the pair.
        draw: in [0, 1); None for a text alone.
        seed: of the draw.
        online: whether the data set was written uncut.
        drop_reason: None if the pair is kept, or if that takes a draw.
    """

    text: str
    url: str | None
    uid: str | None
    entries: Sequence[Mapping[str, Any]]
    keep_probability: float
    draw: float | None
    seed: int
    online: bool
    drop_reason: str | None


def show(explanation: Explanation) -> RenderableType:
    """Show the entries that a text matches, and what follows from them."""
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    for name in ("text", "url", "uid"):
        value = getattr(explanation, name)
        if value is not None:
            facts.add_row(name, Text(inert(value)))
    if not explanation.entries:
        facts.add_row("entries", "none")
    outcome = Table(box=None, pad_edge=False, show_header=False)
    outcome.add_column(style="bold")
    outcome.add_column(overflow="fold")
    outcome.add_row("keep probability", f"{explanation.keep_probability:.6g}")
    if explanation.draw is not None:
        outcome.add_row("draw", f"{explanation.draw:.6g} (seed {explanation.seed})")
    outcome.add_row("decision", _decision(explanation))
    return Group(facts, *([_entries(explanation.entries)] if explanation.entries else []), outcome)


def _entries(entries: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2), header_style="bold")
    table.add_column("entry", overflow="fold")
    for name in ("language", "entry_id", "count", "probability", "kept_count"):
        table.add_column(name, justify="left" if name == "language" else "right")
    for entry in entries:
        table.add_row(
            Text(inert(entry["entry"])),
            entry["language"],
            str(entry["entry_id"]),
            f"{entry['count']:,}",
            f"{entry['probability']:.6g}",
            f"{entry['kept_count']:,}",
        )
    return table


def _decision(explanation: Explanation) -> str:
    keep, draw = explanation.keep_probability, explanation.draw
    if explanation.drop_reason == "not_drawn":
        return f"dropped (not_drawn): the draw {draw:.6g} is not below the keep probability {keep:.6g}"
    if explanation.drop_reason is not None:
        return f"dropped ({explanation.drop_reason})"
    if explanation.online:
        return "kept: this data set is written uncut, and the loader draws"
    if draw is None:
        return "a text alone has no draw; give --url too" if keep < 1 else "kept, whatever its image"
    return f"kept: the draw {draw:.6g} is below the keep probability {keep:.6g}"
