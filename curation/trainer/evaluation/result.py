"""What an evaluation found: RESULT.json, and the outcomes per image beside it."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from curation.errors import InputError
from curation.trainer.evaluation.counts import AgainstCounts
from curation.trainer.evaluation.metrics import Associated, Classified, Labelled, Outcomes, Retrieved
from curation.trainer.evaluation.table import Mean

_KINDS = {kind.__name__: kind for kind in (Classified, Labelled, Retrieved, Associated)}
_SEPARATOR = "/"


@dataclass(frozen=True)
class ClassAccuracy:
    """One class: its images, their accuracy (None without any), and its name's entry count, if asked for."""

    name: str
    n: int
    accuracy: float | None
    count: int | None = None


@dataclass(frozen=True)
class Probed:
    """The linear probe of a data set; `metric` and `interval` as of the data set."""

    value: float
    interval: tuple[float, float]
    c: float
    validation_accuracy: float


@dataclass(frozen=True)
class DatasetResult:
    """One data set.

    Attributes:
        name: of its folder.
        key: `Task.key`, if it is known by name.
        title: as tables write it.
        metric: what `value` is, a share.
        value: of all images, each once.
        interval: 95%, from resampled images.
        n: images (cues, for WinoGAViL) that count.
        corrupt_images: images that could not be decoded and do not count.
        chance: one in so many classes, where `value` is accuracy.
        notes: what a reader of the value should know.
        classes: accuracy of each.
        recalls: both ways at 1, 5 and 10.
        against_counts: accuracy by entry count.
        probe: if asked for, and the data set has a part to train on.
    """

    name: str
    key: str | None
    title: str
    metric: str
    value: float
    interval: tuple[float, float]
    n: int
    corrupt_images: int
    chance: float | None = None
    notes: tuple[str, ...] = ()
    classes: tuple[ClassAccuracy, ...] = ()
    recalls: dict[str, float] | None = None
    against_counts: AgainstCounts | None = None
    probe: Probed | None = None


@dataclass(frozen=True)
class Result:
    """One model on all data sets.

    Attributes:
        checkpoint: as it was given.
        model: its name.
        versions: of what decides the numbers.
        precision: of the towers.
        seed: of the resampling and of the probe's split.
        resamples: behind each interval.
        datasets: in the order in which they were given.
        average: DataComp's.
        families: DataComp's other means, of those whose data sets are all there.
        skipped: data sets without a measure.
        outcomes_sha256: of the file with the outcomes.
    """

    checkpoint: str
    model: str
    versions: dict[str, str]
    precision: str
    seed: int
    resamples: int
    datasets: tuple[DatasetResult, ...]
    average: Mean
    families: tuple[Mean, ...]
    skipped: tuple[str, ...]
    outcomes_sha256: str


def write_result(path: Path, result: Result, outcomes: dict[str, Outcomes]) -> Result:
    """Write RESULT.json and, before it, RESULT.outcomes.npz, each whole or not at all.

    Args:
        path: RESULT.json.
        result: its sha256 of the outcomes is still open.
        outcomes: by the name of the data set.

    Returns:
        The result as it was written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        _SEPARATOR.join((name, type(outcome).__name__, field.name)): getattr(outcome, field.name)
        for name, outcome in outcomes.items()
        for field in fields(outcome)
    }
    draft = _draft(path, ".npz")
    with draft.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    whole = Result(**{**vars(result), "outcomes_sha256": _sha256(draft)})
    text = _draft(path, ".json")
    text.write_text(json.dumps(asdict(whole), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(outcomes_path(path))
    text.replace(path)
    return whole


def read_result(path: Path) -> Result:
    """Read RESULT.json.

    Raises:
        InputError: it is none.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{path} is no result of jobs/evaluate.py: {error}") from None


def read_outcomes(path: Path) -> dict[str, Outcomes]:
    """The outcomes beside a RESULT.json, by the name of the data set.

    Raises:
        InputError: they are missing, or of another run.
    """
    result, beside = read_result(path), outcomes_path(path)
    if not beside.is_file() or _sha256(beside) != result.outcomes_sha256:
        raise InputError(f"{beside} does not belong to {path.name}; run jobs/evaluate.py again")
    found: dict[str, dict[str, Any]] = {}
    with np.load(beside, allow_pickle=False) as arrays:
        for name in arrays.files:
            dataset, kind, field = name.rsplit(_SEPARATOR, 2)
            found.setdefault(dataset, {"kind": kind})[field] = arrays[name]
    return {dataset: _KINDS[parts.pop("kind")](**parts) for dataset, parts in found.items()}


def outcomes_path(path: Path) -> Path:
    """Where the outcomes of a RESULT.json lie."""
    return path.with_suffix(".outcomes.npz")


def rows(result: Result) -> list[tuple[str, str, str, str, str, str]]:
    """A table of a result: data set, metric, value and interval in percent, images, linear probe.

    The last rows are the means.
    """
    table = [
        (
            dataset.title,
            dataset.metric,
            _percent(dataset.value),
            _range(dataset.interval),
            f"{dataset.n:,}",
            _percent(dataset.probe.value) if dataset.probe else "",
        )
        for dataset in result.datasets
    ]
    means = [*result.families, *([result.average] if result.average.of else [])]
    return table + [(mean.name, "mean", _percent(mean.value), "", "", "") for mean in means]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _range(interval: tuple[float, float]) -> str:
    return f"{_percent(interval[0])} to {_percent(interval[1])}"


def _draft(path: Path, suffix: str) -> Path:
    return path.with_name(f"_{path.name}.{os.getpid()}{suffix}")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
