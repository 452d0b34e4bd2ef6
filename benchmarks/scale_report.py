"""What `benchmarks.scale` measured: kept, as a table, and drawn."""

import io
import json
import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import altair as alt
from PIL import Image

from benchmarks.report import RESULTS
from benchmarks.scale_watch import DRIVER_JVM, EXECUTOR, ROLES
from curation.demo.processes import processor
from curation.report.charts.theme import draw

DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "scale.png"
BEGIN, END = "<!-- scale:begin -->", "<!-- scale:end -->"

LINEAR = 1.1
"""The largest exponent that passes for linear."""
FLAT = 1.25
"""By how much the largest Python process may grow when its input grows fourfold, and still be flat."""
_COLOURS = 64

Run = Mapping[str, Any]


def publish(found: Mapping[str, Any], *, order: Sequence[str]) -> None:
    """Keep results beside those of other steps, and show all: on the terminal, in the document, as a picture.

    Args:
        found: by step: `unit`, and `runs` from the smallest to the largest.
        order: of steps.
    """
    path = RESULTS / "scale.json"
    kept = json.loads(path.read_text())["steps"] if path.exists() else {}
    steps = {name: (kept | dict(found))[name] for name in order if name in kept or name in found}
    if found:
        machine = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": processor()}
        told = machine | {"python": platform.python_version(), "steps": steps}
        path.write_text(json.dumps(told, indent=1) + "\n")
    text = f"{verdicts(steps)}\n\n{table(steps)}"
    print(text)  # noqa: T201 - to be copied from a terminal
    PICTURE.write_bytes(_picture(steps))
    if DOCUMENT.exists():
        before, _, rest = DOCUMENT.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        if rest:
            DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def table(steps: Mapping[str, Any]) -> str:
    """All runs, in Markdown."""
    head = ["step", "", "input", "s", "CPU s", "driver JVM", "driver Python", "executor", "Python worker",
            "decoder", "tasks", "shuffle MB", "spilled MB", "output MB", "at most MB"]  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "| --- | ---: " + "| ---: " * (len(head) - 2) + "|"]
    for name, step in steps.items():
        for run in step["runs"]:
            memory = [f"{run['megabytes'][role]:,.0f}" if role in run["megabytes"] else "" for role in ROLES]
            size = f"{run['amount']:,.{1 if run['amount'] < 100 else 0}f} {step['unit']}"
            sums = [f"{run.get(key, 0) / 1e6:,.1f}" for key in ("shuffle_bytes", "spilled_bytes")]
            sums += [f"{run[key] / 1e6:,.1f}" for key in ("output_bytes", "peak_bytes")]
            cells = [name, f"{run['factor']}x", size, f"{run['seconds']:,.1f}", f"{_taken(run, 'cpu'):,.1f}"]
            lines.append("| " + " | ".join([*cells, *memory, f"{run.get('tasks', 0):,}", *sums]) + " |")
    return "\n".join(lines)


def verdicts(steps: Mapping[str, Any]) -> str:
    """Of each step, how it grows over its last three sizes, in Markdown."""
    lines = [
        "| step | time | CPU time | CPU of a further | shuffle | output | largest Python process | verdict |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for name, step in steps.items():
        if len(step["runs"]) < 3:
            continue
        first, before, last = step["runs"][-3:]
        keys = ("seconds", "cpu", "shuffle_bytes", "output_bytes")
        powers = [exponent(first, before, last, key) for key in keys]
        time, cpu, *sizes = ["" if power is None else f"{power:.2f}" for power in powers]
        further = 1000 * (_taken(last, "cpu") - _taken(before, "cpu")) / (last["amount"] - before["amount"])
        role, ratio = max(_growth(before, last), key=lambda item: item[1])
        faster = [power for power in powers if power is not None and power > LINEAR]
        verdict = "faster than its input" if faster else "no faster than its input"
        verdict += "; memory grows" if ratio > FLAT else "; memory is flat"
        cells = [f"{name}, {first['factor']}x to {last['factor']}x", time, cpu]
        cells += [f"{step['unit'].removesuffix('s')}: {further:,.3g} ms", *sizes, f"{role}: x {ratio:.2f}"]
        lines.append(f"| {' | '.join([*cells, verdict])} |")
    return "\n".join(lines)


def exponent(first: Run, before: Run, last: Run, key: str) -> float | None:
    """How what a step takes grows with its input, whatever it takes without any.

    For a fixed cost and a power of the input, fixed + c * input ** p, at three sizes that are in proportion,
    what the second step up adds is the ratio of the sizes to the power of p times what the first added.

    Returns:
        p: 1 is in proportion. None where more input did not take more.
    """
    added = [_taken(after, key) - _taken(run, key) for run, after in ((first, before), (before, last))]
    if min(added) <= 0:
        return None
    return math.log(added[1] / added[0]) / math.log(last["amount"] / before["amount"])


def _growth(before: Run, last: Run) -> Iterator[tuple[str, float]]:
    for role in ROLES:
        if role in (DRIVER_JVM, EXECUTOR):
            continue  # they fill the heap that they are given, and fail if that is too small
        if role in before["megabytes"] and role in last["megabytes"]:
            yield role, last["megabytes"][role] / before["megabytes"][role]


def _taken(run: Run, key: str) -> float:
    return sum(run["cpu_seconds"].values()) if key == "cpu" else run.get(key, 0)


def chart(steps: Mapping[str, Any]) -> alt.VConcatChart:
    """Time for a unit of input, and the memory of the largest process of each role; a panel a step."""
    factors = sorted({run["factor"] for step in steps.values() for run in step["runs"]})
    size = alt.X("factor:Q", title=None, scale=alt.Scale(type="log", base=4, nice=False),
                 axis=alt.Axis(values=factors, labelExpr="datum.value + 'x'"))  # fmt: skip
    times = [
        {"step": f"{name}: 1 {step['unit'].removesuffix('s')}", "factor": run["factor"], "kind": kind,
         "value": 1000 * value / run["amount"]}
        for name, step in steps.items() for run in step["runs"]
        for kind, value in (("time", run["seconds"]), ("CPU time", _taken(run, "cpu")))
    ]  # fmt: skip
    memory = [
        {"step": name, "factor": run["factor"], "kind": role, "value": run["megabytes"][role]}
        for name, step in steps.items() for run in step["runs"] for role in ROLES if role in run["megabytes"]
    ]  # fmt: skip
    log, linear = alt.Scale(type="log", nice=True), alt.Scale(zero=True)
    return alt.vconcat(
        _panels("Milliseconds for a unit of input", times, ["time", "CPU time"], size, log),
        _panels("Memory of the largest process, MB (PSS)", memory, ROLES, size, linear),
    ).resolve_scale(color="independent")


def _panels(
    title: str, rows: Sequence[Run], kinds: Sequence[str], size: alt.X, scale: alt.Scale
) -> alt.FacetChart:
    order = list(dict.fromkeys(row["step"] for row in rows))
    lines = alt.Chart(alt.InlineData(values=list(rows)), width=150, height=90).mark_line(point=True)
    panel = lines.encode(
        x=size,
        y=alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(tickCount=4)),
        color=alt.Color("kind:N", scale=alt.Scale(domain=list(kinds)), legend=alt.Legend(columns=5)),
    )
    by_step = alt.Facet("step:N", sort=order, title=None, header=alt.Header(labelFontSize=11))
    return panel.facet(facet=by_step, columns=4, title=title).resolve_scale(y="independent")


def _picture(steps: Mapping[str, Any]) -> bytes:
    """The chart as a PNG of few colours, which is a small one."""
    with Image.open(io.BytesIO(draw(chart(steps)))) as drawn:
        few = drawn.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        buffer = io.BytesIO()
        few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
