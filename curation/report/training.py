"""The end of a training run: what it came to, and what to do next."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curation.trainer.loop import Trained
from curation.trainer.progress import Point, warnings
from curation.trainer.published import nearest

_SPARKS = "▁▂▃▄▅▆▇█"
_WIDTH = 48


def tell(trained: Trained) -> RenderableType:
    """Say what a run came to.

    Args:
        trained: the run.
    """
    recipe, last = trained.recipe, trained.points[-1]
    table = Table(box=None, pad_edge=False, show_header=False)
    losses = [point.loss for point in trained.points]
    rows = {
        "model": f"{trained.model}, {last.samples_seen:,} samples in steps of {recipe.batch_size:,}",
        "images": f"{trained.images:,}, each seen {last.samples_seen / trained.images:.1f} times",
        "loss": f"{losses[0]:.3f} → {last.loss:.3f}  {sparkline(losses)}",
        "logit scale": f"{trained.points[0].logit_scale:.1f} → {last.logit_scale:.1f}",
        "speed": _speed(trained.points),
    }
    for name, value in rows.items():
        table.add_row(Text(name, style="bold"), Text(value))
    notes = [Text.assemble(("note  ", "bold yellow"), note) for note in _notes(trained)]
    ends = [
        Text.assemble(("weights  ", "bold"), str(trained.checkpoint)),
        Text.assemble(
            ("next     ", "bold"),
            f"python jobs/evaluate.py --checkpoint {trained.run} --datasets DIR --output RESULT.json",
        ),
    ]
    return Group(table, *notes, *ends)


def sparkline(values: Sequence[float]) -> str:
    """A row of bars, as high as the means of as many equal parts of the values."""
    parts = min(_WIDTH, len(values))
    means = []
    for part in range(parts):
        chunk = values[part * len(values) // parts : (part + 1) * len(values) // parts]
        means.append(sum(chunk) / len(chunk))
    low, high = min(means), max(means)
    step = (high - low) / (len(_SPARKS) - 1) or 1.0
    return "".join(_SPARKS[round((mean - low) / step)] for mean in means)


def _speed(points: Sequence[Point]) -> str:
    """Of the last half of the run: before, files were cold and code was compiled."""
    late = points[len(points) // 2 :]
    rate = len(late) / sum(1 / point.samples_per_second for point in late)
    waiting = sum(point.waiting_share for point in late) / len(late)
    return f"{rate:,.0f} samples/s, {waiting:.0%} of the time waiting for images"


def _notes(trained: Trained) -> list[str]:
    recipe = trained.recipe
    notes = list(warnings(trained.points, recipe.batch_size).values())
    replaced: Counter[str] = Counter()
    for point in trained.points:
        replaced.update(point.replaced)
    for what, counts in (("left out of the index", trained.dropped), ("read in vain and replaced", replaced)):
        if counts:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items()))
            notes.append(f"samples {what}: {reasons}")
    if rows := nearest(trained.points[-1].samples_seen, trained.model):
        least, most = min(rows, key=lambda row: row.imagenet), max(rows, key=lambda row: row.imagenet)
        notes.append(
            f"published with {rows[0].samples_seen:,} samples: ImageNet {least.imagenet:g} ({least.data}) to "
            f"{most.imagenet:g} ({most.data}); {least.source}"
        )
    return notes
