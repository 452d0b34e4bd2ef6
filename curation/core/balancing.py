"""Balancing: how likely a pair is to be kept, and the thresholds that decide it."""

from collections.abc import Callable, Sequence

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
    if not 0 <= share <= 1:
        raise ValueError("share must lie between 0 and 1")
    count = np.sort(np.asarray(counts, np.int64))
    total = int(count.sum())
    if not total:
        return 1
    nearest = int(np.argmin(np.abs(np.cumsum(count) / total - share)))
    return max(1, int(count[nearest]))


_GRID = 33
_ROUNDS = 8


def threshold_for_size(
    counts: npt.ArrayLike, rows: float, expected: Callable[[Sequence[float]], Sequence[float]]
) -> tuple[float, float]:
    """Find the t under which so many pairs are expected to be kept.

    The expected size grows with t, and by no larger factor than t does, so a grid that narrows by a
    factor of 32 a round is within half a thousandth after three rounds or four.

    Args:
        counts: int64 (m), with at least one match.
        rows: the size wanted; at most what `expected` gives for the largest count.
        expected: gives the expected sizes (g) for ascending thresholds (g).

    Returns:
        t, and its expected size: within 0.05% or half a row of `rows`, where `expected` is continuous.
    """
    count = np.asarray(counts, np.int64)
    # No entry is expected to bring in more than t pairs, so t = rows / entries cannot be too much.
    low, high = min(rows / np.count_nonzero(count), float(count.max())), float(count.max())
    tolerance = max(rows * 0.0005, 0.5)
    for _ in range(_ROUNDS):
        grid = np.geomspace(low, high, _GRID)
        grid[0], grid[-1] = low, high
        sizes = np.asarray(expected(grid.tolist()), np.float64)
        nearest = int(np.argmin(np.abs(sizes - rows)))
        if abs(sizes[nearest] - rows) <= tolerance or low == high:
            break
        above = min(int(np.searchsorted(sizes, rows)), _GRID - 1)
        low, high = float(grid[max(above - 1, 0)]), float(grid[above])
    return float(grid[nearest]), float(sizes[nearest])
