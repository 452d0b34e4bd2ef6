"""A pool to the matches of its texts with a vocabulary, and their counts."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import SparkSession

from curation import io
from curation.claim import Attempt, claim
from curation.config import Match
from curation.errors import InputError
from curation.log import progress
from curation.record import Identity, RunRecord, read_record
from curation.runs.tables import fit, made_with, read_tables, write_kept, write_profile
from curation.schemas import MATCH_COUNTS
from curation.spark import Session
from curation.stages.count import count
from curation.stages.match import NO_MATCH
from curation.stages.match import match as match_stage
from curation.vocabulary.vocabulary import Vocabulary, read_manifest, read_vocabulary

SEMANTICS = 2

Counts = npt.NDArray[np.int64]


def match(session: Session, config: Match) -> list[RunRecord]:
    """Match the texts of a pool against a vocabulary.

    Args:
        session: starts Spark when there is work.
        config: what to match with what.

    Returns:
        The record of the matches.

    Raises:
        InputError: the pool is missing or empty, the vocabulary cannot be read, or the output cannot be
            made.
    """
    output = io.local_folder(config.output, "--output")
    pool = read_record(io.local_folder(config.pool, "--pool"), "extract")
    if not pool.rows["out"]:
        raise InputError(
            f"{pool.folder} is an empty pool; its files/ and {pool.folder / '_run.json'} say why"
        )
    vocabulary, manifest = read_vocabulary(config.vocabulary), read_manifest(config.vocabulary)
    inputs = [pool.run_id, vocabulary.sha256]
    identity = Identity(job="match", semantics=SEMANTICS, config={}, inputs=inputs)
    with claim(output, identity) as attempt:
        if attempt.finished is not None:
            return [attempt.finished]
        facts = {
            "vocabulary_sha256": vocabulary.sha256,
            "vocabulary_manifest": manifest,  # its licences must go with the list
            "pool": pool.run_id,
            "pool_rows": {"rows_in": pool.rows["in"], "dropped": pool.dropped, "rows_out": pool.rows["out"]},
            "against": pool.facts["against"],
        }
        return [_match(session(), attempt, pool.folder / "pairs", vocabulary, facts)]


def _match(
    spark: SparkSession, attempt: Attempt, pairs: Path, vocabulary: Vocabulary, facts: dict[str, Any]
) -> RunRecord:
    attempt.begin()
    lists = {language: vocabulary.entries(language) for language in vocabulary.languages}
    fit(spark, "match", pairs)
    with progress(spark, "match"):
        matched = match_stage(read_tables(spark, pairs), lists=lists, sha256=vocabulary.sha256)
        rows, dropped = write_kept(matched, attempt.folder / "pairs", [NO_MATCH])
    with progress(spark, "count"):
        counts = count_entries(spark, attempt.folder / "pairs", len(vocabulary))
    write_profile(read_tables(spark, attempt.folder / "pairs"), attempt.folder)
    io.write_table(attempt.folder / "counts", _counts_table(vocabulary, counts))
    io.write_table(attempt.folder / "vocabulary", vocabulary.table, name="entries.parquet")
    return attempt.publish(
        rows={"in": rows + sum(dropped.values()), "out": rows},
        dropped=dropped,
        facts={
            "matches": int(counts.sum()),
            "entries": len(vocabulary),
            "entries_matched": int(np.count_nonzero(counts)),
            **facts,
        },
        made=made_with(spark),
    )


def count_entries(spark: SparkSession, pairs: Path, entries: int) -> Counts:
    """Count the pairs that match each entry.

    Args:
        spark: session.
        pairs: a table with `entry_ids`.
        entries: m, the size of the vocabulary.

    Returns:
        int64 (m).
    """
    table = count(read_tables(spark, pairs)).toArrow()
    counts = np.zeros(entries, np.int64)
    counts[table["entry_id"].to_numpy()] = table["count"].to_numpy()
    return counts


def _counts_table(vocabulary: Vocabulary, counts: Counts) -> pa.Table:
    columns = [vocabulary.table[name] for name in ("language", "entry_id", "entry")]
    return pa.table([*columns, pa.array(counts)], schema=MATCH_COUNTS)
