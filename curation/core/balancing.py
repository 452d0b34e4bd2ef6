"""Balancing: how likely a pair is to be kept, and the thresholds that decide it."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]


def entry_probability(counts: npt.ArrayLike, t: npt.ArrayLike) -> Floats:
    """Probability of each entry: min(1, t / count); 1 for an entry without matches.

    Args:
        counts: int64 (m), matches of each entry.
        t: the threshold, a number > 0, or one an entry (m).

    Returns:
        float64 (m) in (0, 1].

    Raises:
        ValueError: a t is not a finite number > 0, or a count is negative.

    Source:
        MetaCLIP, algorithm 1, part 2.
    """
    count = np.asarray(counts, np.float64)
    threshold = np.asarray(t, np.float64)
    if not (np.isfinite(threshold) & (threshold > 0)).all():
        raise ValueError("t must be a finite number > 0")
    if (count < 0).any():
        raise ValueError("a count is negative")
    return np.minimum(1.0, threshold / np.maximum(count, 1.0), where=count > 0, out=np.ones(count.shape))


def keep_probability(entry_ids: pa.Array, probability: npt.ArrayLike) -> Floats:
    """Probability of each pair: 1 - ∏(1 - probability of each matched entry).

    The product is multiplied in the order of the ids, so that it is the same to the last bit everywhere.

    Args:
        entry_ids: list<int32> (n), each list ascending; a null list counts as empty.
        probability: float64 (m), by entry id.

    Returns:
        float64 (n); 0 for a pair without entries.

    Raises:
        IndexError: an id is not below m.

    Source:
        MetaCLIP 2, section 3.3. The same marginal as MetaCLIP's independent draw for each match.
    """
    misses = 1.0 - np.asarray(probability, np.float64)
    lengths = np.asarray(entry_ids.value_lengths().fill_null(0), np.int64)
    product = np.ones(len(entry_ids))
    filled = lengths > 0
    if filled.any():
        starts = (np.cumsum(lengths) - lengths)[filled]
        product[filled] = np.multiply.reduceat(misses[entry_ids.flatten().to_numpy()], starts)
    return 1.0 - product


def tail_share(counts: npt.ArrayLike, t: float) -> float:
    """Share of all matches that belong to entries with count < t; 0.0 where nothing matches.

    Args:
        counts: int64 (m).
        t: threshold.

    Source:
        MetaCLIP 2, algorithm 1 (`t_to_p`).
    """
    count = np.asarray(counts, np.int64)
    total = int(count.sum())
    return int(count[count < t].sum()) / total if total else 0.0


def threshold_for_tail_share(counts: npt.ArrayLike, share: float) -> int:
    """The count up to which the rarest entries hold the share of all matches that is nearest to `share`.

    The entry at the threshold is counted here and not in `tail_share`, so the way back is not exact.

    Args:
        counts: int64 (m).
        share: in [0, 1].

    Returns:
        A count >= 1; 1 where nothing matches.

    Raises:
        ValueError: share is outside [0, 1].

    Source:
        MetaCLIP 2, algorithm 1 (`p_to_t`).

    Deviates:
        Never below 1: MetaCLIP 2 gives t = 0 for counts such as [0, 0, 100] and NaN where nothing
        matches, and either loses the language.
    """
    return int(thresholds_for_tail_shares(counts, [share])[0])


def thresholds_for_tail_shares(counts: npt.ArrayLike, shares: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """`threshold_for_tail_share` for many shares at once.

    Args:
        counts: int64 (m).
        shares: float64 (g), in [0, 1].

    Returns:
        int64 (g).

    Raises:
        ValueError: a share is outside [0, 1].
    """
    share = np.asarray(shares, np.float64)
    if not ((share >= 0) & (share <= 1)).all():
        raise ValueError("share must lie between 0 and 1")
    count = np.sort(np.asarray(counts, np.int64))
    total = int(count.sum())
    if not total:
        return np.ones(len(share), np.int64)
    achieved = np.cumsum(count) / total
    above = np.minimum(np.searchsorted(achieved, share), len(count) - 1)
    below = np.maximum(above - 1, 0)
    nearest = np.where(share - achieved[below] <= achieved[above] - share, below, above)
    return np.maximum(1, count[nearest])
