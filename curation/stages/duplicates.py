"""Which images of a data set are others again."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from curation.core.near import BITS, DISTANCE, block_groups, blocks_to_agree
from curation.schemas import DUPLICATES

_FLAT = 0
"""The hash of images that show nothing: they look like many others, and are none of them."""


def duplicates(images: DataFrame, *, number: int = 0, distance: int = DISTANCE) -> DataFrame:
    """Mark the images that are there already, with a smaller key.

    `duplicate_of` is the smallest key among the images of the same bytes, if one is smaller than the image's
    own; else the smallest among those that look like it. So the rows with `same_bytes` are all exact
    duplicates, and of images that resemble each other the one with the smallest key is never marked. What
    resembles does so directly: b may be marked for a, and c, which is further from a, for b.

    Images are compared by their distinct hashes alone, each with the smallest key that has it: a placeholder
    that a million hosts serve is one hash.

    Args:
        images: `key`, `image_id`, `sha256`, `perceptual_hash`; either hash may be null.
        number: of the images, or about; it decides how they are compared, and changes no row.
        distance: the most bits in which the hashes of images that look the same differ, from 0 to 15.

    Returns:
        DUPLICATES.
    """
    images = images.withColumn("hash", _signed(F.col("perceptual_hash")))
    looks = F.when(F.col("hash") != _FLAT, F.col("hash"))
    masks = block_groups(distance, blocks_to_agree(number, distance))
    similar = _similar(images.where(looks.isNotNull()), masks, distance)
    copy = F.when(F.col("original") < F.col("key"), _mark(F.col("original"), F.lit(0), same_bytes=True))
    look_alike = F.when(
        F.col("similar.key") < F.col("key"),
        _mark(F.col("similar.key"), F.col("similar.distance"), same_bytes=False),
    )
    return (
        images.join(_originals(images), "sha256", "left")
        .join(similar, looks == F.col("look"), "left")
        .withColumn("mark", F.coalesce(copy, look_alike))
        .where("mark is not null")
        .select("key", "image_id", "mark.*")
        .select(*DUPLICATES.names)
    )


def _originals(images: DataFrame) -> DataFrame:
    """For the bytes that several images have, the smallest key: `sha256`, `original`."""
    keys = (F.min("key").alias("original"), F.count("*").alias("images"))
    by_bytes = images.where("sha256 is not null").groupBy("sha256").agg(*keys)
    return by_bytes.where("images > 1").select("sha256", "original")


def _similar(images: DataFrame, masks: Sequence[int], distance: int) -> DataFrame:
    """For each hash that is not alone: the smallest key that has it or a near one, and the bits between.

    Returns:
        `look`, `similar` (key, distance).
    """
    hashes = images.groupBy("hash").agg(F.min("key").alias("first"), F.count("*").alias("images"))
    itself = F.struct(F.col("first").alias("key"), F.lit(0).alias("distance"))
    return (
        hashes.join(_nearest(hashes.select("hash", "first"), masks, distance), "hash", "left")
        .where("images > 1 or nearest is not null")
        .select(F.col("hash").alias("look"), F.coalesce("nearest", itself).alias("similar"))
    )


def _nearest(hashes: DataFrame, masks: Sequence[int], distance: int) -> DataFrame:
    """For each hash that has a near one with a smaller key: the smallest key, and the bits between.

    Args:
        hashes: distinct; `hash`, `first`.
        masks: under one of which hashes that are near agree.
        distance: in bits.

    Returns:
        `hash`, `nearest` (key, distance).
    """
    literals = F.array(*(F.lit(_two_s_complement(mask)) for mask in masks))
    parts = hashes.select("hash", "first", F.posexplode(literals).alias("block", "mask")).select(
        "hash", "first", "block", F.col("hash").bitwiseAND(F.col("mask")).alias("part")
    )
    left = parts.select("block", "part", F.col("hash").alias("other"), F.col("first").alias("key"))
    bits = F.bit_count(F.col("hash").bitwiseXOR(F.col("other")))
    return (
        parts.join(left, ["block", "part"])
        .where((F.col("key") < F.col("first")) & (bits <= distance))
        .groupBy("hash")
        .agg(F.min(F.struct("key", bits.alias("distance"))).alias("nearest"))
    )


def _mark(original: Column, distance: Column, *, same_bytes: bool) -> Column:
    return F.struct(
        original.alias("duplicate_of"), distance.alias("distance"), F.lit(same_bytes).alias("same_bytes")
    )


def _signed(digits: Column) -> Column:
    """16 hex digits as a bigint of the same bits. In one piece, those above 2^63 would be no bigint."""
    high, low = (F.conv(F.substring(digits, at, 8), 16, 10).cast("bigint") for at in (1, 9))
    return F.shiftleft(high, 32).bitwiseOR(low)


def _two_s_complement(bits: int) -> int:
    return bits - (1 << BITS) if bits >> (BITS - 1) else bits
