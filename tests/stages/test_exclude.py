from curation.schemas import PAIRS
from curation.stages.exclude import exclude
from tests.stages.conftest import frame, pairs


def test_pairs_of_other_pools_are_marked(same_rows, spark):
    table = pairs(["a", "b", "c"])
    others = [frame(spark, table[:1]), frame(spark, table[:2])]  # overlapping: a pair is still marked once
    rows = same_rows(table, lambda df: exclude(df, others=others))
    assert list(rows[0]) == [*PAIRS.names, "drop_reason"]
    assert {r["text"]: r["drop_reason"] for r in rows} == {
        "a": "in_other_pool",
        "b": "in_other_pool",
        "c": None,
    }
