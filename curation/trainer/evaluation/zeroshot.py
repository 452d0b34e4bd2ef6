"""Zero-shot classification: a class is the mean of what the text tower says about it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import normalize

from curation.trainer.evaluation.datasets import Dataset, Sample
from curation.trainer.evaluation.features import Encoder, encode_all_texts
from curation.trainer.evaluation.metrics import MEAN_AVERAGE_PRECISION, Classified, Labelled
from curation.trainer.evaluation.prompts import fill

_CLASSES_AT_ONCE = 64
_LOGIT_SCALE = 100.0  # as CLIP's; no rank depends on it
_ROWS_AT_ONCE = 8192
_TOP = 5


def classifier(encoder: Encoder, classnames: Sequence[str], templates: Sequence[str]) -> torch.Tensor:
    """The weights of a zero-shot classifier: float32 (d, c).

    Each class is the mean of its templates' features, made length 1 again.

    Args:
        encoder: the model.
        classnames: c names.
        templates: with `{c}` where the name goes.

    Source: CLIP (Radford et al., 2021), section 3.1.4; open_clip, `build_zero_shot_classifier`.
    """
    weights = []
    for start in range(0, len(classnames), _CLASSES_AT_ONCE):
        names = classnames[start : start + _CLASSES_AT_ONCE]
        features = encode_all_texts(
            encoder, [fill(template, name) for name in names for template in templates]
        )
        weights.append(normalize(features.reshape(len(names), len(templates), -1).mean(dim=1), dim=-1))
    return torch.cat(weights).T.contiguous()


def logits(features: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Scores of images for classes: float32 (n, c) from features (n, d) and weights (d, c)."""
    return _LOGIT_SCALE * features @ weights


def classify(
    dataset: Dataset, samples: Sequence[Sample], features: torch.Tensor, weights: torch.Tensor
) -> Classified | Labelled:
    """What comes out for each image.

    Args:
        dataset: says how many labels an image has, and what groups there are.
        samples: n, in the order of the features.
        features: (n, d).
        weights: (d, c).
    """
    blocks = (logits(rows, weights) for rows in features.split(_ROWS_AT_ONCE))
    if dataset.metric == MEAN_AVERAGE_PRECISION:
        labels = np.stack([sample.array for sample in samples]) > 0
        return Labelled(labels, np.concatenate([block.cpu().numpy() for block in blocks]))
    labels = np.array([sample.label for sample in samples], np.int32)
    return decided(labels, blocks, _groups(dataset, samples))


def decided(labels: np.ndarray, blocks: Sequence[torch.Tensor], groups: np.ndarray) -> Classified:
    """The outcomes of scores that come in blocks of rows.

    Args:
        labels: int32 (n).
        blocks: float (rows, c), n rows in all.
        groups: int32 (n).
    """
    predictions, in_top = [], []
    for block in blocks:
        top = block.topk(min(_TOP, block.shape[1]), dim=1).indices.cpu().numpy()
        at = sum(map(len, predictions))
        predictions.append(block.argmax(dim=1).cpu().numpy().astype(np.int32))
        in_top.append((top == labels[at : at + len(top), None]).any(axis=1))
    return Classified(labels, np.concatenate(predictions), np.concatenate(in_top), groups)


def _groups(dataset: Dataset, samples: Sequence[Sample]) -> np.ndarray:
    column = dataset.task.group_column if dataset.task else 0
    if any(sample.array is None or len(sample.array) <= column for sample in samples):
        return np.zeros(len(samples), np.int32)
    return np.array([sample.array[column] for sample in samples], np.int32)
