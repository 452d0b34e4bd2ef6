"""Resampled test images, the same for every model, and the intervals they give."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from curation.trainer.evaluation.metrics import METRICS, Outcomes, Values, Weights

RESAMPLES = 1000
_LEVEL = 0.95
_BLOCK_BYTES = 1 << 26


def resamples(n: int, *, seed: int, count: int = RESAMPLES) -> Iterator[Weights]:
    """Draw n images from n with replacement, again and again.

    A function of (n, seed) alone: all models see the same resamples of a data set, so that their
    differences can be taken within each.

    Args:
        n: images of the data set.
        seed: of the resampling.
        count: how many resamples.

    Yields:
        float64 (b, n), how often each image was drawn; the b add up to `count`.
    """
    generator = np.random.default_rng([seed, n])
    rows = max(1, _BLOCK_BYTES // (8 * n))
    for start in range(0, count, rows):
        draws = [generator.integers(n, size=n) for _ in range(min(rows, count - start))]
        yield np.stack([np.bincount(draw, minlength=n) for draw in draws]).astype(np.float64)


def distribution(metric: str, outcomes: Outcomes, *, seed: int, count: int = RESAMPLES) -> Values:
    """The values of a metric on every resample: float64 (count)."""
    blocks = resamples(len(outcomes), seed=seed, count=count)
    return np.concatenate([METRICS[metric](weights, outcomes) for weights in blocks])


def interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The percentile interval of 95% of resampled values."""
    tail = 100 * (1 - _LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return float(low), float(high)
