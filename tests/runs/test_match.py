import pyarrow.parquet as pq
import pytest

from curation.config import Match
from curation.errors import InputError
from curation.runs import match
from tests import reference
from tests.runs.conftest import ENTRIES, assert_profiled, make_pool, rows
from tests.stages.conftest import pairs


def test_matches_and_counts_equal_the_reference(session, tmp_path, pool, entries):
    (record,) = match(session, Match(pool=str(pool.folder), vocabulary=entries, output=str(tmp_path / "out")))
    texts = {row["uid"]: row["text"] for row in rows(pool.folder / "pairs")}
    expected = {uid: ids for uid, text in texts.items() if (ids := reference.match(ENTRIES, text))}
    assert {row["uid"]: row["entry_ids"] for row in rows(record.folder / "pairs")} == expected
    counts = pq.read_table(record.folder / "counts").to_pydict()
    assert counts["entry"] == ENTRIES
    assert counts["count"] == [sum(n in ids for ids in expected.values()) for n in range(len(ENTRIES))]
    assert_profiled(record.folder)
    assert record.rows == {"in": 300, "out": len(expected)}
    assert record.facts["matches"] == sum(map(len, expected.values()))
    assert pq.read_table(record.folder / "vocabulary")["entry"].to_pylist() == ENTRIES


def test_the_vocabulary_in_the_output_is_a_vocabulary(session, tmp_path, pool, entries):
    (one,) = match(session, Match(pool=str(pool.folder), vocabulary=entries, output=str(tmp_path / "one")))
    again = Match(
        pool=str(pool.folder), vocabulary=str(one.folder / "vocabulary"), output=str(tmp_path / "two")
    )
    (two,) = match(session, again)
    assert one.run_id == two.run_id
    for name in ("counts/part-00000.parquet", "vocabulary/entries.parquet"):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()


def test_pairs_without_any_match_are_dropped_with_a_reason(session, tmp_path, entries):
    pool = make_pool(tmp_path / "pool", pairs(["a cat", "nothing", "here"]))
    (record,) = match(session, Match(pool=str(pool.folder), vocabulary=entries, output=str(tmp_path / "out")))
    assert (record.rows, record.dropped) == ({"in": 3, "out": 1}, {"no_match": 2})
    (row,) = rows(record.folder / "pairs")
    assert row["text"] == "a cat"
    assert "drop_reason" not in row


def test_an_empty_pool_is_refused(session, tmp_path, entries):
    pool = make_pool(tmp_path / "pool", pairs(["x"]).slice(0, 0))
    with pytest.raises(InputError, match="is an empty pool"):
        match(session, Match(pool=str(pool.folder), vocabulary=entries, output=str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_a_vocabulary_without_entries_is_refused(session, tmp_path, pool):
    (tmp_path / "empty.txt").write_text("\n\n")
    config = Match(
        pool=str(pool.folder), vocabulary=str(tmp_path / "empty.txt"), output=str(tmp_path / "out")
    )
    with pytest.raises(InputError, match=r"empty\.txt: holds no entries"):
        match(session, config)
    assert not (tmp_path / "out").exists()
