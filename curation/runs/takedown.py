"""Images and texts out of finished shards, at someone's request."""

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation import io
from curation.claim import Amendment, amend
from curation.config import Takedown
from curation.core.profile import COLUMNS
from curation.download.shard import REMOVED, SUCCESS, shard_numbers
from curation.download.spread import profile_on_disk
from curation.download.takedown import PLAN, TAKEN_DOWN, carry_out, find, find_images, latest_images
from curation.errors import InputError
from curation.log import counted
from curation.record import RunRecord
from curation.runs.requests import Asked, read_request
from curation.runs.tables import PROFILE, made_with
from curation.schemas import SHARD
from curation.spark import Session

PENDING = "takedown"
_ENTRY = "entry.json"
_ROWS = "plan.parquet"
_DUPLICATES = "duplicates"


def takedown(session: Session, config: Takedown) -> list[RunRecord]:
    """Take down what is asked for.

    What goes is written down first, by its ids, and then carried out; so a run that was stopped is finished
    by the next one, whatever that is asked for.

    Args:
        session: not needed.
        config: what is to go, and from where.

    Returns:
        The record of the shards. Its last takedown is this one; the record is fresh if it was carried out.

    Raises:
        InputError: there are no finished shards, they are damaged, or a request makes no sense.
    """
    output = io.local_folder(config.shards, "--shards")
    asked = read_request(config)
    if not config.dry_run:
        with amend(output, "download") as amendment:
            finished = _finish(amendment)
            if finished is not None and _last(finished)["sha256"] == asked.sha256:
                return [finished]
    with amend(output, "download") as amendment:
        _refuse_unfinished_retry(amendment)
        entry, plan = _plan(amendment.record, asked)
        if not len(plan) or config.dry_run:
            return [replace(amendment.record, facts=_facts(amendment.record, entry), fresh=False)]
        _write_down(amendment, entry, plan)
        finished = _finish(amendment)
        assert finished is not None  # it has just been written down
        return [finished]


def _last(record: RunRecord) -> Mapping[str, Any]:
    entry: Mapping[str, Any] = record.facts["takedowns"][-1]
    return entry


def _refuse_unfinished_retry(amendment: Amendment) -> None:
    """Shards of a retry that are not in the record yet would lose what is asked for, and get it back."""
    if any(path.name != PENDING for path in amendment.folder.iterdir()):
        raise InputError(
            f"a retry of {amendment.record.folder} was stopped; finish it first, with the command it had"
        )


def _plan(record: RunRecord, asked: Asked) -> tuple[dict[str, Any], pa.Table]:
    """What the record will say of the takedown, and what is to go: PLAN."""
    output = record.folder
    numbers = shard_numbers(output)
    found = [find(output, number, asked.request) for number in counted(numbers, "look", len(numbers))]
    plan = pa.concat_tables([PLAN.empty_table(), *found])
    if record.facts.get("retries"):
        plan = _with_earlier_tries(output, numbers, plan)
    images, texts = _latest(plan.filter(plan["whole"])), _latest(plan.filter(pc.invert(plan["whole"])))
    return {
        "at": made_with()["at"],
        "requested": asked.numbers,
        "sha256": asked.sha256,
        "images": len(images),
        "texts": sum(len(row["uids"]) for row in texts),
        "shards": len(plan["shard"].unique()),
    }, plan


def _with_earlier_tries(output: Path, numbers: list[int], plan: pa.Table) -> pa.Table:
    """A plan for all rows of the images that go: they may be found by what only the last of them knows."""
    gone = plan.filter(plan["whole"])["image_id"].unique()
    if not len(gone):
        return plan
    found = [
        find_images(output, number, gone) for number in counted(numbers, "look for others", len(numbers))
    ]
    texts = plan.filter(pc.invert(pc.is_in(plan["image_id"], value_set=gone)))
    return pa.concat_tables([texts, *found]).sort_by("key")


def _write_down(amendment: Amendment, entry: Mapping[str, Any], plan: pa.Table) -> None:
    folder = amendment.folder / PENDING
    folder.mkdir(exist_ok=True)
    pq.write_table(plan, folder / _ROWS)
    io.write_json(folder / _ENTRY, entry)  # last: with it the plan holds


def _finish(amendment: Amendment) -> RunRecord | None:
    """Carry out the plan that was written down, if there is one."""
    folder, record = amendment.folder / PENDING, amendment.record
    if not (folder / _ENTRY).exists():
        return None
    for left in record.folder.glob("_sealing-*"):
        shutil.rmtree(left)  # of a run that was killed
    plan = pq.read_table(folder / _ROWS)
    numbers = sorted(plan["shard"].unique().to_pylist())
    for number in counted(numbers, "take down", len(numbers)):
        rows = plan.filter(pc.equal(plan["shard"], number))
        carry_out(record.folder, number, rows, encode_format=record.config.get("encode_format", "jpg"))
    _forget_duplicates(record.folder / _DUPLICATES, plan.filter(plan["whole"])["key"])
    _write_profile(record)
    return _save(amendment, io.read_json(folder / _ENTRY), _latest(plan))


def _forget_duplicates(folder: Path, keys: pa.ChunkedArray) -> None:
    """Take the rows of images that are gone out of the table of duplicates."""
    for path in sorted(folder.glob("*.parquet")):
        rows = pq.read_table(path)
        kept = rows.filter(pc.invert(pc.is_in(rows["key"], value_set=keys.combine_chunks())))
        if len(kept) < len(rows):
            draft = path.with_name(f"_{path.name}")
            pq.write_table(kept, draft, compression="zstd")
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)  # Spark's, of the file as it was
            draft.replace(path)


def _write_profile(record: RunRecord) -> None:
    """Count all images anew: how many a host had that is not among the heaviest is in no table."""
    numbers = shard_numbers(record.folder)
    again = sum(retry["count"] for retry in record.facts.get("retries", ()))
    columns = sorted(COLUMNS & set(SHARD.names))
    images = latest_images(record.folder, numbers, columns, again=again)
    table = profile_on_disk(counted(images, "profile", len(numbers)), record.folder)
    path = record.folder / PROFILE / "part-00000.parquet"
    path.parent.mkdir(exist_ok=True)  # shards of older versions have none
    draft = path.with_name(f"_{path.name}")
    pq.write_table(table, draft, compression="zstd")
    draft.replace(path)


def _latest(plan: pa.Table) -> list[dict[str, Any]]:
    """Of each image the last row, which is the one that the record counts."""
    return list({row["image_id"]: row for row in plan.sort_by("key").to_pylist()}.values())


def _save(amendment: Amendment, entry: Mapping[str, Any], gone: list[dict[str, Any]]) -> RunRecord:
    """Write the record as if what is gone had ended so when it was fetched."""
    record = amendment.record
    rows, dropped = Counter(record.rows), Counter(record.dropped)
    statuses, errors = Counter(record.facts["images_by_status"]), Counter(record.facts["errors"])
    size_bytes = record.facts["size_bytes"]
    for row in gone:
        came = row["status"] == SUCCESS
        pairs = rows if came else dropped
        pairs["out" if came else row["error"] or row["status"]] -= len(row["uids"])
        if not row["whole"]:
            rows["in"] -= len(row["uids"])
            continue
        dropped[TAKEN_DOWN] += len(row["uids"])
        statuses[row["status"]] -= 1
        statuses[REMOVED] += 1
        errors[TAKEN_DOWN] += 1
        if not came:
            errors[row["error"] or row["error_message"]] -= 1
        size_bytes -= row["size_bytes"] or 0
    facts = {
        "images_by_status": dict(+statuses),
        "errors": dict((+errors).most_common()),
        "size_bytes": size_bytes,
        "duplicates": _duplicates(record.folder / _DUPLICATES),
    }
    return amendment.save(rows=rows, dropped=dropped, facts=_facts(record, entry) | facts)


def _duplicates(folder: Path) -> dict[str, int]:
    same_bytes = Counter(
        same for path in folder.glob("*.parquet") for same in pq.read_table(path)["same_bytes"].to_pylist()
    )
    return {"same_bytes": same_bytes[True], "look_alike": same_bytes[False]}


def _facts(record: RunRecord, entry: Mapping[str, Any]) -> dict[str, Any]:
    return dict(record.facts) | {"takedowns": [*record.facts.get("takedowns", ()), entry]}
