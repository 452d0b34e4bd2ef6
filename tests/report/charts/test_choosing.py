import numpy as np
import pyarrow as pa

from curation.report.charts.choosing import (
    choices_table,
    in_words,
    size_curve,
    size_table,
    tail_curve,
    tails_table,
)
from curation.schemas import SIZE_CURVE
from tests.report.charts.drawn import counts_of, svg, words

T = [2.0 ** (n / 4) for n in range(17)]
ROWS = [100.0 + 50 * n for n in range(17)]
CURVE = pa.table([T, [n / 20 for n in range(17)], ROWS, [8.0] * 17], schema=SIZE_CURVE)
COUNTS = counts_of(("cat", 100, 0.1, 30), ("dog", 10, 1.0, 10), ("fern", 4, 1.0, 4), ("oak", 0, 1.0, 0))


def test_the_curve_has_shares_and_a_band():
    rows = size_table(CURVE, 1000).to_pylist()
    assert rows[0] == {"t": 1.0, "expected_rows": 100.0, "low": 84.0, "high": 116.0, "kept_share": 0.1,
                       "tail_share": 0.0}  # fmt: skip
    assert size_table(CURVE, 905)["high"].to_pylist()[-1] == 905
    assert size_table(CURVE.set_column(2, "expected_rows", pa.array([1.0] * 17)), 9)["low"][0].as_py() == 0


def test_choices_are_the_octaves_with_what_they_cost():
    rows = choices_table(CURVE, COUNTS, 1000, bytes_per_image=1e8, came=0.5).to_pylist()
    assert [row["t"] for row in rows] == [1, 2, 4, 8, 16]
    assert [row["entries_cut"] for row in rows] == [3, 3, 2, 2, 1]
    assert rows[1] == {
        "t": 2.0,
        "pairs_kept": 300,
        "kept_share": 0.3,
        "pairs_dropped": 700,
        "tail_share": 0.2,
        "entries_cut": 3,
        "pairs_after_download": 150,
        "gigabytes": 15.0,
    }


def test_tail_shares_there_and_back():
    assert tails_table(COUNTS, [0.03, 0.1]).to_pylist() == [
        {"wanted_share": 0.03, "t": 4, "tail_share": 0.0, "entries_cut": 2},
        {"wanted_share": 0.1, "t": 10, "tail_share": 4 / 114, "entries_cut": 1},
    ]
    assert in_words(COUNTS, 10.0) == (
        "t = 10: 1 of 4 entries are cut; those below it hold 3.5% of the matches."
    )


def test_the_chosen_t_is_on_the_curve():
    for draw in (size_curve, tail_curve):
        assert "t = 4" in svg(draw(CURVE, 1000, 4.0))
        assert "t = 4" not in svg(draw(CURVE, 1000))
    assert "From 100 to 900 of 1,000 pairs that match" in words(size_curve(CURVE, 1000))


def test_lists_without_a_leader_go_by_the_tail_share():
    curve = CURVE.set_column(0, "t", pa.nulls(17, pa.float64()))
    for draw in (size_curve, tail_curve):
        drawn = svg(draw(curve, 1000, 4.0))
        assert "tail share that is asked for" in drawn
        assert "t = 4" not in drawn
    assert len(choices_table(curve, COUNTS, 1000, bytes_per_image=1, came=1)) == 0


def test_nothing_matched_is_no_division():
    assert np.isfinite(size_table(CURVE, 0)["kept_share"].to_numpy()).all()
