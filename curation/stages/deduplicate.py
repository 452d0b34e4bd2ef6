"""Exact de-duplication of pairs."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from curation.schemas import PAIRS

_SURVIVOR = ["opt_outs", "crawl", "page_url", "text_source", "url", "text", "language", "language_score"]


def uid() -> Column:
    """`curation.core.identity.pair_uid` of the columns `url` and `text`, in SQL."""
    return F.md5(
        F.concat(F.octet_length("url"), F.lit(":"), "url", F.octet_length("text"), F.lit(":"), "text")
    )


def deduplicate(candidates: DataFrame) -> DataFrame:
    """Keep one row of each (url, text), and how often it was seen.

    The survivor is from a page that does not opt out, if there is one; of these from the first crawl, of its
    pages the first by URL, `alt` before `title`: the same whatever the order in which rows arrive.

    Args:
        candidates: the columns of `PAIRS` without `uid` and `seen`.

    Returns:
        PAIRS.
    """
    return (
        candidates.groupBy(uid().alias("uid"))
        .agg(F.min(F.struct(*_SURVIVOR)).alias("pair"), F.count("*").alias("seen"))
        .select("uid", "pair.*", "seen")
        .select(*PAIRS.names)
    )
