import dataclasses

import numpy as np
import pytest

from curation.trainer.evaluation import metrics
from curation.trainer.evaluation.metrics import METRICS, Associated, Classified, Labelled, Outcomes, Retrieved

RANDOM = np.random.default_rng(5)


def classified(n: int = 60, classes: int = 7, groups: int = 4) -> Classified:
    labels = RANDOM.integers(classes, size=n).astype(np.int32)
    labels[labels == 2] = 3  # a class without images
    predictions = np.where(RANDOM.random(n) < 0.4, labels, RANDOM.integers(classes, size=n)).astype(np.int32)
    return Classified(
        labels,
        predictions,
        (labels == predictions) | (RANDOM.random(n) < 0.5),
        (RANDOM.integers(groups, size=n) * 2).astype(np.int32),
    )


def labelled(n: int = 40, classes: int = 3) -> Labelled:
    return Labelled(RANDOM.random((n, classes)) < 0.3, RANDOM.random((n, classes)).astype(np.float32))


def retrieved(n: int = 30) -> Retrieved:
    image_of = np.repeat(np.arange(n), RANDOM.integers(1, 5, size=n)).astype(np.int32)
    ranks = RANDOM.integers(6, size=n + len(image_of)).astype(np.int32)
    return Retrieved(ranks[:n], ranks[n:], image_of)


def associated(n: int = 30) -> Associated:
    return Associated(RANDOM.random(n), RANDOM.choice([5, 6, 10, 12], n).astype(np.int32))


OF_METRIC = {
    **dict.fromkeys(
        ("accuracy", "mean per class", "macro F1", "worst group", "worst group, top 5"), classified
    ),
    "mean average precision": labelled,
    "mean recall at 1": retrieved,
    "Jaccard": associated,
}


def repeated(outcomes: Outcomes, rows: np.ndarray) -> Outcomes:
    """The outcomes of images drawn one by one, some of them several times."""
    if isinstance(outcomes, Retrieved):
        captions = [np.flatnonzero(outcomes.image_of == row) for row in rows]
        of = np.repeat(np.arange(len(rows)), [len(some) for some in captions]).astype(np.int32)
        return Retrieved(outcomes.text_ranks[rows], outcomes.image_ranks[np.concatenate(captions)], of)
    return dataclasses.replace(
        outcomes, **{f.name: getattr(outcomes, f.name)[rows] for f in dataclasses.fields(outcomes)}
    )


@pytest.mark.parametrize("metric", METRICS)
def test_a_weight_counts_an_image_so_often(metric: str) -> None:
    outcomes = OF_METRIC[metric]()
    draws = RANDOM.integers(len(outcomes), size=(20, len(outcomes)))
    weights = np.stack([np.bincount(draw, minlength=len(outcomes)) for draw in draws]).astype(float)
    together = METRICS[metric](weights, outcomes)
    one_by_one = [metrics.value(metric, repeated(outcomes, draw)) for draw in draws]
    assert together.shape == (20,)
    assert np.allclose(together, one_by_one, rtol=0, atol=1e-12)
    assert together.std() > 0


def test_accuracies_equal_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    outcomes = classified()
    labels, predictions = outcomes.labels, outcomes.predictions
    expected = {
        "accuracy": sklearn.accuracy_score(labels, predictions),
        "mean per class": sklearn.recall_score(
            labels, predictions, average="macro", labels=np.unique(labels)
        ),
        "macro F1": sklearn.f1_score(labels, predictions, average="macro", labels=np.unique(labels)),
    }
    for metric, value in expected.items():
        assert metrics.value(metric, outcomes) == pytest.approx(value, abs=1e-12)
    assert len(set(expected.values())) == 3


def test_a_class_that_is_neither_there_nor_predicted_has_no_part_in_f1() -> None:
    nothing = np.zeros(3, np.int32)
    outcomes = Classified(np.array([0, 0, 2], np.int32), np.array([0, 2, 2], np.int32), nothing > 0, nothing)
    assert metrics.value("macro F1", outcomes) == pytest.approx(2 / 3)


@pytest.mark.parametrize("decimals", [7, 1])
def test_average_precision_equals_scikit_learns(decimals: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    outcomes = labelled()
    outcomes = Labelled(outcomes.labels, outcomes.scores.round(decimals))  # one decimal: many are equal
    expected = sklearn.average_precision_score(outcomes.labels, outcomes.scores, average="macro")
    assert metrics.value("mean average precision", outcomes) == pytest.approx(expected, abs=1e-12)


def test_worst_groups_by_hand() -> None:
    outcomes = Classified(
        labels=np.array([0, 0, 1, 1, 1], np.int32),
        predictions=np.array([0, 1, 1, 1, 0], np.int32),
        in_top5=np.array([True, True, False, True, True]),
        groups=np.array([0, 0, 3, 3, 3], np.int32),
    )
    assert metrics.value("worst group", outcomes) == 0.5
    assert metrics.value("worst group, top 5", outcomes) == pytest.approx(2 / 3)
    count, accuracy = metrics.accuracy_by_class(outcomes, 3)
    assert count.tolist() == [2, 3, 0]
    assert accuracy[:2].tolist() == [0.5, pytest.approx(2 / 3)]
    assert np.isnan(accuracy[2])


def test_recalls_by_hand() -> None:
    outcomes = Retrieved(
        text_ranks=np.array([0, 1, 5], np.int32),
        image_ranks=np.array([0, 1, 0, 5], np.int32),
        image_of=np.array([0, 0, 1, 2], np.int32),
    )
    once = np.ones((1, 3))
    assert [metrics.text_recall(once, outcomes, k)[0] for k in (1, 5, 10)] == pytest.approx([1 / 3, 2 / 3, 1])
    assert [metrics.image_recall(once, outcomes, k)[0] for k in (1, 5, 10)] == pytest.approx([0.5, 0.75, 1])
    assert metrics.value("mean recall at 1", outcomes) == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_jaccard_is_of_cues_with_ten_candidates_or_more() -> None:
    outcomes = Associated(np.array([1.0, 0.5, 0.0, 1.0]), np.array([5, 10, 12, 6], np.int32))
    assert metrics.value("Jaccard", outcomes) == 0.25
    assert np.isnan(METRICS["Jaccard"](np.array([[1.0, 0, 0, 1]]), outcomes)[0])
