"""The share of matched pairs that a t keeps, by what is published."""

import math

POOL_1, POOL_2 = 1.6e9, 10.7e9

PUBLISHED = ((POOL_1, 20_000.0, 400e6), (POOL_2, 170_000.0, 2.5e9), (POOL_2, 20_000.0, 1.0e9))
"""Matched pairs, t, and the pairs kept.

Source:
    MetaCLIP, arXiv 2309.16671: 400M, and the pools of 2.5B and 1B.
"""

HEAVIEST = 120e6 / POOL_1
"""Share of the pairs that match the most frequent entry, "of": a t above it cuts nothing.

Source:
    MetaCLIP, arXiv 2309.16671: "of" has 120M of 1.6B.
"""


def kept_share(matched: float, t: float) -> float:
    """Share of matched pairs that balancing with t keeps, for MetaCLIP's vocabulary on English alt texts.

    A logistic curve in log t and log of the pool, through the three published points. The published head
    count is a check on it: where t passes the heaviest entry, and nothing is cut, it says 96%; from there on
    the answer is 1.

    Args:
        matched: pairs that match any entry.
        t: of the balancing.
    """
    if t >= HEAVIEST * matched:
        return 1.0
    slope_t, slope_pool = _slopes()
    pool, t_there, kept = PUBLISHED[0]
    logit = _logit(kept / pool) + slope_t * math.log(t / t_there) + slope_pool * math.log(matched / pool)
    return 1 / (1 + math.exp(-logit))


def _slopes() -> tuple[float, float]:
    """How fast the logit of the share rises with log t, and with log of the pool."""
    (pool_1, t_1, kept_1), (pool_2, t_2, kept_2), (_, t_3, kept_3) = PUBLISHED
    high, low = _logit(kept_2 / pool_2), _logit(kept_3 / pool_2)
    slope_t = (high - low) / math.log(t_2 / t_3)
    rest = _logit(kept_1 / pool_1) - high - slope_t * math.log(t_1 / t_2)
    return slope_t, rest / math.log(pool_1 / pool_2)


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
