"""The share that a t keeps, against what MetaCLIP published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.plan.kept import HEAVIEST, PUBLISHED, kept_share

POOLS = st.floats(1e5, 1e12)
TS = st.floats(1, 1e9)


@pytest.mark.parametrize(("pool", "t", "kept"), PUBLISHED)
def test_the_published_sizes_come_out(pool, t, kept):
    assert kept_share(pool, t) * pool == pytest.approx(kept)


def test_published_points_are_those_of_the_paper():
    assert [round(kept / pool, 3) for pool, _, kept in PUBLISHED] == [0.25, 0.234, 0.093]


def test_nothing_is_cut_where_no_entry_is_heavier_than_t():
    assert kept_share(1.6e9, 120e6) == 1
    assert 0.95 < kept_share(1.6e9, 119e6) < 1  # the curve meets the end by itself
    assert kept_share(1e5, 20_000) == 1


@given(POOLS, TS, st.floats(1.01, 100))
def test_a_larger_t_keeps_more_and_in_a_larger_pool_it_keeps_less(pool, t, times):
    share = kept_share(pool, t)
    assert 0 < share <= 1
    assert kept_share(pool, t * times) >= share
    assert kept_share(pool * times, t) <= share
    assert kept_share(pool * times, t) * times >= share * (1 - 1e-9) or t >= HEAVIEST * pool
