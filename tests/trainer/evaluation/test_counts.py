from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import InputError
from curation.schemas import CURATED_COUNTS, MATCH_COUNTS
from curation.trainer.evaluation.counts import Bin, Counts, EntryCount, against_counts, spearman

ROWS = [
    ("en", 0, "dog", 5000, 0.2, 1100),
    ("en", 1, "Dog", 40, 1.0, 40),
    ("en", 2, "great auk", 12, 1.0, 12),
    ("en", 3, "cat", 900, 1.0, 900),
    ("en", 4, "unicorn", 0, None, 0),
]


def write_counts(folder: Path) -> str:
    folder.mkdir()
    for part in (ROWS[:2], ROWS[2:]):
        table = pa.Table.from_pylist(
            [dict(zip(CURATED_COUNTS.names, row, strict=True)) for row in part], CURATED_COUNTS
        )
        pq.write_table(table, folder / f"part-{len(list(folder.iterdir()))}.parquet")
    return str(folder)


def test_variants_of_a_name_are_summed(tmp_path: Path) -> None:
    counts = Counts.open(write_counts(tmp_path / "counts"))
    assert counts.of("DOG") == EntryCount(5040, 1140, head=True)
    assert counts.of("great auk") == EntryCount(12, 12, head=False)
    assert counts.of("unicorn") == EntryCount(0, 0, head=False)
    assert counts.of("auk") is None


def test_counts_of_matches_know_no_head(tmp_path: Path) -> None:
    (tmp_path / "counts").mkdir()
    rows = [dict(zip(MATCH_COUNTS.names, row, strict=False)) for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows, MATCH_COUNTS), tmp_path / "counts" / "0.parquet")
    assert Counts.open(str(tmp_path / "counts")).of("dog") == EntryCount(5040, None, head=False)


def test_what_is_no_table_of_counts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        Counts.open(str(tmp_path / "counts"))
    (tmp_path / "other").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other" / "0.parquet")
    with pytest.raises(InputError, match="give CURATED/counts"):
        Counts.open(str(tmp_path / "other"))


def test_accuracy_by_count(tmp_path: Path) -> None:
    counts = Counts.open(write_counts(tmp_path / "counts"))
    names = ["dog", "cat", "great auk", "unicorn", "phoenix", "cat"]
    n = np.array([10, 10, 30, 10, 10, 0])
    accuracy = np.array([0.9, 0.6, 0.3, 0.0, 0.2, np.nan])
    found = against_counts(counts, names, n, accuracy)
    assert found.classes_with_entry == 4
    assert found.spearman == pytest.approx(1.0)
    assert found.bins == (
        Bin("absent", 2, 20, pytest.approx(0.1)),
        Bin("tail", 2, 40, pytest.approx(0.45)),
        Bin("head", 1, 10, 0.9),
    )
    assert [(one.name, one.classes) for one in found.decades] == [
        ("0", 2),
        ("10-99", 1),
        ("100-999", 1),
        ("1000-9999", 1),
    ]


def test_rank_correlation_equals_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(0)
    x = random.integers(8, size=50)
    y = x + random.integers(10, size=50)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert spearman(x[:2], y[:2]) is None
    assert spearman(x, np.zeros(50)) is None
    assert spearman(np.zeros(50), y) is None
