"""Measuring, and writing down what was measured."""

import json
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Result:
    """What a benchmark found.

    Attributes:
        unit: of the rates.
        rates: by contestant; the first one is what the others are compared with.
        note: what was measured, and on what.
    """

    unit: str
    rates: Mapping[str, float]
    note: str


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rates(
    amount: float, contestants: Mapping[str, Callable[[], object]], rounds: int = 5
) -> dict[str, float]:
    """Amount per second of each contestant's quickest run; they take turns, as machines change pace."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            times[name].append(seconds(work))
    return {name: amount / min(taken) for name, taken in times.items()}


def show(name: str, result: Result | None) -> None:
    """Print the rates as ratios and keep them under `results/`."""
    console = Console()
    if result is None:
        console.print(f"[bold]{name}[/]: skipped, no shared data (see tests/conftest.py)")
        return
    first, ours = next(iter(result.rates.items()))
    table = Table(title=f"{name}: {result.note}", title_justify="left", box=None)
    table.add_column("contestant")
    table.add_column(result.unit, justify="right")
    table.add_column(f"{first} is", justify="right")
    for contestant, value in sorted(result.rates.items(), key=lambda item: -item[1]):
        table.add_row(contestant, f"{value:,.4g}", f"{ours / value:,.3g}x")
    console.print(table)
    RESULTS.mkdir(exist_ok=True)
    written = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "note": result.note,
        "unit": result.unit,
        "rates": {contestant: round(value, 4) for contestant, value in result.rates.items()},
        f"{first}_is": {peer: round(ours / value, 3) for peer, value in result.rates.items()},
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(written, indent=2) + "\n")
