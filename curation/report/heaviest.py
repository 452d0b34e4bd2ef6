"""The heaviest entries, before and after balancing."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from curation.report.inert import inert

_BAR = 24


def heaviest(card: Mapping[str, Any], rows: int = 10) -> Table:
    """Show what balancing did to the entries with the most matches.

    Args:
        card: what `datacard.json` holds.
        rows: how many entries to show.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("heaviest entries")
    table.add_column("before", justify="right")
    table.add_column("after", justify="right")
    table.add_column("")
    entries = card["heaviest"][:rows]
    most = entries[0]["count"]
    for entry in entries:
        before, after = (round(_BAR * entry[name] / most) for name in ("count", "kept_count"))
        bar = f"[green]{'█' * after}[/][dim]{'░' * max(0, before - after)}[/]"
        table.add_row(Text(inert(entry["entry"])), f"{entry['count']:,}", f"{entry['kept_count']:,}", bar)
    return table
