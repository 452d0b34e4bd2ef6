"""From curated pairs to images, each in its shard."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def shard(shards: int) -> Column:
    """The shard of an `image_id` among so many: by its first 32 bits, so that shards fill evenly."""
    leading = F.conv(F.substring("image_id", 1, 8), 16, 10).cast("bigint")
    return F.shiftright(leading * shards, 32).cast("int")


def shard_sizes(curated: DataFrame, *, shards: int) -> DataFrame:
    """Count the images of each shard.

    Args:
        curated: anything with `image_id`.
        shards: how many there are.

    Returns:
        `shard`, `images`; a shard without images has no row.
    """
    return (
        curated.select("image_id")
        .distinct()
        .groupBy(shard(shards).alias("shard"))
        .agg(F.count("*").alias("images"))
        .select("shard", "images")
    )


def images(curated: DataFrame, *, shards: int) -> DataFrame:
    """Gather the pairs of each image, so that it is fetched once.

    With few images for the number of shards, a shard may get none, and there will be no such number.

    Args:
        curated: CURATED.
        shards: among how many shards to spread the images.

    Returns:
        `shard`, `position` (rank by image_id within the shard, from 0), `image_id`, `url`, and the
        pairs' `uids`, `texts` and `keep_probabilities`, in the order of their uids: an order by hash, and the
        same every time.
    """
    pair = F.struct("uid", "text", "keep_probability")
    return (
        curated.groupBy("image_id")
        .agg(F.min("url").alias("url"), F.sort_array(F.collect_list(pair)).alias("pairs"))
        .withColumn("shard", shard(shards))
        .withColumn("position", F.row_number().over(Window.partitionBy("shard").orderBy("image_id")) - 1)
        .select(
            "shard",
            "position",
            "image_id",
            "url",
            F.col("pairs.uid").alias("uids"),
            F.col("pairs.text").alias("texts"),
            F.col("pairs.keep_probability").alias("keep_probabilities"),
        )
    )
