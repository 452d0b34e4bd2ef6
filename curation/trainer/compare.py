"""Which data set is better: arms trained and evaluated under one budget and several seeds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.config.compare import Compare
from curation.config.evaluate import Evaluate
from curation.config.flags import part
from curation.config.train import Train
from curation.errors import InputError
from curation.trainer.differences import Noise, Scores, score
from curation.trainer.differences import compare as hold_against
from curation.trainer.evaluation.counts import Counts
from curation.trainer.evaluation.datasets import find_datasets
from curation.trainer.evaluation.evaluate import evaluate
from curation.trainer.evaluation.metrics import Classified, Outcomes
from curation.trainer.evaluation.result import DatasetResult, Result, read_outcomes, read_result
from curation.trainer.loop import Trained
from curation.trainer.published import nearest
from curation.trainer.train import train

COMPARISON = "comparison.json"
RUNS, RESULT = "runs", "result.json"

ALL, HEAD, TAIL = "all", "head", "tail"
_RESAMPLING_SEED = 0  # one for all arms, now and when others are added later


@dataclass(frozen=True)
class _Arm:
    """An arm that is trained and evaluated: its runs and results, one a seed."""

    name: str
    shards: str
    online: bool
    runs: Sequence[Trained]
    results: Sequence[Result]
    outcomes: Sequence[Mapping[str, Outcomes]]


def compare(config: Compare) -> Path | None:
    """Train and evaluate every arm with every seed, and hold the arms against the first.

    What is done already is not done again.

    Args:
        config: the arms, and what they are trained and measured with.

    Returns:
        `comparison.json`; None on ranks other than the first.

    Raises:
        InputError: as training and evaluation say.
    """
    datasets, _ = find_datasets(config.datasets)
    counts = Counts.open(config.counts) if config.counts else None
    trained = {
        arm.partition("=")[0]: [_train(config, arm, seed) for seed in config.seeds] for arm in config.arms
    }
    arms = []
    for arm in config.arms:
        name, _, shards = arm.partition("=")
        runs = [run for run in trained[name] if run is not None]
        if len(runs) < len(config.seeds):
            return None  # another rank has them
        paths = [_evaluate(config, run, {dataset.name for dataset in datasets}) for run in runs]
        results, outcomes = [read_result(path) for path in paths], [read_outcomes(path) for path in paths]
        arms.append(_Arm(name, shards, name in config.online, runs, results, outcomes))
    comparison = _comparison(arms, counts, config)
    path = Path(config.output) / COMPARISON
    draft = path.with_name(f"_{COMPARISON}")
    draft.write_text(json.dumps(comparison, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def _train(config: Compare, arm: str, seed: int) -> Trained | None:
    name, _, shards = arm.partition("=")
    output = Path(config.output) / RUNS / f"{name}-seed-{seed}"
    others = {"init": None, "checkpoint_every": None, "online": name in config.online, "seed": seed}
    return train(part(Train, config, shards=(shards,), output=str(output), **others))


def _evaluate(config: Compare, run: Trained, names: set[str]) -> Path:
    """Evaluate a run unless that is done; the path of its RESULT.json."""
    path = run.run / RESULT
    if path.is_file():
        there = read_result(path)
        if there.checkpoint == str(run.checkpoint) and {dataset.name for dataset in there.datasets} == names:
            return path
    evaluate(
        Evaluate(
            checkpoint=str(run.checkpoint),
            datasets=config.datasets,
            output=str(path),
            counts=config.counts,
            workers=config.workers,
            seed=_RESAMPLING_SEED,
        )
    )
    return path


def _comparison(arms: Sequence[_Arm], counts: Counts | None, config: Compare) -> dict[str, Any]:
    described: dict[str, dict[str, Any]] = {arm.name: _described(arm, config) for arm in arms}
    differences = []
    for dataset in arms[0].results[0].datasets:
        _require_same_images(arms, dataset.name)
        for name, members in _parts(dataset, arms[0].outcomes[0][dataset.name], counts).items():
            scores = {arm.name: _scores(arm, dataset, members) for arm in arms}
            noise = Noise.of(scores.values())
            for arm in arms:
                row = described[arm.name]["datasets"].setdefault(dataset.name, {"metric": dataset.metric})
                if name == ALL:
                    row |= _value(scores[arm.name], noise)
                else:
                    row[name] = float(scores[arm.name].values.mean())
            differences += [
                {"arm": arm, "baseline": arms[0].name, "dataset": dataset.name, "part": name} | asdict(found)
                for arm, found in hold_against(scores, arms[0].name).items()
            ]
    first = arms[0].runs[0]
    return {
        "recipe": asdict(first.recipe),
        "seeds": list(config.seeds),
        "baseline": arms[0].name,
        "arms": list(described.values()),
        "differences": differences,
        "reference": [asdict(row) for row in nearest(first.recipe.samples_seen, first.model)],
    }


def _described(arm: _Arm, config: Compare) -> dict[str, Any]:
    first = arm.runs[0]
    seen = first.points[-1].samples_seen
    return {
        "name": arm.name,
        "shards": arm.shards,
        "online": arm.online,
        "seeds": list(config.seeds),
        "samples": first.images,
        "samples_seen": seen,
        "epochs": seen / first.images,
        "loss": [run.points[-1].loss for run in arm.runs],
        "datasets": {},
    }


def _parts(
    dataset: DatasetResult, outcomes: Outcomes, counts: Counts | None
) -> dict[str, npt.NDArray[np.bool_] | None]:
    """Which images are of which part: all, and those of classes whose names are head or tail entries."""
    if counts is None or not isinstance(outcomes, Classified):
        return {ALL: None}
    head = np.array([bool((entry := counts.of(row.name)) and entry.head) for row in dataset.classes])
    members = head[outcomes.labels]
    if members.all() or not members.any():
        return {ALL: None}
    return {ALL: None, HEAD: members, TAIL: ~members}


def _require_same_images(arms: Sequence[_Arm], dataset: str) -> None:
    if len({len(of_seed[dataset]) for arm in arms for of_seed in arm.outcomes}) > 1:
        raise InputError(
            f"{dataset} has changed between the runs: their results are of different images; "
            f"remove {RESULT} from each folder under {RUNS}/"
        )


def _scores(arm: _Arm, dataset: DatasetResult, members: npt.NDArray[np.bool_] | None) -> Scores:
    outcomes = [of_seed[dataset.name] for of_seed in arm.outcomes]
    return score(dataset.metric, outcomes, seed=_RESAMPLING_SEED, members=members)


def _value(scores: Scores, noise: Noise) -> dict[str, Any]:
    value = float(scores.values.mean())
    low, high = noise.interval(value, scores.resampled, noise.of_means(len(scores.values)))
    return {"value": value, "low": low, "high": high, "values": scores.values.tolist()}
