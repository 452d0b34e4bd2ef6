"""One model on all data sets: zero-shot, retrieval, linear probe; with intervals, into RESULT.json."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from curation.errors import InputError
from curation.log import counted
from curation.trainer.evaluation import bootstrap, metrics, probe, retrieval, winogavil, zeroshot
from curation.trainer.evaluation.counts import Counts, against_counts
from curation.trainer.evaluation.datasets import TEST, TRAIN, Dataset, Sample, find_datasets, read_samples
from curation.trainer.evaluation.features import Encoder, encode_images
from curation.trainer.evaluation.metrics import Associated, Classified, Outcomes, Retrieved
from curation.trainer.evaluation.result import ClassAccuracy, DatasetResult, Probed, Result, write_result
from curation.trainer.evaluation.table import average, families
from curation.trainer.models import load
from curation.trainer.ranks import workers

_WORKERS = 4
_PACKAGES = ("curation", "numpy", "open_clip_torch", "pillow", "torch", "torchvision")


def evaluate(config: Any) -> Result:
    """Evaluate a checkpoint and write RESULT.json, with the outcomes per image beside it.

    Args:
        config: `config.evaluate.Evaluate`, or what has its fields.

    Raises:
        InputError: the checkpoint, a data set or the counts cannot be used; nothing is written.
    """
    datasets, skipped = find_datasets(config.datasets)
    if not datasets:
        raise InputError(f"--datasets: nothing to measure in {', '.join(skipped)}")
    output = Path(config.output)
    if output.is_dir() or output.suffix != ".json":
        raise InputError(f"--output {config.output} must be a .json file")
    counts = Counts.open(config.counts) if config.counts else None
    model = load(config.checkpoint, device="cuda" if torch.cuda.is_available() else "cpu")
    model.module.eval()
    encoder = Encoder(model, config.precision, config.batch_size, workers(config.workers, most=_WORKERS))
    found: list[tuple[DatasetResult, Outcomes]] = []
    for dataset in counted(datasets, "evaluate", len(datasets)):
        found.append(_measure(encoder, dataset, counts=counts, with_probe=config.probe, seed=config.seed))
    values = {result.key: result.value for result, _ in found if result.key}
    result = Result(
        checkpoint=str(config.checkpoint),
        model=model.name,
        versions={name: version(name) for name in _PACKAGES},
        precision=config.precision,
        seed=config.seed,
        resamples=bootstrap.RESAMPLES,
        datasets=tuple(result for result, _ in found),
        average=average(values),
        families=tuple(families(values)),
        skipped=tuple(skipped),
        outcomes_sha256="",
    )
    return write_result(output, result, {result.name: outcomes for result, outcomes in found})


def _measure(
    encoder: Encoder, dataset: Dataset, *, counts: Counts | None, with_probe: bool, seed: int
) -> tuple[DatasetResult, Outcomes]:
    outcomes, corrupt, parts = _outcomes(encoder, dataset, with_probe=with_probe, seed=seed)
    notes = list(dataset.task.notes) if dataset.task else []
    if corrupt:
        notes.append(f"images that could not be decoded and do not count: {corrupt}")
    if with_probe and isinstance(outcomes, Classified) and not dataset.has(TRAIN):
        notes.append("no linear probe: there is no train/ to fit it on")
    result = DatasetResult(
        name=dataset.name,
        key=dataset.task.key if dataset.task else None,
        title=dataset.task.name if dataset.task else dataset.name,
        metric=dataset.metric,
        value=metrics.value(dataset.metric, outcomes),
        interval=bootstrap.interval(bootstrap.distribution(dataset.metric, outcomes, seed=seed)),
        n=len(outcomes),
        corrupt_images=corrupt,
        chance=1 / len(dataset.classnames) if dataset.metric == metrics.ACCURACY else None,
        notes=tuple(notes),
        recalls=_recalls(outcomes) if isinstance(outcomes, Retrieved) else None,
        **_by_class(dataset, outcomes, counts),
        **parts,
    )
    return result, outcomes


def _outcomes(
    encoder: Encoder, dataset: Dataset, *, with_probe: bool, seed: int
) -> tuple[Outcomes, int, dict[str, Any]]:
    """The outcomes per image, how many images are corrupt, and the probe if there is one."""
    if dataset.metric == metrics.JACCARD:
        outcomes, corrupt = winogavil.associate(encoder, dataset.folder)
        return _some(dataset, outcomes), corrupt, {}
    samples, features, corrupt = _encoded(encoder, dataset, TEST)
    if dataset.metric == metrics.RETRIEVAL:
        return retrieval.retrieve(encoder, samples, features), corrupt, {}
    weights = zeroshot.classifier(encoder, dataset.classnames, dataset.templates)
    outcomes = zeroshot.classify(dataset, samples, features, weights)
    if not with_probe or not isinstance(outcomes, Classified) or not dataset.has(TRAIN):
        return outcomes, corrupt, {}
    return outcomes, corrupt, {"probe": _probe(encoder, dataset, features, outcomes, seed)}


def _encoded(encoder: Encoder, dataset: Dataset, split: str) -> tuple[list[Sample], torch.Tensor, int]:
    samples = read_samples(dataset, split)
    images = encode_images(encoder, samples)
    if not images.whole.any():
        raise InputError(f"data set {dataset.folder}: no image in {split}/ can be decoded")
    return (
        [sample for sample, fine in zip(samples, images.whole, strict=True) if fine],
        images.features,
        images.corrupt,
    )


def _probe(
    encoder: Encoder, dataset: Dataset, features: torch.Tensor, outcomes: Classified, seed: int
) -> Probed:
    samples, trained_on, _ = _encoded(encoder, dataset, TRAIN)
    labels = torch.tensor([sample.label for sample in samples], device=trained_on.device)
    keys = [f"{sample.tar.name}/{sample.key}" for sample in samples]
    fitted = probe.sweep(trained_on, labels, keys=keys, classes=len(dataset.classnames), seed=seed)
    probed = zeroshot.decided(outcomes.labels, [fitted.logits(features)], outcomes.groups)
    return Probed(
        value=metrics.value(dataset.metric, probed),
        interval=bootstrap.interval(bootstrap.distribution(dataset.metric, probed, seed=seed)),
        c=fitted.c,
        validation_accuracy=fitted.validation_accuracy,
    )


def _by_class(dataset: Dataset, outcomes: Outcomes, counts: Counts | None) -> dict[str, Any]:
    if not isinstance(outcomes, Classified):
        return {}
    n, accuracy = metrics.accuracy_by_class(outcomes, len(dataset.classnames))
    entries = [counts.of(name) if counts else None for name in dataset.classnames]
    classes = tuple(
        ClassAccuracy(name, int(images), float(share) if images else None, entry.count if entry else None)
        for name, images, share, entry in zip(dataset.classnames, n, accuracy, entries, strict=True)
    )
    if counts is None:
        return {"classes": classes}
    return {"classes": classes, "against_counts": against_counts(counts, dataset.classnames, n, accuracy)}


def _recalls(outcomes: Retrieved) -> dict[str, float]:
    once = np.ones((1, len(outcomes)))
    ways = {"text": metrics.text_recall, "image": metrics.image_recall}
    return {
        f"{way} recall at {k}": float(recall(once, outcomes, k)[0])
        for way, recall in ways.items()
        for k in retrieval.RECALLS
    }


def _some(dataset: Dataset, outcomes: Associated) -> Associated:
    fewest = metrics.JACCARD_FEWEST_CANDIDATES
    if not (outcomes.candidates >= fewest).any():
        raise InputError(f"data set {dataset.folder}: no cue with {fewest} images that can be decoded")
    return outcomes
