import pyarrow as pa
import pytest

from curation.core.profile import profile, tallies
from curation.download import spread
from curation.download.spread import profile_on_disk

HOSTS = 3_000


def batches():
    """Images of many hosts, some of which come again and again."""
    for first in range(0, 2 * HOSTS, 500):
        numbers = [n if n < HOSTS else n * n % 97 for n in range(first, first + 500)]
        yield pa.record_batch(
            {
                "url": [f"https://host-{n}.example.com/{n}.jpg" for n in numbers],
                "status": ["success" if n % 3 else "failed_to_download" for n in numbers],
                "size_bytes": pa.array(numbers, pa.int64()),
            }
        )


@pytest.mark.parametrize("held", [100, 1 << 20])
def test_the_same_as_in_memory(tmp_path, monkeypatch, held):
    monkeypatch.setattr(spread, "_HELD", held)
    found = profile_on_disk(batches(), tmp_path)
    assert found.equals(profile(batches()))
    assert {"facet": "hosts", "value": "", "rows": HOSTS} in found.to_pylist()
    assert not list(tmp_path.iterdir())


def test_of_nothing(tmp_path):
    assert profile_on_disk([], tmp_path).equals(profile([]))


def test_no_more_is_counted_in_memory_than_is_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(spread, "_HELD", 1000)
    sizes = []

    def add_up(parts):
        _, table = parts
        sizes.append(len(table))
        return (
            pa.concat_tables(parts)
            .group_by(["facet", "value"])
            .aggregate([("rows", "sum")])
            .rename_columns(["facet", "value", "rows"])
        )

    def counted(*arguments, **held):
        for part in tallies(*arguments, **held):
            put_by.append(len(part))
            yield part

    put_by = []
    monkeypatch.setattr(spread, "add_up", add_up)
    monkeypatch.setattr(spread, "tallies", counted)
    profile_on_disk(batches(), tmp_path)
    assert max(put_by) < 2 * 1000
    assert len(sizes) == 64
    assert max(sizes) < HOSTS / 10
