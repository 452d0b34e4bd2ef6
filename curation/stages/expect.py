"""How many pairs are expected to be kept, without drawing."""

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from curation.core.expectation import Expectation
from curation.core.lists import Lists, Settings


def expect(matches: DataFrame, *, lists: Lists, settings: Settings) -> DataFrame:
    """Add up the keep probabilities of all pairs under several settings of the thresholds at once.

    Args:
        matches: anything with `entry_ids`.
        lists: the counts of all entries.
        settings: g of them.

    Returns:
        `setting` (0..g-1); `expected` and `variance`, decimal, in units of 2^-32 pairs
        (`curation.core.expectation.UNIT`). No rows where there are no pairs.
    """

    def sums(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        expectation = Expectation(lists.counts, lists.numbers, settings.t)
        for batch in batches:
            expectation.add(batch.column("entry_ids"))
        expected, variance = expectation.sums
        places = pa.array(range(len(settings)), pa.int32())
        yield pa.record_batch([places, expected, variance], ["setting", "expected", "variance"])

    def total(column: str) -> Column:
        return F.sum(F.col(column).cast("decimal(38,0)")).alias(column)

    return (
        matches.select("entry_ids")
        .mapInArrow(sums, "setting int, expected bigint, variance bigint")
        .groupBy("setting")
        .agg(total("expected"), total("variance"))
        .select("setting", "expected", "variance")
    )
