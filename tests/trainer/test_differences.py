from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from curation.trainer.differences import BETTER, NO_VERDICT, NOISE, WORSE, Scores, compare, score
from curation.trainer.evaluation.bootstrap import resamples
from curation.trainer.evaluation.metrics import ACCURACY, Classified


def outcomes(correct: np.ndarray) -> Classified:
    n = len(correct)
    return Classified(
        labels=np.zeros(n, np.int32),
        predictions=np.where(correct, 0, 1).astype(np.int32),
        in_top5=np.ones(n, bool),
        groups=np.zeros(n, np.int32),
    )


def arm(rng: np.random.Generator, shares: list[float], n: int = 2000) -> list[Classified]:
    """Models whose images are right with the shares given, hard images being hard for all of them."""
    hardness = np.random.default_rng(0).random(n)
    return [outcomes(hardness + 0.3 * rng.standard_normal(n) < share) for share in shares]


def held(arms: dict[str, list[Classified]]) -> dict:
    return compare({name: score(ACCURACY, of_seeds, seed=0) for name, of_seeds in arms.items()}, "a")


def test_a_clear_difference_is_told_both_ways() -> None:
    rng = np.random.default_rng(1)
    arms = {"a": arm(rng, [0.5] * 3), "b": arm(rng, [0.6] * 3), "c": arm(rng, [0.4] * 3)}
    found = held(arms)
    assert (found["b"].verdict, found["c"].verdict) == (BETTER, WORSE)
    assert found["b"].low < found["b"].value < found["b"].high
    assert list(found) == ["b", "c"]


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.trainer.differences.resamples", partial(resamples, count=60))


@pytest.mark.usefixtures("few_resamples")
def test_the_same_data_twice_is_noise_as_often_as_the_interval_says() -> None:
    """Seeds vary by five points: of 200 A/A pairs about 5% fall outside, and far more without that noise."""
    rng = np.random.default_rng(2)
    noise, images_alone = 0, 0
    for _ in range(200):
        arms = {name: arm(rng, list(rng.normal(0.5, 0.05, 3)), n=400) for name in "ab"}
        found = held(arms)["b"]
        noise += found.verdict != NOISE
        images_alone += abs(found.value) > 1.96 * found.image_deviation
    assert noise / 200 < 0.08
    assert images_alone / 200 > 0.3


@pytest.mark.usefixtures("few_resamples")
def test_intervals_are_not_too_wide_either() -> None:
    """A difference of three standard deviations is found more often than not."""
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(60):
        arms = {
            name: arm(rng, list(rng.normal(middle, 0.005, 3)), n=1000)
            for name, middle in (("a", 0.5), ("b", 0.54), ("c", 0.5), ("d", 0.5))
        }
        found += held(arms)["b"].verdict == BETTER
    assert found > 36


def test_the_noise_of_seeds_alone_by_hand() -> None:
    """Variance 0.0004 with 2 + 2 degrees of freedom, of a difference of means of three."""
    arms = {
        "a": Scores(np.array([0.50, 0.52, 0.54]), np.full(50, 0.52)),
        "b": Scores(np.array([0.60, 0.62, 0.64]), np.full(50, 0.62)),
    }
    found = compare(arms, "a")["b"]
    reach = 2.7764 * (0.0004 * 2 / 3) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.1 - reach, 0.1 + reach), abs=1e-5)
    assert (found.seed_deviation, found.image_deviation) == pytest.approx(((0.0004 * 2 / 3) ** 0.5, 0))


def test_both_noises_by_hand() -> None:
    """Variances v and w with f and g degrees of freedom: (v + w)^2 / (v^2 / f + w^2 / g) for their sum."""
    shaky = np.tile([0.11, 0.13], 25)
    arms = {
        "a": Scores(np.array([0.50, 0.52, 0.54]), np.full(50, 0.52)),
        "b": Scores(np.array([0.60, 0.62, 0.64]), 0.52 + shaky),
    }
    found = compare(arms, "a")["b"]
    v, w = 0.0004 * 2 / 3, shaky.var(ddof=1)
    freedom = (v + w) ** 2 / (v**2 / 4 + w**2 / 49)
    reach = student.ppf(0.975, freedom) * (v + w) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.1 - reach, 0.1 + reach), abs=1e-9)


def test_one_seed_gives_no_verdict() -> None:
    rng = np.random.default_rng(4)
    found = held({"a": arm(rng, [0.3]), "b": arm(rng, [0.9])})["b"]
    assert found.verdict == NO_VERDICT
    assert (found.low, found.high, found.seed_deviation) == (None, None, None)
    assert found.value > 0.3


def test_one_seed_of_one_arm_gives_none_either() -> None:
    rng = np.random.default_rng(4)
    arms = {"a": arm(rng, [0.5, 0.5]), "b": arm(rng, [0.9]), "c": arm(rng, [0.9, 0.9])}
    found = held(arms)
    assert (found["b"].verdict, found["c"].verdict) == (NO_VERDICT, BETTER)


def test_the_very_same_models_do_not_differ() -> None:
    models = [outcomes(np.arange(100) < 50)] * 2
    found = held({"a": models, "b": models})["b"]
    assert (found.value, found.low, found.high, found.verdict) == (0, 0, 0, NOISE)


def test_images_are_resampled_alike_in_all_arms() -> None:
    """Two arms that are right on the same images but one: the noise of their difference is that image's."""
    correct = np.arange(1000) < 500
    other = correct.copy()
    other[999] = True
    arms = {"a": [outcomes(correct)] * 2, "b": [outcomes(other)] * 2}
    found = held(arms)["b"]
    assert found.value == pytest.approx(0.001)
    assert found.image_deviation == pytest.approx(0.001, rel=0.15)


def test_a_part_of_the_images() -> None:
    correct = np.array([True] * 30 + [False] * 70)
    members = np.arange(100) < 40
    scores = score(ACCURACY, [outcomes(correct)], seed=0, members=members)
    assert scores.values == pytest.approx([0.75])
    assert scores.resampled.mean() == pytest.approx(0.75, abs=0.01)


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=2, max_size=4), min_size=2, max_size=4), st.integers(0, 99)
)
def test_the_interval_holds_the_value_and_grows_with_the_noise(values: list[list[float]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    still = {str(n): Scores(np.array(v), np.full(50, np.mean(v))) for n, v in enumerate(values)}
    shaky = {name: Scores(s.values, s.resampled + rng.normal(0, 0.1, 50)) for name, s in still.items()}
    for name, found in compare(still, "0").items():
        wider = compare(shaky, "0")[name]
        assert found.low <= found.value <= found.high
        assert wider.image_deviation > found.image_deviation
        assert wider.value == found.value
