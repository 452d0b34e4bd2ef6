"""Which 64-bit hashes lie near each other."""

from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

BITS = 64
DISTANCE = 3
"""Bits in which the perceptual hashes of two images that look the same may differ."""

_AGREEING = 2
_STRANGERS = 5.0
"""That a hash may be compared with in vain under a mask: looking at so many is as dear as sorting it in."""
_LIKENESS = 5
"""How many times as many hashes of real pictures agree in some blocks as of chance (10,000 of CIFAR-10)."""

Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]


def near(left: Hashes, right: Hashes, distance: int) -> tuple[Indices, Indices]:
    """Find the pairs of hashes that differ in few bits.

    Args:
        left: (n).
        right: (m).
        distance: the most bits that a pair may differ in, from 0 to 15.

    Returns:
        (p) and (p): positions in `left` and in `right`, each pair once, in ascending order.

    Source:
        Manku, Jain, Das Sarma, "Detecting Near-Duplicates for Web Crawling" (2007): of distance + 1 blocks of
        bits, hashes that near agree in one at least.
    """
    found = [_agreeing(left, right, mask, distance) for mask in blocks(distance + 1)]
    pairs = np.unique(np.concatenate(found, axis=1), axis=1)
    return pairs[0], pairs[1]


def blocks(number: int) -> list[int]:
    """Masks that cut a hash into so many blocks of bits, as equal as can be."""
    edges = [BITS * n // number for n in range(number + 1)]
    return [(1 << high) - (1 << low) for low, high in pairwise(edges)]


def block_groups(distance: int, agreeing: int = _AGREEING) -> list[int]:
    """Masks of groups of blocks, of which hashes that near agree in one at least.

    Two of distance + 2 blocks rather than one of distance + 1: three times as many masks at a distance of 3,
    but a thousand times fewer strangers that agree in one.

    Args:
        distance: in bits.
        agreeing: how many of the distance + agreeing blocks are in a group.
    """
    return [sum(group) for group in combinations(blocks(distance + agreeing), agreeing)]


def blocks_to_agree(hashes: int, distance: int) -> int:
    """How many blocks are to agree, so that the strangers that do grow no faster than the hashes.

    Args:
        hashes: that are compared with each other.
        distance: in bits.

    Returns:
        For `block_groups`; at a distance of 3, 2 up to 100 million hashes.
    """
    agreeing = _AGREEING
    while _LIKENESS * hashes / 2 ** (1 + BITS * agreeing / (distance + agreeing)) > _STRANGERS:
        agreeing += 1
    return agreeing


def _agreeing(left: Hashes, right: Hashes, mask: int, distance: int) -> Indices:
    """Pairs that agree under a mask and are near: (2, p)."""
    wanted = left & np.uint64(mask)
    order = np.argsort(right & np.uint64(mask), kind="stable")
    keys = (right & np.uint64(mask))[order]
    first = np.searchsorted(keys, wanted, side="left")
    counts = np.searchsorted(keys, wanted, side="right") - first
    lefts = np.repeat(np.arange(len(left)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rights = order[np.repeat(first, counts) + within]
    is_near = np.bitwise_count(left[lefts] ^ right[rights]) <= distance
    return np.stack([lefts[is_near], rights[is_near]])
