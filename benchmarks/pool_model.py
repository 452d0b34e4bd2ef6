"""A pool as the papers describe theirs: how often each entry matches, and which entries share a text.

Counts follow the published figures of MetaCLIP's first pool. Where two of them leave room between, the
logarithm of the count falls with a power of the logarithm of the rank, the power being what gives the
published sum. A text draws its number of matches first, and then their places on the line on which all
matches of the pool stand, the commonest entry first: so every entry keeps its count, whatever keeps company.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from curation.core.balancing import tail_share

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# MetaCLIP, arXiv 2309.16671, section 3 and table 2.
ENTRIES = 500_000
PAIRS = 1.6e9
MATCHES = 5.6e9
NEVER_MATCHED = 114_000
T = 20_000.0
HEAD_ENTRIES = 16_000
HEAD_SHARE = 0.945
KEPT = 0.25
"""400 million pairs."""
HEAVIEST = 1e6 * np.array([120, 107, 100, 89, 87, 67, 67, 61, 54, 50, 48, 47, 45, 43, 43, 39, 38, 33])
SPOT_COUNTS = {"sigma": 14_000, "olive oil": 58_000, "vertical": 222_000, "Tokyo": 713_000}
"""Of entries whose ranks are not published: the fit cannot use them, and tells where they would stand."""

PAIRS_2 = 10.7e9
TAIL_SHARE_2 = 0.06
KEPT_2 = {170_000.0: 2.5e9 / PAIRS_2, T: 1e9 / PAIRS_2}
"""Pool 2 of the same paper; its kept share at each t."""

SPREAD = 1.1
"""Of the logarithm of the number of matches, as real alt texts have it. Source: `benchmarks.pool_texts`."""
MEASURED_COMPANY = 0.18
"""Of real alt texts. Source: `benchmarks.pool_texts`."""
COMPANY = 0.31
"""The one that keeps 25% of the first pool."""

_REDRAWS = 8
_UNEVEN, _CORRECTIONS, _CORRECTING = 50, 3, 500_000
_RANK_BITS = np.int64(19)
_NORMAL = NormalDist()
_GRID = np.linspace(-8, 8, 1 << 14)
_CDF = np.array([_NORMAL.cdf(value) for value in _GRID])


@dataclass(frozen=True)
class Law:
    """How matches fall into texts.

    Attributes:
        spread: standard deviation of the logarithm of a text's number of matches, before it is rounded up.
        company: how alike in rarity the matches of one text are: the correlation of the normal scores of
            their places among all matches of the pool. 0: independent; 1: all equally common.
    """

    spread: float = SPREAD
    company: float = COMPANY


@cache
def counts() -> Floats:
    """Matches of each entry in the first pool, by rank, the commonest first; float64 (500,000)."""
    matched, first = ENTRIES - NEVER_MATCHED, len(HEAVIEST)
    head = _fall(first, HEAVIEST[-1], HEAD_ENTRIES, T, HEAD_SHARE * MATCHES - HEAVIEST.sum())
    tail = _fall(HEAD_ENTRIES, T, matched, 1.0, (1 - HEAD_SHARE) * MATCHES)
    return np.concatenate([HEAVIEST, head, tail, np.zeros(NEVER_MATCHED)])


def _fall(rank: int, count: float, last_rank: int, last_count: float, total: float) -> Floats:
    """Counts of the ranks after one and up to another, with a given sum."""
    way = np.log(np.arange(rank + 1, last_rank + 1) / rank) / np.log(last_rank / rank)

    def falling(bend: float) -> Floats:
        fallen: Floats = count * (last_count / count) ** (way**bend)
        return fallen

    return falling(solve(lambda bend: float(falling(bend).sum()) - total, 0.1, 10))


def solve(rising: Callable[[float], float], low: float, high: float, rounds: int = 60) -> float:
    """Where a rising function is zero."""
    for _ in range(rounds):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _normal_cdf(scores: Floats) -> Floats:
    """Share of a normal distribution below each score, to six digits."""
    below: Floats = np.interp(scores, _GRID, _CDF)
    return below


@cache
def _middle(spread: float) -> float:
    """Mean of the logarithm that gives 3.5 matches a text: E[n] is the sum of P(n > k) over k."""
    logs = np.log(np.arange(1, 10_000))
    return solve(lambda mean: 1 + _normal_cdf((mean - logs) / spread).sum() - MATCHES / PAIRS, -5, 5)


def draw(rng: np.random.Generator, texts: int, law: Law) -> tuple[Ints, Ints]:
    """Draw the matches of texts.

    An entry that a text has drawn before is drawn anew, as rare or common as the text is.

    Args:
        rng: source of chance.
        texts: how many (n).
        law: how matches fall.

    Returns:
        The text (from 0) and the rank (from 0) of each match, no two alike; every text has one or more.
    """
    return _draw(rng, texts, law, _line(law))


def _draw(rng: np.random.Generator, texts: int, law: Law, line: Floats) -> tuple[Ints, Ints]:
    logs = _middle(law.spread) + law.spread * rng.standard_normal(texts)
    text = np.repeat(np.arange(texts), np.ceil(np.exp(logs)).astype(np.int64))
    leaning = np.sqrt(law.company) * rng.standard_normal(texts)

    def keys(text: Ints) -> Ints:
        """Text and rank in one number."""
        scores = leaning[text] + np.sqrt(1 - law.company) * rng.standard_normal(len(text))
        rank = np.searchsorted(line, _normal_cdf(scores), side="right")
        return (text << _RANK_BITS) | np.minimum(rank, ENTRIES - NEVER_MATCHED - 1)

    key = keys(text)
    for _ in range(_REDRAWS):
        key.sort()
        twice = np.flatnonzero(key[1:] == key[:-1]) + 1
        key[twice] = keys(key[twice] >> _RANK_BITS)
    key.sort()
    key = key[np.diff(key, prepend=-1) > 0]  # np.unique hashes first, which takes longer
    return key >> _RANK_BITS, key & ((1 << _RANK_BITS) - 1)


@cache
def _line(law: Law) -> Floats:
    """Where each entry's stretch of the line of all matches ends, from 0 to 1.

    Long texts draw the heaviest entries more than once and match them once; a few trials tell by how much
    their stretches must be longer than their counts.
    """
    lengths = counts().copy()
    for trial in range(_CORRECTIONS):
        rng = np.random.default_rng(trial)
        _, rank = _draw(rng, _CORRECTING, law, np.cumsum(lengths) / lengths.sum())
        made = np.bincount(rank, minlength=ENTRIES)[:_UNEVEN] * (PAIRS / _CORRECTING)
        lengths[:_UNEVEN] *= counts()[:_UNEVEN] / made
    ends: Floats = np.cumsum(lengths) / lengths.sum()
    return ends


def kept(thresholds: list[float], law: Law, texts: int = 500_000, seed: int = 1) -> Floats:
    """Share of the first pool's pairs that balancing keeps at each t, of simulated texts.

    The standard error is about 0.05 points.
    """
    text, rank = draw(np.random.default_rng(seed), texts, law)
    starts = np.flatnonzero(np.diff(text, prepend=-1))
    every = np.maximum(counts(), 1)
    misses = [1 - np.minimum(1, t / every)[rank] for t in thresholds]
    return np.array([1 - np.multiply.reduceat(miss, starts).mean() for miss in misses])


def kept_if_independent(t: float) -> float:
    """The same with a Poisson number of matches a text, at least one, each with any entry."""
    mean = MATCHES / PAIRS
    rate = solve(lambda rate: rate / -np.expm1(-rate) - mean, 1e-6, 10)
    rare = np.minimum(counts(), t).sum() / MATCHES
    return float(np.expm1(-rate * rare) / np.expm1(-rate))


def fit_table() -> list[tuple[str, str, str]]:
    """What is published, the figure, and what the model gives."""
    every = counts()
    scale = PAIRS_2 / PAIRS
    rows = [
        ("matches", f"{MATCHES / 1e9:.1f}B", f"{every.sum() / 1e9:.1f}B"),
        ("entries with t = 20,000 matches or more", f"{HEAD_ENTRIES:,}", f"{(every >= T).sum():,}"),
        ("their share of the matches", f"{HEAD_SHARE:.1%}", f"{1 - tail_share(every, T):.1%}"),
        ("entries that never match", f"{NEVER_MATCHED:,}", f"{(every == 0).sum():,}"),
        *(
            (f"rank of an entry as common as {name}, {count:,}", "unknown", f"{(every > count).sum() + 1:,}")
            for name, count in SPOT_COUNTS.items()
        ),
        ("share of the tail of 10.7B pairs at t = 170,000", f"{TAIL_SHARE_2:.1%}",
         f"{tail_share(every, 170_000 / scale):.1%}"),
    ]  # fmt: skip
    points = {("1.6B pairs", T): KEPT} | {("10.7B pairs", t): share for t, share in KEPT_2.items()}
    given = kept([t if pool == "1.6B pairs" else t / scale for pool, t in points], Law())
    return rows + [
        (f"kept of {pool} at t = {t:,.0f}", f"{share:.1%}", f"{model:.1%}")
        for ((pool, t), share), model in zip(points.items(), given, strict=True)
    ]


def company_table() -> list[tuple[str, ...]]:
    """Assumption on co-occurrence, and the share that three published settings then keep."""
    thresholds = [T, *(t * PAIRS / PAIRS_2 for t in KEPT_2)]
    assumed: dict[str, Iterable[float]] = {
        "matches fall as they may (Poisson)": [kept_if_independent(t) for t in thresholds],
        f"spread of real alts ({SPREAD})": kept(thresholds, Law(company=0)),
        f"and company of real alts ({MEASURED_COMPANY})": kept(thresholds, Law(company=MEASURED_COMPANY)),
        f"and the company that gives 25% ({COMPANY})": kept(thresholds, Law()),
        "published": [KEPT, *KEPT_2.values()],
    }
    return [(name, *(f"{share:.1%}" for share in shares)) for name, shares in assumed.items()]


def kept_by_ratio(law: Law | None = None) -> dict[float, float]:
    """Kept share by t / pairs, whatever the size of the pool."""
    ratios = [10.0**power for power in np.arange(-7, -2.9, 0.25)]
    shares = kept([ratio * PAIRS for ratio in ratios], law or Law())
    return dict(zip(ratios, shares.tolist(), strict=True))
