import json

import pytest

from curation.errors import InputError
from curation.report.arms import COMPARISON, read_comparison

ROW = {"metric": "accuracy", "value": 0.5, "low": 0.4, "high": 0.6, "head": 0.7, "tail": 0.3, "values": [0.5]}
ARMS = [
    {"name": "all", "samples": 10, "seeds": [0, 1], "datasets": {"cats": ROW}},
    {"name": "some\u202e", "seeds": [0], "datasets": {"cats": {"metric": "accuracy", "value": 0.1}}},
]
DIFFERENCES = [
    {
        "arm": "some",
        "baseline": "all",
        "dataset": "cats",
        "value": -0.4,
        "low": None,
        "high": None,
        "verdict": "?",
    }
]


def written(folder, **changes):
    (folder / COMPARISON).write_text(json.dumps({"arms": ARMS, "differences": DIFFERENCES} | changes))
    return read_comparison(folder)


def test_what_is_there_is_read_and_what_is_not_is_none(tmp_path):
    comparison = written(tmp_path, recipe={"more": "than we know"})
    assert comparison.arms == {"all": 10, "some\ufffd": None}
    assert comparison.seeds == 1
    first, second = comparison.measured
    assert (first.value, first.low, first.high, first.head, first.tail) == (0.5, 0.4, 0.6, 0.7, 0.3)
    assert (second.arm, second.value, second.low, second.tail) == ("some\ufffd", 0.1, None, None)
    (difference,) = comparison.differences
    assert (difference.part, difference.value, difference.low) == ("all", -0.4, None)


def test_nan_is_none(tmp_path):
    arm = ARMS[0] | {"datasets": {"cats": ROW | {"low": float("nan")}}}
    assert written(tmp_path, arms=[arm]).measured[0].low is None


@pytest.mark.parametrize(
    ("reference", "rows"),
    [(None, 0), ({}, 0), ({"data": "x"}, 1), ([{"data": "x"}, {"data": "y"}, {}], 2), ([], 0)],
)
def test_references_are_rows(tmp_path, reference, rows):
    assert len(written(tmp_path, reference=reference).reference) == rows


def test_no_comparison_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match=r"is not there; make it with jobs/compare\.py"):
        read_comparison(tmp_path)


@pytest.mark.parametrize(
    "broken", [{"arms": None}, {"arms": [{}]}, {"differences": 3}, {"arms": [{"name": 1}]}]
)
def test_what_is_no_comparison_is_refused(tmp_path, broken):
    with pytest.raises(InputError, match="is no comparison"):
        written(tmp_path, **broken)
    (tmp_path / COMPARISON).write_text("{half")
    with pytest.raises(InputError, match="is no comparison"):
        read_comparison(tmp_path)
