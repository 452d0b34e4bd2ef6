"""How many pairs a threshold is expected to keep, without drawing."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.core.balancing import keep_probability

UNIT = 2**32
"""Expectations are added as integers, in units of 2^-32 pairs: their sum is the same in any order."""


def expect(matches: DataFrame, *, probabilities: npt.NDArray[np.float64]) -> DataFrame:
    """Add up the keep probabilities of all pairs under several thresholds at once.

    Args:
        matches: anything with `entry_ids`.
        probabilities: float64 (g, m), of each entry under each of g thresholds.

    Returns:
        `candidate` (0..g-1) and `expected`, decimal, in units of 2^-32 pairs; no row where no pair is.
    """

    def sums(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = np.zeros(len(probabilities), np.int64)
        for batch in batches:
            for candidate, probability in enumerate(probabilities):
                keep = keep_probability(batch.column("entry_ids"), probability)
                total[candidate] += np.rint(keep * UNIT).astype(np.int64).sum()
        yield pa.record_batch({"candidate": np.arange(len(total), dtype=np.int32), "expected": total})

    return (
        matches.select("entry_ids")
        .mapInArrow(sums, "candidate int, expected bigint")
        .groupBy("candidate")
        .agg(F.sum(F.col("expected").cast("decimal(38,0)")).alias("expected"))
        .select("candidate", "expected")
    )
