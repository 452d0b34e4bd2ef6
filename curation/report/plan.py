"""A plan as tables: what each step takes, what all take, and every figure that this rests on."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curation.config.plan import DEFAULT_GPUS, DEFAULT_T
from curation.plan.estimate import CONNECTIONS, Estimate, Step
from curation.plan.figures import Figure
from curation.plan.rates import Rates
from curation.report.inert import inert

_HOUR, _DAY = 3600.0, 86_400.0
_HOURS_TOLD_AS_DAYS = 72.0
_SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"))
_BYTE_SCALES = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"))


def tell(plan: Estimate) -> RenderableType:
    """Say what a run will take.

    Args:
        plan: of the run.

    Returns:
        Something for a `rich.console.Console` to print, legible at 100 columns.
    """
    blank = Text()
    notes = [("note", note) for note in _notes(plan)]
    following = [("" if number else "next", line) for number, line in enumerate(_next(plan))]
    parts: list[RenderableType] = [_funnel(plan), blank, _steps(plan), blank, _lines(_totals(plan)), blank]
    parts += [_lines([*notes, *following])]
    return Group(*parts, blank, Text("What this rests on", style="bold"), *_assumptions(plan))


def tell_rates(measured: tuple[Rates, str]) -> RenderableType:
    """Say what a calibration found.

    Args:
        measured: the rates, and the path of the file that holds them.
    """
    rates, path = measured
    table = _table(("step", "left"), ("rate", "right"), ("unit", "left"))
    for figure in rates.figures():
        table.add_row(figure.name.removesuffix("_seconds"), _plain(figure.value), figure.unit)
    following = f"python jobs/plan.py --crawls 15 --cores 256 --rates {path}"
    return Group(Text(inert(f"{rates.machine}: {rates.how}")), table, _lines([("next", following)]))


def _funnel(plan: Estimate) -> Text:
    funnel = plan.funnel
    counts = (
        (funnel.files, "WAT files"),
        (funnel.candidates, "pairs"),
        (funnel.pool, "distinct"),
        (funnel.matched, "matched"),
        (funnel.curated, "curated"),
        (funnel.samples, "images"),
    )
    return Text(" → ".join(f"{count(number)} {name}" for number, name in counts))


def _steps(plan: Estimate) -> Table:
    table = _table(
        ("step", "left"),
        ("work", "right"),
        ("time", "right"),
        ("core-hours", "right"),
        ("reads", "right"),
        ("writes", "right"),
        ("network", "right"),
        ("held up by", "left"),
    )
    for step in plan.steps:
        table.add_row(*_cells(step))
    table.add_row(
        "data set",
        "",
        duration(plan.seconds),
        _hours(plan.core_hours),
        "",
        size(sum(step.written_bytes for step in plan.steps)),
        size(sum(step.network_bytes for step in plan.steps)),
        "",
        style="bold",
    )
    if plan.training is not None:
        table.add_row(*_cells(plan.training))
    return table


def _cells(step: Step) -> tuple[str, ...]:
    return (
        step.name,
        f"{count(step.work)} {step.unit}",
        duration(step.seconds),
        _hours(step.core_hours) if step.cpu_seconds else "",
        size(step.read_bytes),
        size(step.written_bytes),
        size(step.network_bytes),
        step.bottleneck,
    )


def _totals(plan: Estimate) -> list[tuple[str, str]]:
    config = plan.config
    memory = max(step.memory_mbyte for step in plan.steps)
    lines = [
        ("cores", f"{config.cores:,}: {_hours(plan.paid_core_hours)} core-hours while it lasts"),
        ("disk", _disk(plan)),
        ("memory", f"{memory / 1000:.1f} GB a core, JVM and Python together"),
    ]
    if plan.money is not None:
        price = config.price_core_hour
        lines.append(("money", f"{plan.money:,.0f} at {price:g} a core-hour, idle cores included"))
    if plan.training is not None:
        gpus = config.gpus or DEFAULT_GPUS
        hours = plan.training.seconds * gpus / _HOUR
        lines.append(("GPUs", f"{gpus:,} for {duration(plan.training.seconds)}: {_hours(hours)} GPU-hours"))
    return lines


def _disk(plan: Estimate) -> str:
    told = f"{size(plan.most_bytes)} at its fullest, {size(plan.kept_bytes)} at the end"
    if size(plan.most_bytes_crawl_by_crawl) == size(plan.most_bytes):
        return told
    return f"{told}; {size(plan.most_bytes_crawl_by_crawl)} a crawl at a time, with extract --against"


def _notes(plan: Estimate) -> list[str]:
    """What would change the plan most, and what it leaves out."""
    config, notes = plan.config, []
    if plan.steps[0].bottleneck == CONNECTIONS:
        busy = int(min(plan.figures["connections"].value, plan.funnel.files))
        if config.cores > busy:
            notes.append(
                f"extract reads {busy} files at once, so {busy} cores are all it can use: run it on a "
                "machine of its own, or in AWS us-east-1 (--in-region)"
            )
    notes.append(
        "--network-mbit is the line to the world; what the machines' own cards carry is not in it: S3 in "
        "the region, shuffles, the shared file system"
    )
    if config.files is not None:
        notes.append(
            "distinct pairs of a part of a crawl are told by Heaps' law; a trial tells better, and its "
            "_run.json has the figures for --assume"
        )
    return notes


def _next(plan: Estimate) -> list[str]:
    config = plan.config
    crawls = "CC-MAIN-YYYY-WW" if config.crawls in (None, 1) else "CC-MAIN-YYYY-WW…"
    limit = "" if config.files is None else f" --limit {config.files}"
    place = (
        " --crawl-url s3://commoncrawl/" if config.in_region else _flag(plan, "connections", "connections")
    )
    images = f"--image-size {config.image_size}{_flag(plan, 'images_at_once', 'threads')}"
    t = f"--t {config.t or DEFAULT_T:.15g}"
    balance = t if config.keep_share is None else f"--target {plan.funnel.curated:.0f}"
    return [
        f"python jobs/extract.py --crawl {crawls}{limit}{place} --languages en --output pool",
        "python jobs/match.py --pool pool --vocabulary metadata/english --output matches",
        f"python jobs/balance.py --matches matches {balance} --output curated",
        f"python jobs/download.py --curated curated {images} --output shards",
    ]


def _flag(plan: Estimate, name: str, flag: str) -> str:
    """The flag by which a job does as was planned; none for its own default."""
    figure = plan.figures.get(name)
    return f" --{flag} {figure.value:.0f}" if figure and figure.origin == "yours" else ""


def _assumptions(plan: Estimate) -> Sequence[RenderableType]:
    table = _table(("figure", "left"), ("value", "right"), ("unit", "left"), ("from", "left"))
    before = ""
    for figure in plan.figures.values():
        source = _origin(figure)
        table.add_row(
            figure.name,
            _plain(figure.value),
            figure.unit,
            Text("the same" if source == before else inert(source)),
        )
        before = source
    told = plan.config.keep_share is None
    table.add_row(
        "kept share",
        _plain(plan.funnel.curated / plan.funnel.matched),
        "of matches",
        "inferred: a logistic curve in log t and log pool through MetaCLIP's three sizes; --keep-share"
        if told
        else "yours: --keep-share",
    )
    reading = "Replace any of them: --assume NAME=VALUE, or the flag that is named; rates by --calibrate."
    return table, Text(reading, style="dim")


def _origin(figure: Figure) -> str:
    flag = f"; {figure.flag}" if figure.flag and figure.origin != "yours" else ""
    return f"{figure.origin}: {figure.source}{flag}"


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, side in columns:
        table.add_column(name, justify="right" if side == "right" else "left")
    return table


def _lines(lines: Sequence[tuple[str, str]]) -> Table:
    """A word, and what is to be said of it, however many lines that takes."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for name, text in lines:
        grid.add_row(name, Text(text))
    return grid


def count(number: float) -> str:
    """A number of things, to three digits from a million on: 1.6B, 405,232."""
    for scale, letter in _SCALES:
        if number >= scale:
            return (
                f"{number / scale:,.3g}{letter}"
                if number < 1000 * scale
                else f"{number / scale:,.0f}{letter}"
            )
    return f"{number:,.0f}"


def size(size_bytes: float) -> str:
    """Bytes, in powers of a thousand; empty for none."""
    if not size_bytes:
        return ""
    for scale, unit in _BYTE_SCALES:
        if size_bytes >= scale:
            value = size_bytes / scale
            return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"
    return f"{size_bytes / 1e3:,.0f} kB"


def duration(seconds: float) -> str:
    """A time: 40 s, 12 min, 4.1 h, 8.5 d."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / 60:.0f} min"
    if seconds < _HOURS_TOLD_AS_DAYS * _HOUR:
        return f"{seconds / _HOUR:.1f} h"
    return f"{seconds / _DAY:,.1f} d"


def _hours(hours: float) -> str:
    return f"{hours:,.1f}" if hours < 10 else f"{hours:,.0f}"


def _plain(value: float) -> str:
    if value >= 1e9 or value < 1e-3:
        return f"{value:.3g}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
