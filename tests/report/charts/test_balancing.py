import time

import numpy as np
import pyarrow as pa

from curation.core.balancing import tail_share
from curation.report.charts.balancing import (
    AFTER,
    BEFORE,
    ENTRIES,
    MATCHES,
    cumulative_share,
    cumulative_table,
    rank_counts,
    rank_table,
)
from tests.report.charts.drawn import counts_of, svg, words

COUNTS = counts_of(
    ("rare", 2, 1.0, 2),
    ("cat", 100, 0.1, 30),
    ("never", 0, 1.0, 0),
    ("dog", 40, 0.25, 35),
    ("fern", 8, 1.0, 8),
)


def many(entries=500_000):
    count = (2e8 / np.arange(1, entries + 1) ** 1.15).astype(np.int64)
    count[400_000:] = 0
    kept = np.minimum(count, 30_000)
    np.random.default_rng(0).shuffle(count)
    probability = np.minimum(1, 20_000 / np.maximum(count, 1))
    return pa.table({"language": ["en"] * entries, "entry_id": pa.array(range(entries), pa.int32()),
                     "entry": [str(n) for n in range(entries)], "count": count,
                     "probability": probability, "kept_count": kept})  # fmt: skip


def test_ranks_are_of_what_matches_each_in_an_order_of_its_own():
    rows = rank_table(COUNTS).to_pylist()
    assert [row["pairs"] for row in rows if row["series"] == BEFORE] == [100, 40, 8, 2]
    assert [row["pairs"] for row in rows if row["series"] == AFTER] == [35, 30, 8, 2]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4] * 2


def test_before_balancing_there_is_one_line():
    table = rank_table(COUNTS.select(["language", "entry_id", "entry", "count"]))
    assert set(table["series"].to_pylist()) == {BEFORE}
    assert "t =" not in svg(rank_counts(COUNTS.select(["language", "entry_id", "entry", "count"])))


def test_half_a_million_entries_are_thinned_exactly_and_soon():
    counts = many()
    begun = time.perf_counter()
    rank_counts(counts, 20_000.0).to_dict()
    assert time.perf_counter() - begun < 1.5
    table = rank_table(counts)
    before = table.filter(pa.compute.equal(table["series"], BEFORE))
    ranks, pairs = before["rank"].to_numpy(), before["pairs"].to_numpy()
    exact = np.sort(counts["count"].to_numpy())[::-1]
    np.testing.assert_array_equal(pairs, exact[ranks - 1])
    assert len(ranks) <= 503
    assert set(range(1, 101)) <= set(ranks.tolist())
    head = int((exact > 20_000).sum())
    assert {head, head + 1, np.count_nonzero(exact)} <= set(ranks.tolist())


def test_the_words_count_the_head():
    said = words(rank_counts(COUNTS, 10.0))
    assert "4 of 5 entries match something, 150 times in all." in said
    assert "2 of them are above t and hold 93% of the matches" in said
    assert "t = 10" in svg(rank_counts(COUNTS, 10.0))
    assert "2 of them are above t" in words(rank_counts(COUNTS, 39.0))
    assert "1 of them are above t" in words(rank_counts(COUNTS, 40.0))


def test_shares_below_a_count_are_those_of_the_core():
    counts = pa.concat_tables([COUNTS, counts_of(("once", 1, 1.0, 1))])
    table = cumulative_table(counts).to_pylist()
    count = counts["count"].to_numpy()
    for row in table:
        below = count[(count > 0) & (count < row["t"])]
        exact = tail_share(count, row["t"]) if row["series"] == MATCHES else len(below) / 5
        assert row["share"] == exact
    for series in (MATCHES, ENTRIES):
        mine = [row for row in table if row["series"] == series]
        assert (mine[0]["share"], mine[-1]["share"]) == (0, 1)


def test_where_t_falls_is_said():
    said = words(cumulative_share(COUNTS, 10.0))
    assert "Entries below t = 10 are 50.0% of those that match, and hold 6.7% of the matches." in said
    assert "The heaviest 1% of the matched entries hold 67% of the matches." in words(
        cumulative_share(COUNTS)
    )


def test_without_a_match_there_is_something_to_say():
    empty = counts_of(("a", 0, 1.0, 0))
    assert "No entry matches anything." in svg(rank_counts(empty, 5.0))
    assert "No entry matches anything." in svg(cumulative_share(empty, 5.0))
    one = counts_of(("a", 1, 1.0, 1))
    svg(rank_counts(one, 5.0))
    svg(cumulative_share(one, 5.0))
