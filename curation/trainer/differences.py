"""Differences between arms, with the noise of test images and the noise of seeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from curation.trainer.evaluation.bootstrap import resamples
from curation.trainer.evaluation.metrics import METRICS, Outcomes, Weights

LEVEL = 0.95

NO_VERDICT = "one seed: no verdict"
NOISE = "within the noise"
BETTER = "better"
WORSE = "worse"


@dataclass(frozen=True)
class Difference:
    """How much better an arm is than another.

    Attributes:
        value: difference of the means over seeds.
        low: lower end of the interval (95%); None with one seed.
        high: upper end of it.
        image_deviation: standard deviation of `value` over resampled test images.
        seed_deviation: standard deviation of `value` over seeds; None with one seed.
        verdict: one of the four constants above.
    """

    value: float
    low: float | None
    high: float | None
    image_deviation: float
    seed_deviation: float | None
    verdict: str


@dataclass(frozen=True)
class Scores:
    """What one arm's models score on one data set.

    Attributes:
        values: float64 (k), a value a seed.
        resampled: float64 (resamples), the mean over seeds on each resample of the test images.
    """

    values: npt.NDArray[np.float64]
    resampled: npt.NDArray[np.float64]


def score(
    metric: str, outcomes: Sequence[Outcomes], *, seed: int, members: npt.NDArray[np.bool_] | None = None
) -> Scores:
    """Score the models of one arm, all on the same resamples of the test images.

    Args:
        metric: one of `metrics.METRICS`.
        outcomes: of each seed's model, on the same n images.
        seed: of the resamples; one for all arms.
        members: bool (n), the images that count; None for all.
    """
    measure = METRICS[metric]
    n = len(outcomes[0])
    counted = np.ones(n) if members is None else members.astype(np.float64)

    def of_each(weights: Weights) -> npt.NDArray[np.float64]:
        return np.stack([measure(weights * counted, outcome) for outcome in outcomes])

    values = of_each(np.ones((1, n)))[:, 0]
    resampled = np.concatenate([of_each(weights).mean(axis=0) for weights in resamples(n, seed=seed)])
    return Scores(values, resampled)


def compare(arms: Mapping[str, Scores], baseline: str) -> dict[str, Difference]:
    """Hold every other arm against one.

    The noise of seeds is pooled over all arms: few seeds an arm tell little each, and the same recipe has
    about the same noise on data of one kind. The noise of test images is that of the paired difference. The
    two add up; Student's t has the degrees of freedom that Welch and Satterthwaite give their sum.

    Args:
        arms: scores by name, on the same resamples.
        baseline: name of the arm that the others are held against.

    Source:
        Bouthillier et al., 2021, arXiv:2103.03098 (both sources of noise count); Satterthwaite, 1946.
    """
    noise = Noise.of(arms.values())
    theirs = arms[baseline]
    found = {}
    for name, ours in arms.items():
        if name == baseline:
            continue
        value = float(ours.values.mean() - theirs.values.mean())
        apart = ours.resampled - theirs.resampled
        seeds = noise.of_means(len(ours.values), len(theirs.values))
        low, high = noise.interval(value, apart, seeds)
        verdict = NO_VERDICT if low is None or high is None else _verdict(low, high)
        deviation = None if seeds is None else seeds**0.5
        found[name] = Difference(value, low, high, float(np.nanstd(apart, ddof=1)), deviation, verdict)
    return found


@dataclass(frozen=True)
class Noise:
    """The variance between seeds of one data set's values, pooled over arms.

    Attributes:
        variance: of a single run's value; None if no arm has two seeds.
        freedom: degrees of freedom of that.
    """

    variance: float | None
    freedom: int

    @classmethod
    def of(cls, arms: Iterable[Scores]) -> "Noise":
        """Pool the noise of arms."""
        values = [scores.values for scores in arms]
        freedom = sum(len(of_arm) - 1 for of_arm in values)
        squares = sum(float(((of_arm - of_arm.mean()) ** 2).sum()) for of_arm in values)
        return cls(squares / freedom if freedom else None, freedom)

    def of_means(self, *seeds: int) -> float | None:
        """The variance of a sum or difference of means over so many seeds each; None where one is of one."""
        if self.variance is None or min(seeds) < 2:
            return None
        return self.variance * sum(1 / count for count in seeds)

    def interval(
        self, value: float, resampled: npt.NDArray[np.float64], seeds: float | None
    ) -> tuple[float, float] | tuple[None, None]:
        """The interval (95%) of a value.

        Args:
            value: in the middle.
            resampled: float64 (resamples), what it is on resampled test images.
            seeds: its variance over seeds; None gives no interval.
        """
        if seeds is None:
            return None, None
        images = float(np.nanvar(resampled, ddof=1))
        both = seeds + images
        if not both:
            return value, value
        freedom = both**2 / (seeds**2 / self.freedom + images**2 / (len(resampled) - 1))
        reach = float(student.ppf((1 + LEVEL) / 2, freedom)) * both**0.5
        return value - reach, value + reach


def _verdict(low: float, high: float) -> str:
    return BETTER if low > 0 else WORSE if high < 0 else NOISE
