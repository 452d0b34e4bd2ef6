"""What is measured, one function a kind: outcomes per image and how often each counts -> values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

ACCURACY = "accuracy"
MEAN_PER_CLASS = "mean per class"
MACRO_F1 = "macro F1"
WORST_GROUP = "worst group"
WORST_GROUP_TOP5 = "worst group, top 5"
MEAN_AVERAGE_PRECISION = "mean average precision"
RETRIEVAL = "mean recall at 1"
JACCARD = "Jaccard"

JACCARD_FEWEST_CANDIDATES = 10

Weights: TypeAlias = npt.NDArray[np.float64]
"""(b, n): how often each image counts, a row a resample."""
Values: TypeAlias = npt.NDArray[np.float64]
"""(b): one value a row of weights."""


@dataclass(frozen=True)
class Classified:
    """What came out for each of n images with one label.

    Attributes:
        labels: int32 (n).
        predictions: int32 (n).
        in_top5: bool (n): the label is among the five likeliest classes.
        groups: int32 (n): what the worst group is taken over; zeros where there is none.
    """

    labels: npt.NDArray[np.int32]
    predictions: npt.NDArray[np.int32]
    in_top5: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Labelled:
    """What came out for each of n images with several labels of c classes.

    Attributes:
        labels: bool (n, c).
        scores: float32 (n, c).
    """

    labels: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Retrieved:
    """What came out for n images and m captions.

    Attributes:
        text_ranks: int32 (n): how many captions come before the first of the image's own.
        image_ranks: int32 (m): how many images come before the caption's own.
        image_of: int32 (m): the image that a caption belongs to.
    """

    text_ranks: npt.NDArray[np.int32]
    image_ranks: npt.NDArray[np.int32]
    image_of: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.text_ranks)


@dataclass(frozen=True)
class Associated:
    """What came out for each of n cues with candidate images.

    Attributes:
        scores: float64 (n): Jaccard index of the chosen candidates and the right ones.
        candidates: int32 (n): how many images there were to choose from.
    """

    scores: npt.NDArray[np.float64]
    candidates: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.scores)


Outcomes: TypeAlias = Classified | Labelled | Retrieved | Associated


def accuracy(weights: Weights, outcomes: Classified) -> Values:
    """Share of images whose likeliest class is the label."""
    return weights @ _correct(outcomes) / weights.sum(axis=1)


def mean_per_class(weights: Weights, outcomes: Classified) -> Values:
    """Mean of the classes' accuracies, of those classes that have images."""
    of_class = _sums(weights, outcomes.labels)
    return _mean_of_present(_sums(weights, outcomes.labels, _correct(outcomes)), of_class)


def macro_f1(weights: Weights, outcomes: Classified) -> Values:
    """Mean over the classes that have images of 2 TP / (images of it + predictions of it).

    Source: WILDS, `F1(average="macro")`, as DataComp uses for iWildCam.
    """
    classes = max(outcomes.labels.max(), outcomes.predictions.max()) + 1
    of_class = _sums(weights, outcomes.labels, classes=classes)
    predicted = _sums(weights, outcomes.predictions, classes=classes)
    right = _sums(weights, outcomes.labels, _correct(outcomes), classes=classes)
    f1 = np.divide(2 * right, of_class + predicted, out=np.zeros_like(right), where=of_class > 0)
    return f1.sum(axis=1) / (of_class > 0).sum(axis=1)


def worst_group(weights: Weights, outcomes: Classified) -> Values:
    """Accuracy of the group with the lowest, of those groups that have images."""
    return _worst(weights, outcomes.groups, _correct(outcomes))


def worst_group_top5(weights: Weights, outcomes: Classified) -> Values:
    """The same with the five likeliest classes."""
    return _worst(weights, outcomes.groups, outcomes.in_top5.astype(np.float64))


def mean_average_precision(weights: Weights, outcomes: Labelled) -> Values:
    """Mean over the classes of the average precision of their scores; classes without images count 0.

    Equal scores are one step, as in scikit-learn, so that an image drawn twice counts as two.

    Source: CLIP_benchmark, `average_precision_per_class`.
    """
    total = np.zeros(len(weights))
    for scores, labels in zip(outcomes.scores.T, outcomes.labels.T, strict=True):
        order = np.argsort(-scores, kind="stable")
        ranked = weights[:, order]
        hits = ranked * labels[order]
        last = np.searchsorted(-scores[order], -scores[order], side="right") - 1  # of those with its score
        precision = np.cumsum(hits, axis=1)[:, last] / np.maximum(np.cumsum(ranked, axis=1)[:, last], 1)
        total += (precision * hits).sum(axis=1) / np.maximum(hits.sum(axis=1), 1)
    return total / outcomes.labels.shape[1]


def text_recall(weights: Weights, outcomes: Retrieved, k: int) -> Values:
    """Share of images with one of their captions among the k likeliest."""
    return weights @ (outcomes.text_ranks < k).astype(np.float64) / weights.sum(axis=1)


def image_recall(weights: Weights, outcomes: Retrieved, k: int) -> Values:
    """Share of captions whose image is among the k likeliest; captions count as often as their image."""
    images = len(outcomes)
    hits = np.bincount(outcomes.image_of, outcomes.image_ranks < k, minlength=images)
    return weights @ hits / (weights @ np.bincount(outcomes.image_of, minlength=images))


def mean_recall(weights: Weights, outcomes: Retrieved) -> Values:
    """Mean of both recalls at 1."""
    return (text_recall(weights, outcomes, 1) + image_recall(weights, outcomes, 1)) / 2


def jaccard(weights: Weights, outcomes: Associated) -> Values:
    """Mean Jaccard index of the cues with ten or more candidates; NaN where there are none."""
    counted = weights * (outcomes.candidates >= JACCARD_FEWEST_CANDIDATES)
    total = counted.sum(axis=1)
    return np.divide(counted @ outcomes.scores, total, out=np.full(len(weights), np.nan), where=total > 0)


METRICS: dict[str, Callable[[Weights, Outcomes], Values]] = {
    ACCURACY: accuracy,
    MEAN_PER_CLASS: mean_per_class,
    MACRO_F1: macro_f1,
    WORST_GROUP: worst_group,
    WORST_GROUP_TOP5: worst_group_top5,
    MEAN_AVERAGE_PRECISION: mean_average_precision,
    RETRIEVAL: mean_recall,
    JACCARD: jaccard,
}


def value(metric: str, outcomes: Outcomes) -> float:
    """The value of a metric, each image counting once."""
    return float(METRICS[metric](np.ones((1, len(outcomes))), outcomes)[0])


def accuracy_by_class(outcomes: Classified, classes: int) -> tuple[npt.NDArray[np.int64], Values]:
    """How many images each class has, int64 (c), and their accuracy, float64 (c), NaN without images."""
    count = np.bincount(outcomes.labels, minlength=classes)
    right = np.bincount(outcomes.labels, _correct(outcomes), minlength=classes)
    return count, np.divide(right, count, out=np.full(classes, np.nan), where=count > 0)


def _correct(outcomes: Classified) -> Values:
    return (outcomes.labels == outcomes.predictions).astype(np.float64)


def _sums(
    weights: Weights, groups: np.ndarray, marks: np.ndarray | None = None, classes: int = 0
) -> np.ndarray:
    """Sum weights (times marks (n)) within groups: float64 (b, number of groups)."""
    classes = max(classes, int(groups.max()) + 1)
    if marks is not None:
        weights = weights * marks
    order = np.argsort(groups, kind="stable")
    present, starts = np.unique(groups[order], return_index=True)
    sums = np.zeros((len(weights), classes))
    sums[:, present] = np.add.reduceat(weights[:, order], starts, axis=1)
    return sums


def _mean_of_present(right: np.ndarray, count: np.ndarray) -> Values:
    share = np.divide(right, count, out=np.zeros_like(right), where=count > 0)
    return share.sum(axis=1) / (count > 0).sum(axis=1)


def _worst(weights: Weights, groups: np.ndarray, marks: np.ndarray) -> Values:
    count = _sums(weights, groups)
    share = np.divide(_sums(weights, groups, marks), count, out=np.full_like(count, np.inf), where=count > 0)
    return share.min(axis=1)
