"""Matches to the balanced subset."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from curation import io
from curation.config import Balance, affecting_rows
from curation.core.balancing import (
    entry_probability,
    tail_share,
    threshold_for_size,
    threshold_for_tail_share,
)
from curation.errors import InputError
from curation.log import announce, progress
from curation.record import Attempt, Identity, RunRecord, claim, read_record
from curation.report.datacard import datacard
from curation.runs.match import Counts, count_entries
from curation.runs.tables import made_with, read_tables, write_kept
from curation.schemas import CURATED_COUNTS
from curation.spark import Session
from curation.stages.balance import NOT_DRAWN
from curation.stages.balance import balance as balance_stage
from curation.stages.expect import UNIT, expect

SEMANTICS = 1
ENGLISH = "en"


def balance(session: Session, config: Balance) -> list[RunRecord]:
    """Draw the balanced subset of the matches.

    Args:
        session: starts Spark when there is work.
        config: what to balance, and how strongly.

    Returns:
        The record of the curated pairs.

    Raises:
        InputError: matches are missing, empty or of pools that overlap; the size asked for is out of
            reach; or the output cannot be made.
    """
    output = io.local_folder(config.output, "--output")
    sources = [read_record(io.local_folder(path, "--matches"), "match") for path in config.matches]
    _require_disjoint(sources)
    settings = affecting_rows(config)
    settings.pop("matches")
    inputs = sorted(source.run_id for source in sources)
    identity = Identity(job="balance", semantics=SEMANTICS, config=settings, inputs=inputs)
    with claim(output, identity) as attempt:
        if attempt.finished is not None:
            return [attempt.finished]
        return [_balance(session, attempt, sources, config)]


def _balance(session: Session, attempt: Attempt, sources: Sequence[RunRecord], config: Balance) -> RunRecord:
    counts = _counts(sources)
    attempt.begin()
    spark = session()
    matches = read_tables(spark, *(source.folder / "pairs" for source in sources))
    lists = Lists(counts)
    t = _choose_t(matches, lists, config, rows=sum(source.rows["out"] for source in sources))
    probability = lists.probability(t)
    with progress(spark, "balance"):
        drawn = balance_stage(matches, probability=probability, seed=config.seed)
        rows, dropped = write_kept(drawn, attempt.folder / "pairs", [NOT_DRAWN])
        kept = count_entries(spark, attempt.folder / "pairs", len(probability))
    counts = pa.table([*counts.columns, pa.array(probability), pa.array(kept)], schema=CURATED_COUNTS)
    io.write_table(attempt.folder / "counts", counts)
    card = datacard(sources, counts, t=t, rows=rows, dropped=dropped, config=attempt.identity.config)
    io.write_json(attempt.folder / "datacard.json", card)
    return attempt.publish(
        rows={"in": rows + sum(dropped.values()), "out": rows},
        dropped=dropped,
        facts={"t": t, "vocabulary_sha256": sources[0].facts["vocabulary_sha256"]},
        made=made_with(spark),
    )


class Lists:
    """The counts of a vocabulary, list by list.

    Args:
        counts: columns of `MATCH_COUNTS`, in id order.
    """

    def __init__(self, counts: pa.Table) -> None:
        self.all: Counts = counts["count"].to_numpy()
        languages = counts["language"].to_numpy()
        self.of = {
            language: self.all[languages == language] for language in dict.fromkeys(languages.tolist())
        }
        self._languages = languages

    def with_tail_share(self, share: float) -> dict[str, float]:
        """The t of each list under which its tail has this share of its matches."""
        return {
            language: float(threshold_for_tail_share(counts, share)) for language, counts in self.of.items()
        }

    def with_t(self, t: float) -> dict[str, float]:
        """This t for the only list, or for English; the other lists get English's tail share.

        Raises:
            InputError: there are several lists, but no English one with matches.

        Source:
            MetaCLIP 2, section 3.3.
        """
        if len(self.of) == 1:
            return dict.fromkeys(self.of, t)
        if ENGLISH not in self.of or not self.of[ENGLISH].any():
            raise InputError("no English matches to tell the other languages' t from; give --tail-share")
        return self.with_tail_share(tail_share(self.of[ENGLISH], t)) | {ENGLISH: t}

    def probability(self, t: dict[str, float]) -> npt.NDArray[np.float64]:
        """The probability of each entry, given the t of each list."""
        return entry_probability(self.all, np.array([t[language] for language in self._languages]))


def _choose_t(matches: DataFrame, lists: Lists, config: Balance, *, rows: int) -> dict[str, float]:
    if config.tail_share is not None:
        return lists.with_tail_share(config.tail_share)
    if config.t is not None:
        return lists.with_t(config.t)
    assert config.target is not None  # the configuration has made sure of one of the three
    wanted = config.target / config.expected_yield
    if wanted > rows:
        raise InputError(
            f"--target {config.target} with --yield {config.expected_yield} needs {wanted:,.0f} pairs, but "
            f"{rows:,} match; ask for at most {int(rows * config.expected_yield):,}"
        )

    def expected(thresholds: Sequence[float]) -> list[float]:
        return _expected_sizes(matches, np.stack([lists.probability(lists.with_t(t)) for t in thresholds]))

    english = lists.of.get(ENGLISH, lists.all)
    with progress(matches.sparkSession, "choose t"):
        t, size = threshold_for_size(english, wanted, expected)
    if abs(size - wanted) > max(0.001 * wanted, 1):
        raise InputError(f"no t is expected to keep {wanted:,.0f} pairs; the nearest keeps {size:,.0f}")
    announce(f"t = {t:,.6g} is expected to keep {size:,.1f} pairs, for {config.target:,} after the download")
    return lists.with_t(t)


def _expected_sizes(matches: DataFrame, probabilities: npt.NDArray[np.float64]) -> list[float]:
    sums: dict[int, Decimal] = {
        row["candidate"]: row["expected"] for row in expect(matches, probabilities=probabilities).collect()
    }
    return [float(sums.get(candidate, Decimal(0)) / UNIT) for candidate in range(len(probabilities))]


def _counts(sources: Sequence[RunRecord]) -> pa.Table:
    """The counts of all sources, added up.

    Raises:
        InputError: nothing matches.
    """
    tables = [io.read_table(source.folder / "counts") for source in sources]
    total = sum(table["count"].to_numpy() for table in tables)
    if not np.any(total):
        places = ", ".join(str(source.folder) for source in sources)
        raise InputError(f"no text of {places} matches any entry; try another vocabulary or a larger pool")
    return tables[0].set_column(tables[0].schema.get_field_index("count"), "count", pa.array(total))


def _require_disjoint(sources: Sequence[RunRecord]) -> None:
    for one, other in combinations(sources, 2):
        if one.facts["vocabulary_sha256"] != other.facts["vocabulary_sha256"]:
            raise InputError(f"{one.folder} and {other.folder} were matched with different vocabularies")
        facts = (one.facts, other.facts)
        if not any(a["pool"] in b["against"] for a, b in (facts, facts[::-1])):
            raise InputError(
                f"the pools of {one.folder} and {other.folder} may overlap; "
                "make the later one with jobs/extract.py --against the earlier"
            )
