"""Leaving out what other pools hold."""

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.schemas import PAIRS

IN_OTHER_POOL = "in_other_pool"


def exclude(pairs: DataFrame, *, others: list[DataFrame]) -> DataFrame:
    """Mark the pairs that other pools hold.

    Args:
        pairs: PAIRS.
        others: PAIRS of other pools.

    Returns:
        PAIRS and `drop_reason`: null, or `in_other_pool`.
    """
    known = reduce(DataFrame.union, [other.select("uid") for other in others]).distinct()
    return pairs.join(known.withColumn("drop_reason", F.lit(IN_OTHER_POOL)), "uid", "left").select(
        *PAIRS.names, "drop_reason"
    )
