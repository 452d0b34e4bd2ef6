"""Counts of words and pairs: added up over the parts of a text, and what a pair tells beyond its words."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

MICROBITS = 1_000_000
"""Information is in millionths of a bit, so that integers decide; logarithms are those of Java's StrictMath,
the same everywhere."""
BIN_MICROBITS = 1000


def add_up(parts: DataFrame, *, floor: int) -> DataFrame:
    """Add the counts of n-grams over all parts.

    Args:
        parts: `first`, `second` (null for a word) and `count`; an n-gram may come in any number of rows.
        floor: n-grams with a smaller sum are left out. A word is as frequent as its pairs, at least.

    Returns:
        `first`, `second`, `count`; each n-gram once.
    """
    counts = parts.where("first is not null").groupBy("first", "second").agg(F.sum("count").alias("count"))
    return counts.where(F.col("count") >= floor).select("first", "second", "count")


def inform(ngrams: DataFrame, *, words: int) -> DataFrame:
    """Pointwise mutual information of the pairs.

    PMI = log2(n·N / (a·b)) for a pair that occurs n times, of words that occur a and b times among N; at most
    log2(N / n).

    Args:
        ngrams: as `add_up` gives them.
        words: N, of the whole text.

    Returns:
        `first`, `second`, `count`, `information` in millionths of a bit.

    Source:
        MetaCLIP, Table 1: "Wiki bigrams, PMI".
    """
    single = ngrams.where("second is null")
    left = single.select("first", F.col("count").alias("a"))
    right = single.select(F.col("first").alias("second"), F.col("count").alias("b"))
    pairs = ngrams.where("second is not null").join(left, "first").join(right, "second")
    lift = F.col("count") / F.col("a") * (F.lit(float(words)) / F.col("b"))
    information = F.round(F.log2(lift) * MICROBITS).cast("bigint").alias("information")
    return pairs.select("first", "second", "count", information)


def spread(pairs: DataFrame) -> DataFrame:
    """How many pairs there are of each information, in steps of a thousandth of a bit.

    Args:
        pairs: with `information`.

    Returns:
        `information`, the lower end of a step, and `pairs`.
    """
    step = F.floor(F.col("information") / BIN_MICROBITS) * BIN_MICROBITS
    return pairs.groupBy(step.cast("bigint").alias("information")).agg(F.count("*").alias("pairs"))


def weigh(pairs: DataFrame, *, least: int) -> DataFrame:
    """MetaCLIP 2's score of pairs: (count + 1)^0.7 (PMI - a percentile of it), in millionths.

    PMI alone loves pairs of words that occur nowhere else; the count mends that.

    Args:
        pairs: with `count` and `information`.
        least: the percentile, in millionths of a bit; pairs below are left out.

    Returns:
        `first`, `second`, `count`, `information`, `score`.

    Source:
        MetaCLIP 2, on metadata: bigrams.
    """
    score = F.round(F.pow(F.col("count") + 1, F.lit(0.7)) * (F.col("information") - least)).cast("bigint")
    above = pairs.where(F.col("information") > least)
    return above.select("first", "second", "count", "information", score.alias("score"))
