"""The end of scoring shards, and of choosing samples from them."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curation.trainer.score import Scored
from curation.trainer.subset import Counts


def tell_scores(scored: Scored) -> RenderableType:
    """Say what was scored.

    Args:
        scored: what is in the folder.
    """
    faults = ", ".join(f"{reason} {count:,}" for reason, count in sorted(scored.faults.items()))
    notes = [Text.assemble(("note  ", "bold yellow"), f"without a score: {faults}")] if faults else []
    following = f"python jobs/subset.py --shards SHARDS --scores {scored.output} --top-share 0.3"
    return Group(
        Text(f"{scored.texts:,} texts of {scored.shards:,} shards"),
        *notes,
        Text.assemble(("next  ", "bold"), f"{following} --output LIST.parquet"),
    )


def tell_subset(counts: Counts) -> RenderableType:
    """Say what each filter left.

    Args:
        counts: of the filters, in their order.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("filter")
    for name in ("images", "texts"):
        table.add_column(name, justify="right")
    for name in counts.images:
        table.add_row(name, f"{counts.images[name]:,}", f"{counts.texts[name]:,}")
    following = "python jobs/train.py --shards LIST.parquet --output RUN, or an arm of jobs/compare.py"
    return Group(table, Text.assemble(("next  ", "bold"), following))
