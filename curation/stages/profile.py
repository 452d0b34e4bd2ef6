"""How the rows of a table are spread over the values of its facets."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.core.profile import COLUMNS, count_hosts, heaviest, tallies
from curation.schemas import PROFILE, spark_ddl


def profile(rows: DataFrame) -> DataFrame:
    """Count the rows by language, host, length of the text and so on.

    Each task counts its rows and gives sums away whenever it holds many values, so hosts may be without
    number; what crosses the one shuffle is at most one row a value and task, or one a row of the table.

    Args:
        rows: POOL, MATCHES, CURATED or SHARD; any of their columns.

    Returns:
        PROFILE, in one partition and in its order.
    """
    ddl = spark_ddl(PROFILE)
    counted = rows.select(*(name for name in rows.columns if name in COLUMNS)).mapInArrow(tallies, ddl)
    sums = counted.groupBy("facet", "value").agg(F.sum("rows").alias("rows")).select(*PROFILE.names)
    # Two rounds: the heaviest of all are among the heaviest of each partition.
    return sums.mapInArrow(_of_partition, ddl).repartition(1).mapInArrow(_of_all, ddl).select(*PROFILE.names)


def _of_partition(sums: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return _of_all(count_hosts(sums))


def _of_all(parts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from heaviest(parts).to_batches()
