"""Counting matches."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def count(matches: DataFrame) -> DataFrame:
    """Count the pairs that match each entry.

    Spark adds up within each task before the shuffle, so at most one row an entry and task crosses it.

    Args:
        matches: anything with `entry_ids`.

    Returns:
        `entry_id`, `count`; entries without matches have no row.
    """
    return (
        matches.select(F.explode("entry_ids").alias("entry_id"))
        .groupBy("entry_id")
        .agg(F.count("*").alias("count"))
        .select("entry_id", "count")
    )
