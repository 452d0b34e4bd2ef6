from curation.stages.count import count
from tests.stages.conftest import matches


def test_counts_pairs_by_entry(same_rows):
    table = matches(["a", "b", "c"], [[0, 2], [2], [2, 5]])
    rows = same_rows(table, count)
    assert rows == [{"entry_id": 0, "count": 1}, {"entry_id": 2, "count": 3}, {"entry_id": 5, "count": 1}]


def test_no_rows(same_rows):
    assert same_rows(matches([], []), count) == []
