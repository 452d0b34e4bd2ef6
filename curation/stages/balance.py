"""The draw: which pairs of the head are kept."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from curation.core.balancing import keep_probability
from curation.core.identity import image_id, uniform
from curation.schemas import CURATED, spark_ddl

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

    def drawn(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            keep = keep_probability(batch.column("entry_ids"), probability)
            kept = pa.array(uniform(seed, batch.column("uid"), salt="keep") < keep)
            yield (
                batch.append_column("keep_probability", pa.array(keep))
                .append_column("image_id", image_id(batch.column("url")))
                .append_column("drop_reason", pc.if_else(kept, pa.scalar(None, pa.string()), NOT_DRAWN))
            )

    schema = CURATED.append(pa.field("drop_reason", pa.string()))
    return matches.mapInArrow(drawn, spark_ddl(schema)).select(*schema.names)
