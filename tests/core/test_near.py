import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.near import block_pairs, blocks, near

hashes = st.lists(st.integers(0, 2**64 - 1), max_size=12)
flips = st.lists(st.tuples(st.integers(0, 11), st.sets(st.integers(0, 63), max_size=6)), max_size=12)


def array(values):
    return np.array(values, np.uint64)


@given(hashes, flips, st.integers(0, 5))
def test_the_pairs_are_those_of_a_look_at_each(left, changes, distance):
    right = [left[at % len(left)] ^ sum(1 << bit for bit in bits) for at, bits in changes if left]
    found = near(array(left), array(right), distance)
    expected = [
        (i, j) for i, a in enumerate(left) for j, b in enumerate(right) if (a ^ b).bit_count() <= distance
    ]
    assert list(zip(*(side.tolist() for side in found), strict=True)) == expected


@pytest.mark.parametrize("number", [1, 3, 5, 7])
def test_blocks_hold_each_bit_once(number):
    masks = blocks(number)
    assert len(masks) == number
    assert sum(masks) == 2**64 - 1
    assert max(mask.bit_count() for mask in masks) - min(mask.bit_count() for mask in masks) <= 1


@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), max_size=3))
def test_hashes_that_are_near_agree_in_a_pair_of_blocks(value, bits):
    other = value ^ sum(1 << bit for bit in bits)
    assert any(value & mask == other & mask for mask in block_pairs(3))
    assert len(block_pairs(3)) == 10
