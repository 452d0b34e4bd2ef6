"""The draw: which pairs of the head are kept."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf

from curation.core.balancing import keep_probability
from curation.core.identity import uniform
from curation.schemas import CURATED

NOT_DRAWN = "not_drawn"


def balance(matches: DataFrame, *, probability: npt.NDArray[np.float64], seed: int) -> DataFrame:
    """Draw once for each pair, against its keep probability.

    Args:
        matches: MATCHES.
        probability: float64 (m), of each entry.
        seed: of the draw.

    Returns:
        CURATED and `drop_reason`: null, or `not_drawn`.

    Source:
        MetaCLIP 2, section 3.3; section 5 of the design for the draw.
    """

    @arrow_udf("double")  # type: ignore  # its stubs know only functions of iterators
    def keep(entry_ids: pa.Array) -> pa.Array:
        return pa.array(keep_probability(entry_ids, probability))

    @arrow_udf("double")  # type: ignore
    def draw(uids: pa.Array) -> pa.Array:
        return pa.array(uniform(seed, uids, salt="keep"))

    drawn = matches.select("*", keep("entry_ids").alias("keep_probability"), draw("uid").alias("draw"))
    reason = F.when(F.col("draw") >= F.col("keep_probability"), F.lit(NOT_DRAWN))
    return drawn.withColumn("image_id", image_id("url")).select(*CURATED.names, reason.alias("drop_reason"))


def image_id(url: str) -> Column:
    """`curation.core.identity.image_id` of a column, where Spark has it at hand."""
    return F.md5(F.concat(F.octet_length(url).cast("string"), F.lit(":"), F.col(url)))
