"""How many pairs thresholds are expected to keep, without drawing."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.core.compiled import compiled

UNIT = 2.0**32
"""Expectations are added as integers, in units of 2^-32 pairs: their sum is the same in any order."""


class Expectation:
    """Adds up what is expected of pairs, under several settings of the thresholds at once.

    Attributes:
        sums: int64 (2, g), in units of 2^-32 pairs: the expected number of pairs kept, which is the sum of
            their keep probabilities p; and its variance, the sum of p (1 - p). Each summand is rounded.

    Args:
        counts: int64 (m), matches of each entry.
        lists: int32 (m), the list of the vocabulary that an entry is in.
        t: float64 (l, g), the threshold of each list under each of g settings; the more of them ascend
            along g, the quicker.

    Source:
        MetaCLIP 2, section 3.3, for p; draws are independent, so variances add up.
    """

    def __init__(
        self, counts: npt.NDArray[np.int64], lists: npt.NDArray[np.int32], t: npt.NDArray[np.float64]
    ) -> None:
        self._counts, self._lists = counts.astype(np.float64), lists
        self._t = np.ascontiguousarray(t)
        self._whole = np.empty(len(counts), np.int32)
        lowest_from_here = np.minimum.accumulate(t[:, ::-1], axis=1)[:, ::-1]
        by_list = np.argsort(lists, kind="stable")
        bounds = np.searchsorted(lists[by_list], np.arange(len(t) + 1))
        for number, thresholds in enumerate(lowest_from_here):
            here = by_list[bounds[number] : bounds[number + 1]]
            self._whole[here] = np.searchsorted(thresholds, counts[here])
        self.sums = np.zeros((2, t.shape[1]), np.int64)

    def add(self, entry_ids: pa.Array) -> None:
        """Add pairs.

        Args:
            entry_ids: list<int32> (n), each list ascending; pairs without ids are never kept.
        """
        lengths = np.asarray(entry_ids.value_lengths().fill_null(0), np.int64)
        ids = np.array(entry_ids.flatten(), np.int32)
        self.sums += _add_up(lengths, ids, self._counts, self._lists, self._whole, self._t)


@compiled
def _add_up(lengths: Any, ids: Any, counts: Any, lists: Any, whole: Any, t: Any) -> Any:
    """Add up; from the setting `whole` on, an entry keeps all its pairs."""
    settings = t.shape[1]
    sums = np.zeros((2, settings), np.int64)
    certain = np.zeros(settings + 1, np.int64)  # pairs that are kept for certain from this setting on
    missed = np.empty(settings)
    first = 0
    for length in lengths:
        last = first + length
        cut = settings
        for place in range(first, last):
            cut = min(cut, whole[ids[place]])
        if length == 0:
            continue
        certain[cut] += 1
        missed[:cut] = 1.0
        for place in range(first, last):
            entry = ids[place]
            thresholds = t[lists[entry]]
            for setting in range(cut):
                missed[setting] *= 1.0 - min(1.0, thresholds[setting] / counts[entry])
        for setting in range(cut):
            keep = 1.0 - missed[setting]
            sums[0, setting] += np.int64(keep * UNIT + 0.5)
            sums[1, setting] += np.int64(keep * missed[setting] * UNIT + 0.5)
        first = last
    sums[0] += np.cumsum(certain[:settings]) * np.int64(UNIT)
    return sums
