import pyarrow as pa

from curation.core.identity import pair_uid, uniform
from curation.schemas import MATCHES
from curation.stages.one_text import ANOTHER_TEXT, one_text
from tests.stages.conftest import matches


def several_texts(images=40):
    """Image n has n % 4 + 1 texts."""
    table = matches([f"text {n}" for n in range(4 * images)], [[0]] * 4 * images)
    urls = pa.array([f"http://a/{n // 4}.jpg" for n in range(4 * images)])
    table = table.set_column(1, "url", urls).set_column(
        0, "uid", pair_uid(urls, table["text"].combine_chunks())
    )
    return table.filter(pa.array([n % 4 <= n // 4 % 4 for n in range(4 * images)]))


def test_the_text_with_the_smallest_lot_is_chosen(same_rows):
    table = several_texts()
    rows = same_rows(table, lambda df: one_text(df, seed=3))
    assert list(rows[0]) == [*MATCHES.names, "drop_reason"]
    assert len(rows) == len(table)
    lots = dict(zip(table["uid"].to_pylist(), uniform(3, table["uid"].combine_chunks(), "text"), strict=True))
    by_image = {}
    for row in rows:
        by_image.setdefault(row["url"], []).append(row)
    assert len(by_image) == 40
    for texts in by_image.values():
        chosen = min(texts, key=lambda row: lots[row["uid"]])
        assert all(row["drop_reason"] == (None if row is chosen else ANOTHER_TEXT) for row in texts)


def test_another_seed_chooses_other_texts(same_rows):
    chosen = [
        {
            row["uid"]
            for row in same_rows(several_texts(), lambda df, s=seed: one_text(df, seed=s))
            if not row["drop_reason"]
        }
        for seed in (0, 1)
    ]
    assert len(chosen[0]) == len(chosen[1]) == 40
    assert chosen[0] != chosen[1]
