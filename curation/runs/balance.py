"""Matches to the balanced subset."""

from collections.abc import Sequence
from itertools import combinations, islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation import io
from curation.claim import Attempt, claim
from curation.config import Balance, affecting_rows
from curation.core.lists import Lists
from curation.errors import InputError
from curation.log import announce, progress
from curation.record import Identity, RunRecord, read_record
from curation.report.datacard import Outcome, datacard, entry_counts
from curation.runs.match import Counts, count_entries
from curation.runs.tables import fit, made_with, read_tables, write_kept, write_profile
from curation.runs.threshold import Sizes, by_language, choose, require_settings, size_curve
from curation.schemas import CURATED_COUNTS
from curation.spark import Session
from curation.stages.balance import NOT_DRAWN
from curation.stages.balance import balance as balance_stage
from curation.stages.one_text import ANOTHER_TEXT, one_text

SEMANTICS = 2
_TOLD = 3  # lists whose t is told before the work


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
    lists = Lists(counts["count"].to_numpy(), counts["language"].to_numpy())
    require_settings(lists, config, sum(source.rows["out"] for source in sources))
    attempt.begin()
    spark = session()
    tables = [source.folder / "pairs" for source in sources]
    fit(spark, "balance", *tables)
    matches = read_tables(spark, *tables)
    dropped: dict[str, int] = {}
    if config.texts_per_image == "one":
        matches, dropped = _one_text(matches, attempt, config)
    with progress(spark, "size curve"):
        chosen, curve = choose(matches, lists, config)
    t = by_language(lists, chosen.settings)
    announce(_plan(t, chosen, config))
    probability = lists.probability(chosen.settings)
    rows, kept, not_drawn = _draw(matches, attempt, probability, config)
    dropped |= not_drawn
    counts = pa.table([*counts.columns, pa.array(probability), pa.array(kept)], schema=CURATED_COUNTS)
    io.write_table(attempt.folder / "counts", counts)
    io.write_table(attempt.folder / "size_curve", size_curve(curve, lists))
    io.write_json(attempt.folder / "entry_counts.json", entry_counts(counts))
    outcome = Outcome(rows, dropped, t, float(chosen.rows[0]), float(chosen.deviation[0]))
    card = datacard(sources, counts, outcome, config=attempt.identity.config)
    io.write_json(attempt.folder / "datacard.json", card)
    return attempt.publish(
        rows={"in": rows + sum(dropped.values()), "out": rows},
        dropped=dropped,
        facts={
            "t": t,
            "expected_rows": outcome.expected_rows,
            "vocabulary_sha256": sources[0].facts["vocabulary_sha256"],
            "matches": [str(source.folder) for source in sources],
        },
        made=made_with(spark),
    )


def _one_text(matches: DataFrame, attempt: Attempt, config: Balance) -> tuple[DataFrame, dict[str, int]]:
    """Choose the texts and write them down, for they are read twice."""
    folder = attempt.scratch / "texts"
    with progress(matches.sparkSession, "choose texts"):
        _, dropped = write_kept(one_text(matches, seed=config.seed), folder, [ANOTHER_TEXT])
    return read_tables(matches.sparkSession, folder), dropped


def _plan(t: dict[str, float], chosen: Sizes, config: Balance) -> str:
    """What is going to happen, before anything is written."""
    thresholds = ", ".join(f"{value:,.6g} ({language})" for language, value in islice(t.items(), _TOLD))
    more = f" and {len(t) - _TOLD} more lists" if len(t) > _TOLD else ""
    target = f", for {config.target:,} after the download" if config.target is not None else ""
    return (
        f"t = {thresholds}{more}: expected to keep {chosen.rows[0]:,.1f} ± {chosen.deviation[0]:,.1f} "
        f"pairs{target}"
    )


def _draw(
    matches: DataFrame, attempt: Attempt, probability: npt.NDArray[np.float64], config: Balance
) -> tuple[int, Counts, dict[str, int]]:
    """Write the pairs that are drawn.

    Returns:
        Their number; how many of them match each entry; and how many were not drawn.
    """
    spark, pairs = matches.sparkSession, attempt.folder / "pairs"
    drawn = balance_stage(matches, probability=probability, seed=config.seed)
    if config.online:
        drawn = drawn.withColumn("drop_reason", F.lit(None).cast("string"))
    with progress(spark, "balance"):
        rows, not_drawn = write_kept(drawn, pairs, [NOT_DRAWN])
    with progress(spark, "count"):
        kept = count_entries(spark, pairs, len(probability))
    write_profile(read_tables(spark, pairs), attempt.folder)
    return rows, kept, not_drawn


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
