import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.balancing import entry_probability, keep_probability
from curation.core.expectation import UNIT, Expectation
from tests.core.test_balancing import IDS, pool

ONE_LIST = np.zeros(200, np.int32)


def expected(ids, counts, numbers, t):
    """The sums of p and p (1 - p), by the functions that the draw goes by."""
    sums = np.zeros((2, t.shape[1]))
    for setting in range(t.shape[1]):
        keep = keep_probability(ids, entry_probability(counts, t[numbers, setting]))
        sums[:, setting] = keep.sum(), (keep * (1 - keep)).sum()
    return sums


def test_sums_equal_those_of_the_keep_probabilities():
    ids, counts = pool()
    t = np.geomspace(0.1, 2 * counts.max(), 40)[None, :]
    expectation = Expectation(counts, ONE_LIST, t)
    expectation.add(ids)
    assert expectation.sums / UNIT == pytest.approx(expected(ids, counts, ONE_LIST, t), abs=1e-6)
    assert expectation.sums[:, -1].tolist() == [3000 * UNIT, 0]


def test_each_list_has_a_threshold_of_its_own_and_settings_need_no_order():
    ids, counts = pool()
    numbers = (np.arange(200) % 3).astype(np.int32)
    t = np.random.default_rng(0).uniform(0.5, 300, (3, 20))
    expectation = Expectation(counts, numbers, t)
    expectation.add(ids)
    assert expectation.sums / UNIT == pytest.approx(expected(ids, counts, numbers, t), abs=1e-6)


@given(st.lists(st.integers(0, 60), max_size=3).map(sorted))
def test_the_sums_are_the_same_however_the_pairs_come(cuts):
    ids, counts = pool(rows=60)
    t = np.geomspace(0.3, 100, 9)[None, :]
    whole, parts = Expectation(counts, ONE_LIST, t), Expectation(counts, ONE_LIST, t)
    whole.add(ids)
    for first, end in zip([0, *cuts], [*cuts, 60], strict=True):
        parts.add(ids[first:end])
    assert (whole.sums == parts.sums).all()


def test_pairs_without_entries_are_never_kept():
    expectation = Expectation(np.array([5]), np.zeros(1, np.int32), np.array([[1.0, 10.0]]))
    expectation.add(pa.array([[], None, [0]], IDS))
    assert (expectation.sums / UNIT).tolist() == pytest.approx(np.array([[0.2, 1.0], [0.16, 0.0]]))
