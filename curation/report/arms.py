"""A comparison of training runs, as `jobs/compare.py` leaves it: what charts read of it, and no more."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation import io
from curation.errors import InputError
from curation.report.inert import inert

COMPARISON = "comparison.json"
WHOLE = "all"
"""The part of a data set that is all of it."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What an arm scores on a data set.

    Attributes:
        arm: its name.
        dataset: its name.
        metric: what the value is.
        value: the mean over seeds.
        low: lower end of the interval (95%); None with one seed.
        high: upper end.
        head: the value on classes whose names are head entries; None where it is not known.
        tail: on those of tail entries.
    """

    arm: str
    dataset: str
    metric: str
    value: float
    low: float | None
    high: float | None
    head: float | None
    tail: float | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much better an arm is than the baseline.

    Attributes:
        arm: its name.
        baseline: of the arm that it is held against.
        dataset: its name.
        part: of the data set: `all`, `head` or `tail`.
        value: the difference of the means over seeds.
        low: lower end of the interval (95%); None with one seed.
        high: upper end.
        verdict: in words.
    """

    arm: str
    baseline: str
    dataset: str
    part: str
    value: float
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Arms, what they score, and how they differ.

    Attributes:
        arms: by name, the images that each was trained on; None where it is not told.
        seeds: how many each arm was trained with, at least.
        measured: a row an arm and data set.
        differences: a row an arm, data set and part, the baseline left out.
        reference: what others have published for the same budget, in their words.
    """

    arms: Mapping[str, int | None]
    seeds: int
    measured: Sequence[Measured]
    differences: Sequence[Difference]
    reference: Sequence[Mapping[str, Any]]


def read_comparison(folder: Path) -> Comparison:
    """Read a comparison.

    Args:
        folder: that `jobs/compare.py` wrote.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    path = folder / COMPARISON
    if not path.is_file():
        raise InputError(
            f"{path} is not there; make it with jobs/compare.py --arms NAME=SHARDS NAME=SHARDS "
            f"--datasets DATASETS --output {folder}"
        )
    try:
        return _parse(io.read_json(path))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is no comparison ({type(error).__name__}: {error})") from error


def _parse(found: Mapping[str, Any]) -> Comparison:
    arms = found["arms"]
    return Comparison(
        arms={inert(arm["name"]): arm.get("samples") for arm in arms},
        seeds=min((len(arm["seeds"]) for arm in arms), default=0),
        measured=[_measured(arm["name"], name, row) for arm in arms for name, row in arm["datasets"].items()],
        differences=[_difference(row) for row in found["differences"]],
        reference=_reference(found.get("reference")),
    )


def _reference(found: Any) -> list[Mapping[str, Any]]:
    rows = [found] if isinstance(found, dict) else list(found or ())
    return [row for row in rows if isinstance(row, dict) and row]


def _measured(arm: str, dataset: str, row: Mapping[str, Any]) -> Measured:
    return Measured(
        arm=inert(arm),
        dataset=inert(dataset),
        metric=inert(row["metric"]),
        value=float(row["value"]),
        **{name: _number(row.get(name)) for name in ("low", "high", "head", "tail")},
    )


def _difference(row: Mapping[str, Any]) -> Difference:
    return Difference(
        arm=inert(row["arm"]),
        baseline=inert(row["baseline"]),
        dataset=inert(row["dataset"]),
        part=inert(row.get("part", WHOLE)),
        value=float(row["value"]),
        low=_number(row["low"]),
        high=_number(row["high"]),
        verdict=inert(row["verdict"]),
    )


def _number(value: Any) -> float | None:
    """A number; None for what is none, NaN included."""
    return None if value is None or math.isnan(value) else float(value)
