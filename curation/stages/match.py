"""Matching texts against a vocabulary."""

from collections.abc import Mapping

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf

from curation.core.matcher import VocabularyMatcher
from curation.schemas import MATCHES

NO_MATCH = "no_match"

_matchers: dict[str, VocabularyMatcher] = {}  # a matcher does not pickle: one a worker process


def match(pairs: DataFrame, *, lists: Mapping[str, pa.Array], sha256: str) -> DataFrame:
    """Find the entries that occur in each text.

    Args:
        pairs: PAIRS.
        lists: entries by language, in the order of the vocabulary.
        sha256: of the vocabulary; workers build its matcher once.

    Returns:
        MATCHES and `drop_reason`: null, or `no_match` where no entry occurs.
    """

    def entry_ids(texts: pa.Array, languages: pa.Array) -> pa.Array:
        return _matcher(lists, sha256).match(texts, languages)

    # Only these two columns go through Python; the rest of the row stays where it is.
    find = arrow_udf(entry_ids, "array<int>")  # type: ignore[call-overload]  # its stubs want iterators
    matched = pairs.withColumn("entry_ids", find("text", "language"))
    reason = F.when(F.size("entry_ids") == 0, F.lit(NO_MATCH))
    return matched.select(*MATCHES.names, reason.alias("drop_reason"))


def _matcher(lists: Mapping[str, pa.Array], sha256: str) -> VocabularyMatcher:
    if sha256 not in _matchers:
        _matchers.clear()  # a worker serves one run; two matchers would only fill its memory
        _matchers[sha256] = VocabularyMatcher(lists)
    return _matchers[sha256]
