"""The lists of a vocabulary, one a language, and how one number sets the threshold of each."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.core.balancing import Floats, entry_probability, tail_share, thresholds_for_tail_shares

ENGLISH = "en"

_STEPS = 4  # of the grid, an octave
_FINE_STEPS = 128  # between two points of the grid: 0.14% each
_SMALLEST_SHARE = 2.0**-14


@dataclass(frozen=True)
class Settings:
    """Thresholds for all lists, g times.

    Attributes:
        t: float64 (l, g).
        tail_share: float64 (g), of all lists, as near as their counts allow.
    """

    t: Floats
    tail_share: Floats

    def __len__(self) -> int:
        return len(self.tail_share)

    def __getitem__(self, places: slice) -> "Settings":
        return Settings(self.t[:, places], self.tail_share[places])

    def __add__(self, others: "Settings") -> "Settings":
        return Settings(np.hstack([self.t, others.t]), np.hstack([self.tail_share, others.tail_share]))


class Lists:
    """The matches of a vocabulary's entries, list by list.

    Attributes:
        counts: int64 (m).
        numbers: int32 (m), which list an entry is in.
        languages: of the lists (l).
        leader: the list that the others follow, as a number: the only one, or English if it has matches;
            None if neither is so.

    Args:
        counts: int64 (m).
        languages: strings (m).
    """

    def __init__(self, counts: npt.NDArray[np.int64], languages: npt.NDArray[np.object_]) -> None:
        self.counts = counts
        names = languages.tolist()
        self.languages: tuple[str, ...] = tuple(dict.fromkeys(names))
        number = {language: n for n, language in enumerate(self.languages)}
        self.numbers = np.array([number[language] for language in names], np.int32)
        by_list = np.argsort(self.numbers, kind="stable")
        bounds = np.searchsorted(self.numbers[by_list], np.arange(1, len(self.languages)))
        self._of = np.split(counts[by_list], bounds)
        self.leader: int | None = None
        if len(self.languages) == 1:
            self.leader = 0
        elif ENGLISH in number and self._of[number[ENGLISH]].any():
            self.leader = number[ENGLISH]

    def with_tail_shares(self, shares: npt.ArrayLike) -> Settings:
        """In every list the t under which its tail has this share of its matches.

        Args:
            shares: float64 (g), ascending.
        """
        tail_shares = np.asarray(shares, np.float64)
        t = [thresholds_for_tail_shares(counts, tail_shares) for counts in self._of]
        return Settings(np.array(t, np.float64), tail_shares)

    def with_t(self, t: npt.ArrayLike) -> Settings:
        """This t for the leader, and for the other lists the t that gives them the leader's tail share.

        Args:
            t: float64 (g), ascending.

        Raises:
            ValueError: there is no leader.

        Source:
            MetaCLIP 2, section 3.3.
        """
        if self.leader is None:
            raise ValueError("no list leads the others")
        leading = np.asarray(t, np.float64)
        counts = self._of[self.leader]
        settings = self.with_tail_shares([tail_share(counts, float(value)) for value in leading])
        settings.t[self.leader] = leading
        return settings

    def grid(self) -> Settings:
        """From little to all on a fixed grid: quarter octaves of the leader's t from 1 on, else of shares."""
        if self.leader is None:
            steps = np.arange(np.log2(_SMALLEST_SHARE), 1 / _STEPS, 1 / _STEPS)
            return self.with_tail_shares(np.exp2(steps))
        octaves = int(np.log2(max(1, self._of[self.leader].max()))) + 1
        return self.with_t(np.exp2(np.arange(octaves * _STEPS + 1) / _STEPS))

    def between(self, low: float, high: float) -> Settings:
        """From one t of the leader to another."""
        t = np.geomspace(low, high, _FINE_STEPS + 1)
        t[0], t[-1] = low, high  # which the logarithm may have moved
        return self.with_t(t)

    def probability(self, setting: Settings) -> Floats:
        """The probability of each entry under one setting, float64 (m)."""
        return entry_probability(self.counts, setting.t[self.numbers, 0])
