"""The end of an evaluation: a table, and how to read it."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curation.report.inert import inert
from curation.trainer.evaluation.result import DatasetResult, Result, rows

_EXTREMES = 3


def tell(result: Result) -> RenderableType:
    """Say what an evaluation found.

    Args:
        result: as it was written.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("data set", "metric", "%", "95% interval", "images", "linear probe"):
        table.add_column(name, justify="left" if name in ("data set", "metric") else "right")
    probed = any(dataset.probe for dataset in result.datasets)
    for row in rows(result):
        table.add_row(*(inert(cell) for cell in row))
    if not probed:
        table.columns.pop()
    notes = [
        Text.assemble(("note  ", "bold yellow"), f"{inert(dataset.title)}: {inert(note)}")
        for dataset in result.datasets
        for note in [*_by_chance(dataset), *_classes(dataset), *dataset.notes]
    ]
    return Group(Text(f"{result.model}, {result.checkpoint}"), table, *notes)


def _by_chance(dataset: DatasetResult) -> list[str]:
    if dataset.chance is None:
        return []
    guessed = f"guessing gives {dataset.chance:.1%}"
    return [guessed if dataset.interval[0] > dataset.chance else f"{guessed}: no better than that"]


def _classes(dataset: DatasetResult) -> list[str]:
    """The best and the worst classes, and what entry counts have to do with it."""
    measured = [(row.accuracy, row.name) for row in dataset.classes if row.accuracy is not None]
    if len(measured) <= _EXTREMES:
        return []
    ordered = sorted(measured, reverse=True)
    best, worst = ordered[:_EXTREMES], ordered[-_EXTREMES:]
    lines = [f"best {_named(best)}; worst {_named(worst)}"]
    against = dataset.against_counts
    if against is not None:
        bins = ", ".join(f"{row.name} {row.accuracy:.1%} ({row.classes} classes)" for row in against.bins)
        rank = (
            "" if against.spearman is None else f"; rank correlation with the count {against.spearman:+.2f}"
        )
        lines.append(f"by entry count: {bins}{rank}")
    return lines


def _named(classes: list[tuple[float, str]]) -> str:
    return ", ".join(f"{name} {accuracy:.0%}" for accuracy, name in classes)
