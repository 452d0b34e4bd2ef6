from collections import defaultdict

import pyarrow as pa
from pyspark.sql import functions as F

from curation.core.identity import image_id, pair_uid
from curation.stages.images import images, in_shards, shard_sizes
from tests.stages.conftest import frame

ROWS = [(f"http://a/{number % 40}.jpg", f"text {number}") for number in range(100)]


def curated():
    urls, texts = (pa.array(list(column)) for column in zip(*ROWS, strict=True))
    keep = [number / 100 for number in range(100)]
    columns = [pair_uid(urls, texts), urls, texts, keep, image_id(urls)]
    return pa.table(columns, names=["uid", "url", "text", "keep_probability", "image_id"])


def test_each_image_once_with_its_texts_in_the_order_of_their_uids(same_rows):
    rows = same_rows(curated(), images)
    assert len(rows) == 40
    texts = defaultdict(list)
    for pair in sorted(curated().to_pylist(), key=lambda pair: pair["uid"]):
        texts[pair["url"]].append((pair["uid"], pair["text"], pair["keep_probability"]))
    for row in rows:
        pairs = zip(row["uids"], row["texts"], row["keep_probabilities"], strict=True)
        assert list(pairs) == texts[row["url"]]


def test_ranks_need_no_shuffle_of_their_own(spark):
    """Each image crosses the network once to its shard, and a shard is in one partition."""
    ids = frame(spark, curated()).select("image_id").distinct()
    placed = in_shards(ids, shards=7)
    plan = placed._jdf.queryExecution().executedPlan().toString()
    assert plan.count("Exchange hashpartitioning(shard") == 1
    assert placed.rdd.getNumPartitions() == 7
    where = placed.select("shard", F.spark_partition_id().alias("partition")).distinct()
    assert where.count() == placed.select("shard").distinct().count()


def test_shards_are_ranges_of_image_ids_ranked_within(same_rows):
    placed = same_rows(curated(), lambda df: in_shards(images(df), shards=3, first=5))
    rows = sorted(placed, key=lambda row: row["image_id"])
    assert [row["shard"] for row in rows] == [5 + (int(row["image_id"][:8], 16) * 3 >> 32) for row in rows]
    assert {row["shard"] for row in rows} == {5, 6, 7}
    for shard in range(5, 8):
        assert [row["position"] for row in rows if row["shard"] == shard] == list(
            range(sum(row["shard"] == shard for row in rows))
        )
    sizes = same_rows(curated(), lambda df: shard_sizes(images(df), shards=3))
    assert {5 + row["shard"]: row["images"] for row in sizes} == {
        shard: sum(row["shard"] == shard for row in rows) for shard in range(5, 8)
    }
