from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch

from curation.trainer.evaluation import zeroshot
from curation.trainer.evaluation.datasets import Dataset, Sample
from curation.trainer.evaluation.features import Encoder
from curation.trainer.evaluation.table import find_task

NAMES = [
    "cat",
    "great white shark",
    "a thing whose name goes on and on and on, until it is long enough {really}",
]


def test_logits_equal_open_clips(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zeroshot, "_CLASSES_AT_ONCE", 2)
    templates = open_clip.OPENAI_IMAGENET_TEMPLATES[:9]
    model = encoder.model
    theirs = open_clip.build_zero_shot_classifier(model.module, model.tokenizer, NAMES, templates)
    images = torch.nn.functional.normalize(
        torch.randn(11, 32, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    weights = zeroshot.classifier(encoder, NAMES, [template("{c}") for template in templates])
    assert weights.shape == (32, 3)
    assert (weights - theirs).abs().max() < 1e-6
    assert (weights[:, 0] - weights[:, 1]).abs().max() > 1e-2
    assert (zeroshot.logits(images, weights) - 100.0 * images @ theirs).abs().max() < 1e-5


def test_outcomes_of_scores_in_blocks() -> None:
    scores = torch.tensor([[0.0, 3, 2, 1, 4, 5, 6], [9, 1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0, 1]])
    labels = np.array([1, 1, 6], np.int32)
    outcomes = zeroshot.decided(labels, scores.split(2), np.zeros(3, np.int32))
    assert outcomes.predictions.tolist() == [6, 0, 6]
    assert outcomes.in_top5.tolist() == [True, False, True]
    few = zeroshot.decided(np.array([1], np.int32), [torch.tensor([[2.0, 1.0]])], np.zeros(1, np.int32))
    assert few.in_top5.tolist() == [True]


def test_groups_and_several_labels(tmp_path) -> None:
    samples = [Sample(str(n), tmp_path, 0, 0, label=n % 2, array=np.array([n, 1 - n % 2])) for n in range(4)]
    features, weights = torch.eye(2)[[0, 1, 0, 0]], torch.eye(2)
    dataset = Dataset(tmp_path, "fmow", find_task("fmow"), "worst group", ("a", "b"))
    outcomes = zeroshot.classify(dataset, samples, features, weights)
    assert outcomes.groups.tolist() == [0, 1, 2, 3]
    assert outcomes.labels.tolist() == [0, 1, 0, 1]
    assert outcomes.predictions.tolist() == [0, 1, 0, 0]
    second = replace(dataset, task=replace(dataset.task, group_column=1))
    assert zeroshot.classify(second, samples, features, weights).groups.tolist() == [1, 0, 1, 0]
    plain = [replace(sample, array=None) for sample in samples]
    assert zeroshot.classify(dataset, plain, features, weights).groups.tolist() == [0] * 4
    several = replace(dataset, metric="mean average precision")
    assert zeroshot.classify(several, samples, features, weights).labels.tolist() == [
        [False, True], [True, False], [True, True], [True, False]
    ]  # fmt: skip
