"""What was taken down, or would be."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from curation.record import RunRecord


def tell(records: Sequence[RunRecord], log: Path) -> RenderableType:
    """Say what a takedown did, in numbers alone.

    Args:
        records: of the shards; the last takedown is told of, as one to come if the record is not fresh.
        log: where the rest is told.

    Returns:
        Something for a `rich.console.Console` to print.
    """
    (record,) = records
    entry = record.facts["takedowns"][-1]
    requested = ", ".join(f"{n:,} {kind}" for kind, n in entry["requested"].items())
    lines = [Text.assemble(("requested  ", "bold"), requested)]
    if entry["shards"]:
        title = "taken down  " if record.fresh else "would be taken down  "
        told = f"{entry['images']:,} images, and {entry['texts']:,} texts of others"
        lines.append(Text.assemble((title, "bold"), f"{told}, in {entry['shards']:,} shards"))
    else:
        lines.append(Text("nothing in the shards matches; nothing was changed"))
    lines.append(Text.assemble(("shards  ", "bold"), str(record.folder)))
    lines.append(Text.assemble(("log  ", "bold"), str(log)))
    return Group(*lines)
