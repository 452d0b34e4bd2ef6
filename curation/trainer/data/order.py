"""The order of training: which sample and which of its texts is seen when, as a function of the seed."""

import hashlib
from functools import lru_cache
from itertools import count
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.core.identity import uniform_of_numbers
from curation.errors import InputError
from curation.trainer.data.index import Index

_ROUNDS = 6
_SAMPLES_AT_ONCE = 1 << 16
_EPOCHS_IN_MEMORY = 2  # a batch may lie in two

_Numbers = npt.NDArray[np.int64]


def permute(positions: _Numbers, n: int, *, seed: int, salt: str) -> _Numbers:
    """Where a permutation of 0 … n - 1 takes these positions; no table of it is made.

    Args:
        positions: int64 (m), each in 0 … n - 1.
        n: how many there are, at the most 2^40.
        seed: any integer.
        salt: names the permutation; those of different salts are independent.

    Returns:
        int64 (m).

    Source:
        A Feistel network over pairs of numbers below ceil(sqrt(n)), with cycle walking: what falls beyond n
        goes through again (Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002).
    """
    side = isqrt(n - 1) + 1
    numbers = _encipher(positions, side, seed, salt)
    while (beyond := np.flatnonzero(numbers >= n)).size:
        numbers[beyond] = _encipher(numbers[beyond], side, seed, salt)
    return numbers


def _encipher(numbers: _Numbers, side: int, seed: int, salt: str) -> _Numbers:
    left, right = np.divmod(numbers, side)
    for round_ in range(_ROUNDS):
        # A draw is at most 1 - 2^-53, so that the product stays below the side.
        draw = uniform_of_numbers(seed, right.astype(np.uint64), f"{salt}:{round_}") * side
        left, right = right, (left + draw.astype(np.int64)) % side
    return left * side + right


class Order:
    """What is trained on at each position.

    Position p is the p-th sample that a run sees, on all ranks together. Epochs follow one another without a
    gap; in each, every sample comes once, with one of its texts, chosen by hash. With online balancing a
    sample comes in an epoch only if that text is kept: u(seed, epoch, uid) < keep_probability.

    Args:
        index: of the training set.
        seed: of the run.
        online: whether each epoch balances anew.

    Raises:
        InputError: online balancing of shards that have been cut already.

    Source:
        MetaCLIP 1.2 for online balancing.
    """

    def __init__(self, index: Index, *, seed: int, online: bool = False) -> None:
        if online and not index.online:
            raise InputError(
                "online balancing needs shards that nothing was cut from: some of these are cut already, or"
                " not known to be whole; make them from jobs/balance.py --online, or train without it"
            )
        if online and np.isnan(index.texts["keep_probability"]).any():
            raise InputError("online balancing needs keep_probabilities, and a text of these shards has none")
        self.index, self.seed, self.online = index, seed, online
        self._lengths: list[int] = []  # of the epochs that were balanced
        self._kept = lru_cache(_EPOCHS_IN_MEMORY)(self._balance)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.index, self.seed, self.online)  # a worker needs no epoch in memory

    def epoch_length(self, epoch: int) -> int:
        """Samples in an epoch.

        Raises:
            InputError: online balancing keeps nothing.
        """
        if not self.online:
            return len(self.index)
        while len(self._lengths) <= epoch:
            self._lengths.append(len(self._kept(len(self._lengths))))
        return self._lengths[epoch]

    def at(self, positions: _Numbers) -> tuple[_Numbers, _Numbers]:
        """Epochs (n) and samples (n) at positions (n) of a run.

        Raises:
            InputError: an epoch keeps nothing.
        """
        epochs, places = self._epochs_at(positions)
        samples = np.empty_like(positions)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            n = self.epoch_length(epoch)
            numbers = permute(places[here], n, seed=self.seed, salt=f"epoch-order:{epoch}")
            samples[here] = self._kept(epoch)[numbers] if self.online else numbers
        return epochs, samples

    def texts(self, epoch: int, samples: _Numbers) -> _Numbers:
        """The rows (n) in `index.texts` of the texts that samples (n) have in an epoch."""
        first, end = self.index.text_bounds(samples)
        counts = end - first
        starts = np.cumsum(counts) - counts
        rows = np.arange(counts.sum()) + np.repeat(first - starts, counts)
        draws = uniform_of_numbers(self.seed, self.index.texts["id"][rows], f"epoch-text:{epoch}")
        smallest = np.repeat(np.minimum.reduceat(draws, starts), counts)
        candidates = np.flatnonzero(draws == smallest)
        return rows[candidates[np.searchsorted(candidates, starts)]]  # of equal ones the first

    def text(self, epoch: int, sample: int) -> int:
        """The row in `index.texts` of the text that a sample has in an epoch."""
        return int(self.texts(epoch, np.array([sample]))[0])

    def replacement(self, epoch: int, position: int, attempt: int) -> int:
        """The sample that comes at a position whose own cannot be read, nor those of earlier attempts."""
        for draw in count():
            name = f"epoch-replacement:{self.seed}:{epoch}:{position}:{attempt}:{draw}"
            number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
            sample = np.array([number % len(self.index)])
            if not self.online or self._keeps(epoch, sample)[0]:
                break
        return int(sample[0])

    def _epochs_at(self, positions: _Numbers) -> tuple[_Numbers, _Numbers]:
        """Epochs (n) of positions (n), and their places (n) in them."""
        if not self.online:
            return np.divmod(positions, len(self.index))
        ends = [self.epoch_length(0)]
        while ends[-1] <= positions.max():
            ends.append(ends[-1] + self.epoch_length(len(ends)))
        epochs = np.searchsorted(ends, positions, side="right")
        return epochs, positions - np.array([0, *ends])[epochs]

    def _keeps(self, epoch: int, samples: _Numbers) -> npt.NDArray[np.bool_]:
        texts = self.index.texts[self.texts(epoch, samples)]
        return uniform_of_numbers(self.seed, texts["id"], f"epoch-keep:{epoch}") < texts["keep_probability"]

    def _balance(self, epoch: int) -> npt.NDArray[np.int64] | npt.NDArray[np.uint32]:
        """The samples that an epoch keeps, ascending: four bytes each, eight from 2^32 images on."""
        n = len(self.index)
        kind = np.uint32 if n <= 1 << 32 else np.int64
        kept = np.concatenate(
            [
                (
                    start
                    + np.flatnonzero(self._keeps(epoch, np.arange(start, min(n, start + _SAMPLES_AT_ONCE))))
                ).astype(kind)
                for start in range(0, n, _SAMPLES_AT_ONCE)
            ]
        )
        if not len(kept):
            raise InputError(
                f"online balancing keeps none of {n} samples in epoch {epoch}; use a larger t or more shards"
            )
        return kept


def _rebuilt(index: Index, seed: int, online: bool) -> Order:
    return Order(index, seed=seed, online=online)
