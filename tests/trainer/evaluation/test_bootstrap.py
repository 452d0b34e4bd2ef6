import numpy as np
import pytest

from curation.trainer.evaluation import bootstrap
from curation.trainer.evaluation.bootstrap import distribution, interval, resamples
from curation.trainer.evaluation.metrics import Classified


def outcomes(correct: np.ndarray) -> Classified:
    zeros = np.zeros(len(correct), np.int32)
    return Classified(zeros, (~correct).astype(np.int32), correct, zeros)


def test_resamples_depend_on_size_and_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(resamples(50, seed=1, count=30)))
    assert whole.shape == (30, 50)
    assert (whole.sum(axis=1) == 50).all()
    assert len(np.unique(whole, axis=0)) == 30
    monkeypatch.setattr(bootstrap, "_BLOCK_BYTES", 8 * 50 * 7)
    blocks = list(resamples(50, seed=1, count=30))
    assert [len(block) for block in blocks] == [7, 7, 7, 7, 2]
    assert np.array_equal(np.concatenate(blocks), whole)
    assert not np.array_equal(np.concatenate(list(resamples(50, seed=2, count=30))), whole)
    assert np.abs(whole.mean() - 1) < 1e-9
    assert 0.8 < whole.var() < 1.2  # as of draws with replacement


def test_an_interval_is_as_wide_as_the_binomial_says() -> None:
    correct = np.random.default_rng(0).random(2000) < 0.6
    low, high = interval(distribution("accuracy", outcomes(correct), seed=0))
    error = np.sqrt(correct.mean() * (1 - correct.mean()) / 2000)
    assert low == pytest.approx(correct.mean() - 1.96 * error, abs=0.25 * error)
    assert high == pytest.approx(correct.mean() + 1.96 * error, abs=0.25 * error)


def test_two_models_see_the_same_resamples() -> None:
    correct = np.random.default_rng(0).random(500) < 0.6
    better = correct.copy()
    better[np.flatnonzero(~correct)[:5]] = True
    gain = distribution("accuracy", outcomes(better), seed=0) - distribution(
        "accuracy", outcomes(correct), seed=0
    )
    assert gain.min() >= 0
    assert interval(gain)[1] < 0.022


def test_values_that_are_not_there_do_not_count() -> None:
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
