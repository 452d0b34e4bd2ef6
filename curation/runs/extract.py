"""Crawl files to a pool of distinct pairs."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial, reduce
from operator import or_
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from curation import io
from curation.claim import Attempt, claim
from curation.config import Extract, affecting_rows
from curation.crawl.extract import ROWS, Reading, read_file
from curation.crawl.files import InputFile, list_crawl, list_inputs
from curation.crawl.filters import BlockList, TermList
from curation.crawl.language import Languages
from curation.crawl.pairs import Rules
from curation.errors import InputError
from curation.log import progress
from curation.record import Identity, RunRecord, read_record
from curation.runs.tables import fit, made_with, read_tables, write_kept, write_profile
from curation.schemas import FILES
from curation.spark import Session, cores
from curation.stages.deduplicate import deduplicate
from curation.stages.exclude import IN_OTHER_POOL, exclude
from curation.stages.read import read

SEMANTICS = 2
DUPLICATE = "duplicate"

GROUP_FILES = 1000
"""Files that are committed together: what a killed run has to read again at the most."""
_GROUPS_AT_ONCE = 2
"""So that a group's last files leave no core idle; more for thousands of cores, one for one connection."""
_ROWS = "rows"


def extract(session: Session, config: Extract) -> list[RunRecord]:
    """Turn WAT and WARC files into a pool.

    Args:
        session: starts Spark when there is work.
        config: what to read.

    Returns:
        The record of the pool.

    Raises:
        InputError: an input is missing, or the output cannot be made.
    """
    output = io.local_folder(config.output, "--output")
    others = [read_record(io.local_folder(path, "--against"), "extract") for path in config.against]
    if config.retry_failed is not None:
        others.append(read_record(io.local_folder(config.retry_failed, "--retry-failed"), "extract"))
    files = _input_files(config, others)
    reading, contents = _reading(config)
    settings = affecting_rows(config) | contents
    for name in ("input", "crawl", "retry_failed", "kind", "limit", "against", "seed"):
        settings.pop(name)  # said more exactly by the inputs
    settings["languages"] = ["all"] if "all" in config.languages else sorted(set(config.languages))
    inputs = [_digest(files), *sorted(other.run_id for other in others)]
    identity = Identity(job="extract", semantics=SEMANTICS, config=settings, inputs=inputs)
    with claim(output, identity) as attempt:
        if attempt.finished is not None:
            return [attempt.finished]
        if not (attempt.scratch / _ROWS).is_dir():  # else groups of a killed attempt are there to go on from
            attempt.begin()
            (attempt.scratch / _ROWS).mkdir()
        spark = session()
        with progress(spark, "extract"):
            ledger = _read_files(spark, attempt, [file.path for file in files], reading, config.connections)
        fit(spark, "de-duplicate", attempt.scratch / _ROWS, *(other.folder / "pairs" for other in others))
        with progress(spark, "de-duplicate"):
            rows, dropped = _write_pairs(spark, attempt, others)
        write_profile(read_tables(spark, attempt.folder / "pairs"), attempt.folder)
        return [_publish(attempt, spark, ledger, rows, dropped, others)]


def _input_files(config: Extract, others: Sequence[RunRecord]) -> list[InputFile]:
    if config.input:
        return list_inputs(config.input)
    if config.retry_failed is not None:
        return _failed(others[-1])
    return list_crawl(
        config.crawl, kind=config.kind, limit=config.limit, seed=config.seed, base_url=config.crawl_url
    )


def _failed(pool: RunRecord) -> list[InputFile]:
    """The files of a pool that could not be read, or not to their end."""
    ledger = io.read_table(pool.folder / "files")
    failed = ledger.filter(pc.or_(pc.is_valid(ledger["error"]), ledger["truncated"]))
    paths = failed["path"].to_pylist()
    if not paths:
        raise InputError(f"all files of {pool.folder} were read to their end; there is nothing to retry")
    return [file for path in paths for file in ([InputFile(path)] if "://" in path else list_inputs([path]))]


def _reading(config: Extract) -> tuple[Reading, dict[str, Any]]:
    """How files are read; and of the files that say so, their checksums in the place of their names."""
    blocks = [(io.read_lines(path, "--block"), path) for path in config.block]
    terms = [(io.read_lines(path, "--block-terms"), path) for path in config.block_terms]
    rules = Rules(
        text_characters=config.max_text_length,
        url_characters=config.max_url_length,
        respect_opt_outs=config.opt_outs == "respect",
        blocked=reduce(or_, [BlockList.parse(*block) for block in blocks]) if blocks else None,
        terms=reduce(or_, [TermList.parse(*block) for block in terms]) if terms else None,
        redacted=config.redact,
    )
    model = None if config.language_model is None else str(Path(config.language_model).absolute())
    languages = Languages(
        wanted=None if "all" in config.languages else frozenset(config.languages),
        model=model,
        threshold=config.language_threshold,
    )
    contents = {
        "block": sorted(_sha256("\n".join(lines).encode()) for lines, _ in blocks),
        "block_terms": sorted(_sha256("\n".join(lines).encode()) for lines, _ in terms),
        "language_model": model and _sha256(io.read_bytes(model, "--language-model")),
    }
    return Reading(rules=rules, languages=languages), contents


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest(files: Sequence[InputFile]) -> dict[str, Any]:
    """Names the raw files; the ledger has their list."""
    rows = [[file.path, file.size_bytes, file.modified] for file in files]
    return {"files": len(files), "sha256": _sha256(json.dumps(rows).encode())}


def _read_files(
    spark: SparkSession, attempt: Attempt, paths: Sequence[str], reading: Reading, connections: int
) -> pa.Table:
    """One pass over the files that are not read yet: candidates into the attempt, and the ledger of all."""
    at_once, tasks = _at_once(spark, paths, connections)
    pool = ThreadPoolExecutor(at_once)
    try:
        jobs = []
        for first in range(0, len(paths), GROUP_FILES):
            folder = attempt.scratch / _ROWS / f"group={first // GROUP_FILES}"
            if not folder.is_dir():
                group = paths[first : first + GROUP_FILES]
                jobs.append(pool.submit(_read_group, spark, folder, group, reading, tasks))
        for job in as_completed(jobs):
            job.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # what is under way ends with the session
    ledger = _rows(spark, attempt).where("file is not null").select("file.*").toArrow().cast(FILES)
    shutil.rmtree(attempt.folder / "files", ignore_errors=True)
    io.write_table(attempt.folder / "files", ledger.sort_by("path"))
    return ledger


def _at_once(spark: SparkSession, paths: Sequence[str], connections: int) -> tuple[int, int]:
    """How many groups of files are read at once, and in how many tasks each: of web servers, few."""
    if any(path.startswith(("http://", "https://")) for path in paths):
        groups = min(_GROUPS_AT_ONCE, connections, -(-len(paths) // GROUP_FILES))
        return groups, connections // groups
    return max(_GROUPS_AT_ONCE, -(-_GROUPS_AT_ONCE * cores(spark) // GROUP_FILES)), GROUP_FILES


def _read_group(
    spark: SparkSession, folder: Path, paths: Sequence[str], reading: Reading, tasks: int
) -> None:
    """Read some files; their rows are there as a whole or not at all."""
    rows = read(
        spark.range(0, len(paths), 1, min(len(paths), tasks)),
        paths=paths,
        reader=partial(read_file, reading=reading),
        schema=ROWS,
    )
    draft = folder.with_name(f"_{folder.name}")
    rows.write.mode("overwrite").parquet(str(draft))
    draft.rename(folder)


def _rows(spark: SparkSession, attempt: Attempt) -> DataFrame:
    groups = sorted((attempt.scratch / _ROWS).glob("group=*"))
    return read_tables(spark, *groups).select(*ROWS.names)


def _write_pairs(
    spark: SparkSession, attempt: Attempt, others: Sequence[RunRecord]
) -> tuple[int, dict[str, int]]:
    shutil.rmtree(attempt.folder / "pairs", ignore_errors=True)  # half of them, of a killed attempt
    pairs = deduplicate(_rows(spark, attempt).where("file is null"))
    if others:
        pools = [read_tables(spark, other.folder / "pairs") for other in others]
        marked = exclude(pairs, others=pools)
    else:
        marked = pairs.withColumn("drop_reason", F.lit(None).cast("string"))
    return write_kept(marked, attempt.folder / "pairs", [IN_OTHER_POOL] if others else [])


def _publish(
    attempt: Attempt,
    spark: SparkSession,
    ledger: pa.Table,
    rows: int,
    dropped: dict[str, int],
    others: Sequence[RunRecord],
) -> RunRecord:
    totals = {name: sum(ledger[name].to_pylist()) for name in ("records", "pages", "images", "candidates")}
    reasons: Counter[str] = Counter(dropped)
    faults: Counter[str] = Counter()
    for batch in ledger.select(["dropped", "faults"]).to_batches(max_chunksize=GROUP_FILES):
        for file in batch.to_pylist():  # a thousand at a time: as objects they take ten times the memory
            reasons.update(dict(file["dropped"]))
            faults.update(dict(file["faults"]))
    reasons[DUPLICATE] = sum(ledger["pairs"].to_pylist()) - sum(dropped.values()) - rows
    return attempt.publish(
        rows={"in": totals["candidates"], "out": rows},
        dropped=reasons,
        facts={
            "files": len(ledger),
            **totals,
            "faults": dict(sorted(faults.items())),
            "files_truncated": sum(ledger["truncated"].to_pylist()),
            "files_with_errors": sum(error is not None for error in ledger["error"].to_pylist()),
            "against": sorted({other.run_id for other in others}),
        },
        made=made_with(spark),
    )
