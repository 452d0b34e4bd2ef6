"""Linear probe: logistic regression on features, its strength chosen on a part that is held out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

import pyarrow as pa
import torch

from curation.core.identity import uniform

VALIDATION_SHARE = 0.2
_STEPS_PER_DECADE = 8
_DECADES = (-6, 6)  # of C: CLIP's sweep
_COARSE_STEP = 2 * _STEPS_PER_DECADE
_ITERATIONS = 1000  # as CLIP's
_GRADIENT_TOLERANCE = 1e-6
_CHANGE_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Probe:
    """A fitted classifier.

    Attributes:
        weights: (d, classes).
        intercept: (classes).
        c: inverse strength of the regularisation.
        validation_accuracy: what C was chosen by; NaN where it was given.
    """

    weights: torch.Tensor
    intercept: torch.Tensor
    c: float
    validation_accuracy: float = nan

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """Scores (n, classes) of features (n, d)."""
        return features @ self.weights + self.intercept


def fit(
    features: torch.Tensor, labels: torch.Tensor, *, classes: int, c: float, start: Probe | None = None
) -> Probe:
    """Minimise C times the sum of the cross entropies plus half the squared weights; the intercept is free.

    Args:
        features: float (n, d), on any device.
        labels: int64 (n), on the same.
        classes: how many there are.
        c: inverse strength of the regularisation.
        start: where to begin; at zero without it.

    Source: scikit-learn's `LogisticRegression(solver="lbfgs")`, whose minimum this has.
    """
    shape = (features.shape[1] + 1, classes)
    # Parted by n C, the loss is of the order of 1 whatever C is, and one tolerance fits all.
    scale = 1 / (c * len(features))
    parameters = torch.zeros(shape, dtype=features.dtype, device=features.device)
    if start is not None:
        parameters = torch.cat([start.weights, start.intercept[None]])
    parameters = parameters.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [parameters],
        max_iter=_ITERATIONS,
        tolerance_grad=_GRADIENT_TOLERANCE,
        tolerance_change=_CHANGE_TOLERANCE,
        line_search_fn="strong_wolfe",
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        scores = features @ parameters[:-1] + parameters[-1]
        loss = torch.nn.functional.cross_entropy(scores, labels)
        loss = loss + scale / 2 * parameters[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    fitted = parameters.detach()
    return Probe(fitted[:-1], fitted[-1], c)


def sweep(
    features: torch.Tensor, labels: torch.Tensor, *, keys: Sequence[str], classes: int, seed: int
) -> Probe:
    """Choose C on a fifth that is held out, by hash of the sample's key, then fit all.

    C is sought from 1e-6 to 1e6, eight steps a decade: every second decade first, then on both sides of the
    best at half the step, and so on; of equal ones the smallest.

    Args:
        features: float (n, d).
        labels: int64 (n).
        keys: n.
        classes: how many there are.
        seed: of the split.

    Source: CLIP (Radford et al., 2021), appendix A.3.
    """
    held = _held_out(keys, seed).to(features.device)
    kept, told = (features[~held], labels[~held]), (features[held], labels[held])
    steps = (_DECADES[1] - _DECADES[0]) * _STEPS_PER_DECADE
    tried: dict[int, tuple[float, Probe]] = {}

    def attempt(step: int) -> None:
        if not 0 <= step <= steps or step in tried:
            return
        nearest = min(tried, key=lambda other: abs(other - step), default=None)
        start = None if nearest is None else tried[nearest][1]
        probe = fit(*kept, classes=classes, c=10.0 ** (_DECADES[0] + step / _STEPS_PER_DECADE), start=start)
        tried[step] = (_accuracy(probe, *told), probe)

    for step in range(0, steps + 1, _COARSE_STEP):
        attempt(step)
    width = _COARSE_STEP // 2
    while width:
        for step in (_best(tried) - width, _best(tried) + width):
            attempt(step)
        width //= 2
    accuracy, best = tried[_best(tried)]
    final = fit(features, labels, classes=classes, c=best.c, start=best)
    return replace(final, validation_accuracy=accuracy)


def _best(tried: dict[int, tuple[float, Probe]]) -> int:
    return min(tried, key=lambda step: (-tried[step][0], step))


def _accuracy(probe: Probe, features: torch.Tensor, labels: torch.Tensor) -> float:
    return float((probe.logits(features).argmax(dim=1) == labels).double().mean())


def _held_out(keys: Sequence[str], seed: int) -> torch.Tensor:
    ids = pa.array([hashlib.md5(key.encode(), usedforsecurity=False).hexdigest() for key in keys])
    draws = uniform(seed, ids, "probe")
    # Of very few samples, at least one on either side.
    return torch.from_numpy((draws < max(VALIDATION_SHARE, draws.min() + 1e-9)) & (draws < draws.max()))
