import pyarrow as pa

from curation.report.card.entries import ALL, HEAVIEST, SAMPLED, choose_entries
from curation.schemas import CURATED_COUNTS
from tests.report.card.runs import HEAD, LONG, NEVER, TAIL, make_counts


def test_all_that_match_are_there_in_their_order():
    chosen = choose_entries(make_counts())
    rows = chosen.table.to_pylist()
    assert (chosen.whole, chosen.matched, chosen.vocabulary) == (
        True,
        len(HEAD + TAIL),
        len(HEAD + TAIL + NEVER),
    )
    assert [row["entry"] for row in rows[:5]] == HEAD
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["count"] for row in rows] == sorted((row["count"] for row in rows), reverse=True)
    assert rows[0] == {"rank": 1, "language": "en", "entry": "cat", "count": 400, "probability": 10 / 400,
                       "kept_count": 80}  # fmt: skip
    assert not {row["entry"] for row in rows} & set(NEVER)


def test_entries_are_harmless():
    entries = choose_entries(make_counts()).table["entry"].to_pylist()
    assert not any("\u202e" in entry or len(entry) > 121 for entry in entries)
    assert LONG[:120] + "…" in entries


def test_of_many_the_heaviest_and_a_sample_of_the_others():
    matched = 3 * ALL
    count = [matched - n // 2 for n in range(matched)]
    columns = [
        ["en"] * matched,
        range(matched),
        [f"e{n}" for n in range(matched)],
        count,
        [1.0] * matched,
        count,
    ]
    kinds = CURATED_COUNTS.types
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    counts = pa.table(arrays, schema=CURATED_COUNTS)
    chosen = choose_entries(counts)
    ranks = chosen.table["rank"].to_pylist()
    assert not chosen.whole
    assert ranks[:HEAVIEST] == list(range(1, HEAVIEST + 1))
    assert len(set(ranks)) == len(ranks) == HEAVIEST + SAMPLED
    assert chosen.table["entry"].to_pylist() == [f"e{rank - 1}" for rank in ranks]
    gaps = {after - before for before, after in zip(ranks[HEAVIEST:], ranks[HEAVIEST + 1 :], strict=False)}
    assert gaps == {11}
    assert ranks[-1] > matched - 12
