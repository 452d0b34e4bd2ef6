import math

import numpy as np
import pytest
import torch

from curation.trainer.evaluation import probe


def blobs(
    n: int, *, classes: int = 4, noise: float = 1.0, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    centres = torch.randn(classes, 6, generator=torch.Generator().manual_seed(9)).double()
    return centres[labels] + noise * torch.randn(n, 6, generator=generator).double(), labels


@pytest.mark.parametrize("c", [1e-3, 1.0, 100.0])
def test_coefficients_equal_scikit_learns(c: float) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, labels = blobs(120, noise=1.5)
    features += 3  # so that the intercept matters
    theirs = linear_model.LogisticRegression(C=c, tol=1e-10, max_iter=5000).fit(
        features.numpy(), labels.numpy()
    )
    ours = probe.fit(features, labels, classes=4, c=c)
    # Any constant can be added to all classes' intercepts.
    intercept = ours.intercept - ours.intercept.mean()
    assert np.allclose(ours.weights.T.numpy(), theirs.coef_, atol=2e-4 * np.abs(theirs.coef_).max())
    assert np.allclose(intercept.numpy(), theirs.intercept_ - theirs.intercept_.mean(), atol=2e-3)
    assert math.isnan(ours.validation_accuracy)


def test_where_it_begins_does_not_matter() -> None:
    features, labels = blobs(120, noise=1.5)
    begun = probe.fit(features, labels, classes=4, c=0.01)
    again = probe.fit(features, labels, classes=4, c=1.0, start=begun)
    fresh = probe.fit(features, labels, classes=4, c=1.0)
    assert (again.weights - fresh.weights).abs().max() < 1e-3
    assert (again.weights - begun.weights).abs().max() > 0.1


def keys(n: int) -> list[str]:
    return [f"s{number:07d}" for number in range(n)]


def test_the_sweep_finds_a_strength_that_generalises() -> None:
    features, labels = blobs(200, noise=1.5)
    unseen, answers = blobs(2000, noise=1.5, seed=1)
    found = probe.sweep(features, labels, keys=keys(200), classes=4, seed=0)
    accuracy = (found.logits(unseen).argmax(dim=1) == answers).double().mean()
    assert accuracy > 0.5
    assert 0.4 < found.validation_accuracy < 1
    held = probe._held_out(keys(200), 0)
    every = [10 ** (-6 + step / 8) for step in range(97)]
    assert min(abs(found.c - c) / c for c in every) < 1e-9
    of_part = probe.fit(features[~held], labels[~held], classes=4, c=found.c)
    assert probe._accuracy(of_part, features[held], labels[held]) == pytest.approx(found.validation_accuracy)
    # All samples are fitted in the end.
    whole = probe.fit(features, labels, classes=4, c=found.c)
    assert (found.weights - whole.weights).abs().max() < 1e-2 * whole.weights.abs().max()


def test_the_sweep_halves_its_steps_around_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def fit(features, labels, *, classes, c, start=None):
        tried.append(round(math.log10(c) * 8) + 48)
        return probe.Probe(torch.zeros(1, 2), torch.zeros(2), c)

    monkeypatch.setattr(probe, "fit", fit)
    monkeypatch.setattr(probe, "_accuracy", lambda one, *_: -abs(math.log10(one.c) * 8 + 48 - 71))
    found = probe.sweep(torch.zeros(40, 1), torch.zeros(40).long(), keys=keys(40), classes=2, seed=0)
    assert round(math.log10(found.c) * 8) + 48 == 71
    assert tried[:7] == [0, 16, 32, 48, 64, 80, 96]
    assert tried[7:-1] == [56, 72, 68, 76, 70, 74, 69, 71]
    assert tried[-1] == 71
    # Of equal ones the smallest, that is the strongest regularisation.
    monkeypatch.setattr(probe, "_accuracy", lambda one, *_: 0.5)
    flat = probe.sweep(torch.zeros(40, 1), torch.zeros(40).long(), keys=keys(40), classes=2, seed=0)
    assert flat.c == pytest.approx(1e-6)


def test_the_part_that_is_held_out_goes_by_key_and_seed() -> None:
    held = probe._held_out(keys(1000), 0)
    assert 150 < held.sum() < 250
    assert torch.equal(held[500:], probe._held_out(keys(1000)[500:], 0))
    assert not torch.equal(held, probe._held_out(keys(1000), 1))
    for n in (2, 3, 5):
        assert 0 < probe._held_out(keys(n), 0).sum() < n


def test_runs_in_float32() -> None:
    features, labels = blobs(80)
    found = probe.fit(features.float(), labels, classes=4, c=1e4)
    assert found.weights.dtype == torch.float32
    assert (found.logits(features.float()).argmax(dim=1) == labels).double().mean() > 0.7
