import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.balancing import (
    entry_probability,
    keep_probability,
    tail_share,
    threshold_for_tail_share,
    thresholds_for_tail_shares,
)
from curation.core.identity import image_id, uniform

COUNTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=30)
IDS = pa.list_(pa.int32())


def test_entry_probability_by_example():
    assert entry_probability([0, 5, 20, 40, 2000], 20).tolist() == [1, 1, 1, 0.5, 0.01]
    assert entry_probability([40, 40], [10, 40]).tolist() == [0.25, 1]
    assert entry_probability([1, 2], 0.5).tolist() == [0.5, 0.25]


@pytest.mark.parametrize("t", [0, -1, math.nan, math.inf])
def test_entry_probability_refuses_senseless_thresholds(t):
    with pytest.raises(ValueError, match="t must be"):
        entry_probability([1], t)


def test_entry_probability_refuses_negative_counts():
    with pytest.raises(ValueError, match="negative"):
        entry_probability([-1], 1)


@given(st.lists(st.lists(st.integers(0, 9), unique=True).map(sorted) | st.none(), max_size=20), st.data())
def test_keep_probability_equals_the_product_one_by_one(lists, data):
    unit = st.floats(0, 1, exclude_min=True)
    probability = data.draw(st.lists(unit, min_size=10, max_size=10))
    expected = []
    for ids in lists:
        missed = 1.0
        for number in ids or []:
            missed *= 1.0 - probability[number]
        expected.append(1.0 - missed)
    array = pa.array([[0, 1], *lists, [2]], IDS)[1 : 1 + len(lists)]
    assert keep_probability(array, probability).tolist() == expected  # to the last bit


def test_keep_probability_multiplies_long_lists_in_the_order_of_the_ids():
    """A sum in pairs or in lanes would round otherwise; numpy must go from left to right."""
    rng = np.random.default_rng(0)
    probability = rng.random(3000) / 500
    missed = 1.0
    for value in probability.tolist():
        missed *= 1.0 - value
    assert keep_probability(pa.array([range(3000)], IDS), probability)[0] == 1.0 - missed


def test_keep_probability_refuses_ids_out_of_range():
    with pytest.raises(IndexError):
        keep_probability(pa.array([[2]], IDS), [1.0, 1.0])


@given(COUNTS, st.floats(0.001, 1e9), st.floats(1, 100), st.lists(st.integers(0, 29), unique=True))
def test_a_larger_t_keeps_a_superset(counts, t, factor, ids):
    row = pa.array([sorted(number for number in ids if number < len(counts))], IDS)
    small = keep_probability(row, entry_probability(counts, t))
    large = keep_probability(row, entry_probability(counts, t * factor))
    assert large >= small


def test_tail_share_by_example():
    assert tail_share([1, 2, 97], 97) == 0.03
    assert tail_share([1, 2, 97], 98) == 1.0
    assert tail_share([0, 0], 5) == 0.0


def test_threshold_for_tail_share_by_example():
    assert threshold_for_tail_share([97, 1, 2], 0.03) == 2
    assert threshold_for_tail_share([97, 1, 2], 1) == 97
    assert threshold_for_tail_share([0, 0, 100], 0.06) == 1  # MetaCLIP 2 gives 0 and loses the language
    assert threshold_for_tail_share([0, 0], 0.5) == 1  # MetaCLIP 2 gives NaN


@given(COUNTS, st.floats(0, 1))
def test_threshold_for_tail_share_is_nearest(counts, share):
    t = threshold_for_tail_share(counts, share)
    assert t >= 1
    if any(counts):
        total, ordered = sum(counts), sorted(counts)
        distances = [abs(sum(ordered[: n + 1]) / total - share) for n in range(len(ordered))]
        nearest = {max(1, ordered[n]) for n in range(len(ordered)) if distances[n] <= min(distances) + 1e-12}
        assert t in nearest


@given(COUNTS, st.lists(st.floats(0, 1), max_size=5))
def test_many_shares_at_once_are_the_same_as_one_by_one(counts, shares):
    expected = [threshold_for_tail_share(counts, share) for share in shares]
    assert thresholds_for_tail_shares(counts, shares).tolist() == expected


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_threshold_for_tail_share_refuses_shares_out_of_range(share):
    with pytest.raises(ValueError, match="share must lie"):
        threshold_for_tail_share([1], share)


def pool(rows=3000, entries=200, seed=0):
    """Rows whose entries follow a long tail; (entry_ids, counts)."""
    rng = np.random.default_rng(seed)
    ids = pa.array([np.unique(rng.zipf(1.3, 4) % entries).tolist() for _ in range(rows)], IDS)
    return ids, np.bincount(ids.flatten().to_numpy(), minlength=entries)


def test_the_draw_keeps_as_many_as_expected_in_all_and_of_each_entry():
    """Statistically the same as MetaCLIP's independent draws: the marginals are theirs."""
    ids, counts = pool(rows=20_000)
    keep = keep_probability(ids, entry_probability(counts, 100))
    kept = uniform(0, image_id(pa.array([str(n) for n in range(20_000)]))) < keep
    deviation = np.sqrt((keep * (1 - keep)).sum())
    assert abs(kept.sum() - keep.sum()) < 4 * deviation
    parents, flat = np.repeat(np.arange(20_000), ids.value_lengths().to_numpy()), ids.flatten().to_numpy()
    for entry in np.argsort(counts)[-5:]:
        rows = parents[flat == entry]
        spread = np.sqrt((keep[rows] * (1 - keep[rows])).sum())
        assert abs(kept[rows].sum() - keep[rows].sum()) < 4.5 * spread


def test_one_draw_a_pair_is_statistically_metaclips_draw_for_each_match():
    """Its size and what it keeps of each entry lie where a hundred runs of MetaCLIP's algorithm lie."""
    rows, t = 5000, 60
    ids, counts = pool(rows=rows)
    probability = entry_probability(counts, t)
    uids = image_id(pa.array([str(n) for n in range(rows)]))
    parents, flat = np.repeat(np.arange(rows), ids.value_lengths().to_numpy()), ids.flatten().to_numpy()
    rng = np.random.default_rng(1)

    def outcome(kept):
        return np.array([kept.sum(), *np.bincount(flat[kept[parents]], minlength=len(counts))])

    theirs = []
    for _ in range(100):
        won = parents[rng.random(len(flat)) < probability[flat]]  # a draw for each match, any of which wins
        theirs.append(outcome(np.isin(np.arange(rows), won)))
    keep = keep_probability(ids, probability)
    ours = np.array([outcome(uniform(seed, uids) < keep) for seed in range(100)])
    theirs = np.array(theirs)
    error = np.sqrt((theirs.var(axis=0) + ours.var(axis=0)) / 100)
    assert (np.abs(theirs.mean(axis=0) - ours.mean(axis=0)) <= 4.5 * error + 1e-9).all()
    spread = ours.std(axis=0)[theirs.std(axis=0) > 0] / theirs.std(axis=0)[theirs.std(axis=0) > 0]
    assert 0.8 < spread[0] < 1.25  # the same noise in the size
    assert 0.9 < np.median(spread) < 1.1
