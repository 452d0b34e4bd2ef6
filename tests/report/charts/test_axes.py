import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.report.charts.axes import log_axis, short, thinned
from curation.report.charts.ranges import FEW_EXACTLY, OCTAVES, QUARTERS, TENTHS, octave


@given(length=st.integers(0, 20_000), exact=st.integers(1, 200), points=st.integers(1, 500))
def test_thinning_keeps_the_head_and_the_last_and_not_much_more(length, exact, points):
    places = thinned(length, exact=exact, points=points, keep=[-1, 7, length - 2, length])
    assert (np.diff(places) > 0).all()
    assert set(range(min(exact, length))) <= set(places)
    assert len(places) <= exact + points + 2
    if length:
        assert places[-1] == length - 1 or (points == 1 and length > exact)
        assert places[0] == 0
    assert {place for place in (7, length - 2) if 0 <= place < length} <= set(places)


def test_thinned_places_are_even_on_a_logarithmic_axis():
    places = thinned(1_000_000)
    steps = np.diff(np.log(places[200:] + 1))
    assert len(places) <= 500
    assert places[-1] == 999_999
    assert steps.max() < 0.03


def test_axes_are_labelled_at_powers_of_ten():
    assert list(log_axis("", 1, 2e6)["values"]) == [10.0**power for power in range(8)]
    assert {1.0, 2.0, 5.0, 10.0} <= set(log_axis("", 1, 60)["values"])


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0"), (950, "950"), (12345, "12,345"), (1_600_000, "1.6M"), (5_612_345_678, "5.61B"), (1.5, "1.5"),
     (12.0, "12"), (123.4, "123")],
)  # fmt: skip
def test_numbers_are_said_shortly(number, said):
    assert short(number) == said


def test_ranges_are_named_by_both_ends():
    assert [octave(n) for n in (0, 1, 2, 16, 512, 1024, 1 << 20, 1 << 31)] == [
        "0", "1", "2-3", "16-31", "512-1,023", "1k-2k", "1M-2M", "2,048M-4,096M"
    ]  # fmt: skip
    assert [FEW_EXACTLY.name(n) for n in (1, 31, 32)] == ["1", "31", "32-63"]
    assert [TENTHS.name(n) for n in (0, 0.3, 0.9, 1)] == ["0-0.1", "0.3-0.4", "0.9-1.0", "1"]
    assert [QUARTERS.name(n) for n in (-1, -0.5, 0, 0.5, 2)] == ["1:2", "1:1.41", "1:1", "1.41:1", "4:1"]


def test_gaps_between_ranges_are_filled():
    assert OCTAVES.filled([0, 8]) == [0, 1, 2, 4, 8]
    assert FEW_EXACTLY.filled([30, 64]) == [30, 31, 32, 64]
    assert TENTHS.filled([0.7, 1.0]) == [0.7, 0.8, 0.9, 1.0]
    assert QUARTERS.filled([-0.5, 0.25]) == [-0.5, -0.25, 0, 0.25]
    assert OCTAVES.filled([]) == []
