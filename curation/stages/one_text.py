"""One text an image."""

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf

from curation.core.identity import uniform
from curation.schemas import MATCHES

ANOTHER_TEXT = "another_text_chosen"


def one_text(matches: DataFrame, *, seed: int) -> DataFrame:
    """Choose one of the texts of each image, by hash, whatever it matches.

    Args:
        matches: MATCHES.
        seed: of the choice, which is independent of the draw under the same seed.

    Returns:
        MATCHES and `drop_reason`: null, or `another_text_chosen`.

    Source:
        MetaCLIP 2, section 3.3: one random text an image, before the draw.
    """

    @arrow_udf("double")  # type: ignore  # its stubs know only functions of iterators
    def lot(uids: pa.Array) -> pa.Array:
        return pa.array(uniform(seed, uids, salt="text"))

    of_image = Window.partitionBy("url").orderBy("lot", "uid")
    ranked = matches.withColumn("lot", lot("uid")).withColumn("rank", F.row_number().over(of_image))
    reason = F.when(F.col("rank") > 1, F.lit(ANOTHER_TEXT))
    return ranked.select(*MATCHES.names, reason.alias("drop_reason"))
