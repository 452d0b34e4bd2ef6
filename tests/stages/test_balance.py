import numpy as np
import pyarrow as pa

from curation.core.identity import image_id, uniform
from curation.schemas import CURATED
from curation.stages.balance import balance
from tests.stages.conftest import matches

TEXTS = [f"text {number}" for number in range(500)]


def test_a_pair_is_kept_iff_its_draw_is_below_its_probability(same_rows):
    table = matches(TEXTS, [[0, 1] if n % 2 else [0] for n in range(500)])
    rows = same_rows(table, lambda df: balance(df, probability=np.array([0.1, 0.5]), seed=3))
    assert list(rows[0]) == [*CURATED.names, "drop_reason"]
    for row in rows:
        expected = 1 - (1 - 0.1) * (1 - 0.5) if len(row["entry_ids"]) == 2 else 1 - (1 - 0.1)
        assert row["keep_probability"] == expected
        draw = uniform(3, pa.array([row["uid"]]))[0]
        assert row["drop_reason"] == (None if draw < expected else "not_drawn")
        assert row["image_id"] == image_id(pa.array([row["url"]]))[0].as_py()
    kept = sum(row["drop_reason"] is None for row in rows)
    assert 110 < kept < 215  # 162.5 expected, standard deviation 9.3


def test_seeds_draw_differently(same_rows):
    table = matches(TEXTS, [[0]] * 500)

    def kept(seed):
        rows = same_rows(table, lambda df: balance(df, probability=np.array([0.5]), seed=seed))
        return {row["uid"] for row in rows if row["drop_reason"] is None}

    assert kept(0) == kept(0)
    assert kept(0) != kept(1)


def test_the_tail_is_kept_whole(same_rows):
    rows = same_rows(matches(TEXTS, [[0]] * 500), lambda df: balance(df, probability=np.array([1.0]), seed=0))
    assert all(row["drop_reason"] is None and row["keep_probability"] == 1.0 for row in rows)
