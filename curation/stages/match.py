"""Matching texts against a vocabulary."""

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from curation.core.matcher import VocabularyMatcher
from curation.schemas import MATCHES, spark_ddl

NO_MATCH = "no_match"

_matchers: dict[str, VocabularyMatcher] = {}  # automata do not pickle: one a worker process


def match(pairs: DataFrame, *, lists: Mapping[str, pa.Array], sha256: str) -> DataFrame:
    """Find the entries that occur in each text.

    Args:
        pairs: PAIRS.
        lists: entries by language, in the order of the vocabulary.
        sha256: of the vocabulary; workers build its automaton once.

    Returns:
        MATCHES and `drop_reason`: null, or `no_match` where no entry occurs.
    """

    def matched(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        matcher = _matcher(lists, sha256)
        for batch in batches:
            entry_ids = matcher.match(batch.column("text"), batch.column("language"))
            found = pc.greater(pc.list_value_length(entry_ids), 0)
            reason = pc.if_else(found, pa.scalar(None, pa.string()), NO_MATCH)
            yield batch.append_column("entry_ids", entry_ids).append_column("drop_reason", reason)

    schema = MATCHES.append(pa.field("drop_reason", pa.string()))
    return pairs.mapInArrow(matched, spark_ddl(schema)).select(*schema.names)


def _matcher(lists: Mapping[str, pa.Array], sha256: str) -> VocabularyMatcher:
    if sha256 not in _matchers:
        _matchers.clear()  # a worker serves one run; two automata would only fill its memory
        _matchers[sha256] = VocabularyMatcher(lists)
    return _matchers[sha256]
