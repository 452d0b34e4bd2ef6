import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.near import block_groups, blocks, blocks_to_agree, near

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


@pytest.mark.parametrize(("agreeing", "number"), [(2, 10), (3, 20), (4, 35)])
@given(value=st.integers(0, 2**64 - 1), bits=st.sets(st.integers(0, 63), max_size=3))
def test_hashes_that_are_near_agree_in_a_group_of_blocks(value, bits, agreeing, number):
    other = value ^ sum(1 << bit for bit in bits)
    masks = block_groups(3, agreeing)
    assert any(value & mask == other & mask for mask in masks)
    assert len(set(masks)) == number


@pytest.mark.parametrize(
    ("hashes", "expected"), [(0, 2), (10**6, 2), (10**8, 2), (2 * 10**8, 3), (10**9, 3), (10**11, 4)]
)
def test_the_more_hashes_the_more_blocks_are_to_agree(hashes, expected):
    assert blocks_to_agree(hashes, 3) == expected
    bits = min(mask.bit_count() for mask in block_groups(3, expected))
    assert hashes / 2**bits < 8  # strangers of one hash under one mask
