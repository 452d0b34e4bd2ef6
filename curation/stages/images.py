"""From curated pairs to images, each in its shard."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from curation.stages.balance import image_id


def shard(shards: int) -> Column:
    """The shard of an `image_id` among so many: by its first 32 bits, so that shards fill evenly."""
    leading = F.conv(F.substring("image_id", 1, 8), 16, 10).cast("bigint")
    return F.shiftright(leading * shards, 32).cast("int")


def shard_sizes(images: DataFrame, *, shards: int) -> DataFrame:
    """Count the images of each shard.

    Args:
        images: `image_id`, each once.
        shards: how many there are.

    Returns:
        `shard`, `images`; a shard without images has no row.
    """
    groups = images.groupBy(shard(shards).alias("shard"))
    return groups.agg(F.count("*").alias("images")).select("shard", "images")


def uncut(pairs: DataFrame) -> DataFrame:
    """Pairs that nothing has balanced, as if everything had been kept: what a balanced set is compared with.

    Args:
        pairs: POOL or MATCHES.

    Returns:
        `uid`, `url`, `text`, `keep_probability` (1), `image_id`.
    """
    return pairs.select(
        "uid", "url", "text", F.lit(1.0).alias("keep_probability"), image_id("url").alias("image_id")
    )


def images(curated: DataFrame) -> DataFrame:
    """Gather the pairs of each image, so that it is fetched once.

    Args:
        curated: CURATED.

    Returns:
        `image_id`, `url`, and the pairs' `uids`, `texts` and `keep_probabilities`, in the order of their
        uids: an order by hash, and the same every time.
    """
    pair = F.struct("uid", "text", "keep_probability")
    return (
        curated.groupBy("image_id")
        .agg(F.min("url").alias("url"), F.sort_array(F.collect_list(pair)).alias("pairs"))
        .select(
            "image_id",
            "url",
            F.col("pairs.uid").alias("uids"),
            F.col("pairs.text").alias("texts"),
            F.col("pairs.keep_probability").alias("keep_probabilities"),
        )
    )


def in_shards(images: DataFrame, *, shards: int, first: int = 0) -> DataFrame:
    """Give each image its place.

    With few images for the number of shards, a shard may get none, and there will be no such number. Each
    shard is in one partition, and there are as many partitions as shards.

    Args:
        images: anything with `image_id`, each once.
        shards: among how many shards to spread the images.
        first: number of the first shard.

    Returns:
        `shard`, `position` (rank by image_id within the shard, from 0), and the columns of the images.
    """
    rank = F.row_number().over(Window.partitionBy("shard").orderBy("image_id")) - 1
    return (
        images.withColumn("shard", shard(shards) + first)
        .repartition(shards, "shard")  # here, so that ranks need no shuffle of their own
        .withColumn("position", rank)
        .select("shard", "position", *images.columns)
    )
