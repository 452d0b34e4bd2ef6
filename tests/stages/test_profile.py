from collections import Counter

import pyarrow as pa
import pytest

from curation.core import profile as core
from curation.schemas import CURATED, PROFILE, SHARD
from curation.stages.profile import profile
from tests.shards import SHARD_SIZE, image_row
from tests.stages.conftest import frame, matches, pairs


def facets(rows):
    found = {}
    for row in rows:
        found.setdefault(row["facet"], {})[row["value"]] = row["rows"]
    return found


@pytest.fixture
def curated():
    """Curated pairs of 40 hosts, of which one is that of a quarter of them."""
    texts = [f"a photo, no. {n}" for n in range(200)]
    table = matches(texts, [list(range(1 + n % 40)) for n in range(200)])
    urls = pa.array([f"https://{n % 4 and n % 40}.example/{n}.jpg" for n in range(200)])
    table = table.set_column(table.schema.get_field_index("url"), "url", urls)
    columns = [*table.columns, pa.array([n / 199 for n in range(200)]), pa.array(["0" * 32] * 200)]
    return pa.table(columns, schema=CURATED)


def test_the_same_on_any_partitioning_as_without_spark(same_rows, curated):
    rows = same_rows(curated, profile)
    assert rows == sorted(core.profile([curated]).to_pylist(), key=str)
    found = facets(rows)
    assert found["host"]["0.example"] == 50
    assert found["hosts"] == {"": 31}
    assert found["keep_probability"]["1.0"] == 1
    assert found["entries_per_text"]["32"] == 5 * 9
    assert set(found) == {
        *("crawl", "entries_per_text", "host", "hosts", "keep_probability", "language", "text_length"),
        "text_source",
    }


@pytest.fixture
def uncoalesced(spark):
    """A session that keeps small partitions apart after a shuffle, as large ones are."""
    key = "spark.sql.adaptive.coalescePartitions.enabled"
    spark.conf.set(key, "false")
    yield spark
    spark.conf.unset(key)


def test_it_is_one_partition_in_order_and_names_the_heaviest(uncoalesced):
    """More hosts than are named, on partitions that have each some of them."""
    hosts = [n for n in range(1500) for _ in range(1 + n % 3)]
    table = pairs([f"no. {n}" for n in range(len(hosts))])
    urls = pa.array([f"http://{n}.example/" for n in hosts])
    table = table.set_column(table.schema.get_field_index("url"), "url", urls)
    made = profile(frame(uncoalesced, table).repartition(5, "uid"))
    assert made.rdd.getNumPartitions() == 1
    rows = made.toArrow().cast(PROFILE).to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["facet"], -row["rows"], row["value"]))
    weights = Counter(f"{n}.example" for n in hosts)
    kept = dict(sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:1000])
    found = facets(rows)
    assert found["host"] == kept | {"": len(hosts) - sum(kept.values())}
    assert found["hosts"] == {"": 1500}


def test_shards_and_tables_without_rows(spark):
    rows = [
        image_row(f"http://{n % 3}/{n}", ["a"] * (1 + n % 2), "not_found" if n % 5 == 4 else None)
        for n in range(30)
    ]
    table = pa.Table.from_pylist([row | {"key": str(SHARD_SIZE + n)} for n, row in enumerate(rows)], SHARD)
    made = profile(frame(spark, table)).toArrow().cast(PROFILE)
    assert made.equals(core.profile([table]))
    found = facets(made.to_pylist())
    assert found["status"] == {"success": 24, "failed_to_download": 6}
    assert found["host_failed"] == {"0": 2, "1": 2, "2": 2}
    assert profile(frame(spark, table.slice(0, 0))).toArrow().num_rows == 0
