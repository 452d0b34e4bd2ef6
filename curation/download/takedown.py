"""Taking images and texts out of finished shards: first a plan, of ids alone, then shard by shard."""

import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.download.shard import (
    FAILED_TO_DOWNLOAD,
    FAILED_TO_RESIZE,
    REMOVED,
    Shard,
    is_whole,
    read_images,
    read_statistics,
    shard_files,
    shard_name,
    write_shard,
)
from curation.errors import InputError

TAKEN_DOWN = "taken_down"
"""The error of a row whose image was taken down; it has its ids, and nothing else."""

PLAN = pa.schema(
    [
        ("shard", pa.int32()),
        ("key", pa.string()),
        ("image_id", pa.string()),
        ("uids", pa.list_(pa.string())),
        ("whole", pa.bool_()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("error_message", pa.string()),
        ("size_bytes", pa.int64()),
    ]
)
"""What is to go: one row a row of a shard; `uids` of the texts that go, `whole` where the image goes too;
how the image had ended."""

_STAY = ("key", "image_id", "uids")
_OF_TEXTS = ("uids", "texts", "keep_probabilities")
_COUNTED = frozenset(
    {"count", "successes", FAILED_TO_DOWNLOAD, FAILED_TO_RESIZE, REMOVED, "status_dict", "sha256"}
)
"""Statistics that are counted anew whenever a shard is written."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be taken down.

    Attributes:
        ids: `uid`s of texts and `image_id`s of images.
        sha256: of images, as they were fetched.
        is_listed: judges a URL; None where none is asked for.
    """

    ids: frozenset[str] = frozenset()
    sha256: frozenset[str] = frozenset()
    is_listed: Callable[[str], bool] | None = None


def find(output: Path, number: int, request: Request) -> pa.Table:
    """What a request takes from a shard: PLAN.

    Raises:
        InputError: the shard cannot be read.
    """
    columns = ["error", "image_id", "uids"]
    columns += ["url"] if request.is_listed else []
    columns += ["sha256"] if request.sha256 else []
    rows = _read(output, number, columns)
    asked = pa.array(sorted(request.ids), pa.string())
    whole = _is_in(rows["image_id"], asked)
    if request.sha256:
        whole |= _is_in(rows["sha256"], pa.array(sorted(request.sha256), pa.string()))
    if request.is_listed:
        whole |= np.array(
            [url is not None and request.is_listed(url) for url in rows["url"].to_pylist()], bool
        )
    uids = rows["uids"].combine_chunks()
    of_row = pc.list_parent_indices(uids).to_numpy()[_is_in(pc.list_flatten(uids), asked)]
    gone = np.bincount(of_row, minlength=len(rows))
    whole |= (gone > 0) & (gone == pc.fill_null(pc.list_value_length(uids), 0).to_numpy())
    matched = (whole | (gone > 0)) & ~_is_taken_down(rows)
    return _planned(output, number, np.flatnonzero(matched), whole, asked)


def find_images(output: Path, number: int, image_ids: pa.Array) -> pa.Table:
    """The rows of a shard, of images that go: PLAN. An image that was fetched again has several.

    Raises:
        InputError: the shard cannot be read.
    """
    rows = _read(output, number, ["error", "image_id"])
    whole = _is_in(rows["image_id"], image_ids) & ~_is_taken_down(rows)
    return _planned(output, number, np.flatnonzero(whole), whole, pa.array([], pa.string()))


def latest_images(
    output: Path, numbers: Sequence[int], columns: Sequence[str], *, again: int
) -> Iterator[pa.Table]:
    """Columns of the rows of images, of each image the last: of shards, from the last to the first.

    Args:
        output: folder of the shards.
        numbers: of the shards, in ascending order.
        columns: to read.
        again: how many rows are of images that were fetched again; they are the last.

    Raises:
        InputError: a shard cannot be read.
    """
    later: set[str] = set()
    seen = 0
    for number in reversed(numbers):
        rows = _read(output, number, [*columns, "image_id"])
        ids = rows["image_id"].to_pylist() if again else []
        if later:
            rows = rows.filter(pa.array([one not in later for one in ids], pa.bool_()))
        if seen < again:
            later.update(ids)
        seen += len(ids)
        yield rows.select(columns)


def carry_out(output: Path, number: int, plan: pa.Table, *, encode_format: str) -> None:
    """Take out of a shard what is planned; done before, or half done, it makes no difference.

    Args:
        output: folder of the shards.
        number: of the shard.
        plan: its rows of PLAN.
        encode_format: of its images.

    Raises:
        InputError: the shard cannot be read.
    """
    if not any(file.exists() for file in shard_files(output, number)):
        return  # its owner did as a complaint of ours says
    before = _read(output, number)
    rows = _without(before, {row["key"]: row for row in plan.to_pylist()})
    if rows.equals(before) and is_whole(output, number):
        return
    images = read_images(output / f"{shard_name(number)}.tar")
    keys = rows["key"].to_pylist()
    try:
        statistics = read_statistics(output, number)
        facts = {name: value for name, value in statistics.items() if name not in _COUNTED}
        left = Shard(number, rows, lambda at: _image(images, keys[at]), encode_format, facts)
        write_shard(output, left)
    except (ValueError, LookupError, EOFError, tarfile.TarError) as error:
        raise _damaged(output, number, error) from error


def _image(images: Iterator[tuple[str, bytes]], key: str) -> bytes:
    """The image of a key, which comes after those of the keys asked for before."""
    for found, data in images:
        if found == key:
            return data
    raise LookupError(f"it has no image {key}")


def _planned(
    output: Path, number: int, places: np.ndarray[Any, Any], whole: np.ndarray[Any, Any], asked: pa.Array
) -> pa.Table:
    """The rows of a plan for some places of a shard."""
    if not len(places):
        return PLAN.empty_table()
    columns = ["key", "image_id", "uids", "status", "error", "error_message", "size_bytes"]
    wanted = set(asked.to_pylist())
    rows = _read(output, number, columns).take(places).to_pylist()
    for row, all_of_it in zip(rows, whole[places].tolist(), strict=True):
        uids = row["uids"] or []
        gone = uids if all_of_it else [uid for uid in uids if uid in wanted]
        row |= {"shard": number, "whole": all_of_it, "uids": gone}
    return pa.Table.from_pylist(rows, PLAN)


def _without(rows: pa.Table, plan: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """The rows of a shard as they are when the plan is carried out."""
    keys = rows["key"].to_pylist()
    whole = [at for at, key in enumerate(keys) if key in plan and plan[key]["whole"]]
    rows = _emptied(rows, set(whole))
    columns = {name: rows[name].to_pylist() for name in (*_OF_TEXTS, "caption")}
    for at, key in enumerate(keys):
        if key in plan and not plan[key]["whole"]:
            gone = set(plan[key]["uids"])
            stay = [n for n, uid in enumerate(columns["uids"][at]) if uid not in gone]
            for name in _OF_TEXTS:
                columns[name][at] = columns[name][at] and [columns[name][at][n] for n in stay]
            columns["caption"][at] = columns["texts"][at][0]
    return _with_columns(rows, columns)


def _emptied(rows: pa.Table, places: set[int]) -> pa.Table:
    """Rows of which some have nothing left but their ids: not where it was, nor how it looked, nor texts."""
    taken = rows.take(pa.array([None if at in places else at for at in range(len(rows))], pa.int64()))
    columns = {"status": REMOVED, "error": TAKEN_DOWN}
    ends = {
        name: [value if at in places else old for at, old in enumerate(rows[name].to_pylist())]
        for name, value in columns.items()
    }
    return _with_columns(taken, {name: rows[name] for name in _STAY} | ends)


def _with_columns(rows: pa.Table, columns: Mapping[str, Any]) -> pa.Table:
    for name, values in columns.items():
        at = rows.schema.get_field_index(name)
        field = rows.schema.field(at)
        column = values if isinstance(values, pa.ChunkedArray) else pa.array(values, field.type)
        rows = rows.set_column(at, field, column)
    return rows


def _is_taken_down(rows: pa.Table) -> np.ndarray[Any, Any]:
    return _is_in(rows["error"], pa.array([TAKEN_DOWN]))


def _is_in(values: pa.Array | pa.ChunkedArray, wanted: pa.Array) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = pc.is_in(values, value_set=wanted).to_numpy(zero_copy_only=False)
    return found


def _read(output: Path, number: int, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(output / f"{shard_name(number)}.parquet", columns=columns, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(output, number, error) from error


def _damaged(output: Path, number: int, error: Exception) -> InputError:
    told = " ".join(str(error).split())
    advice = "delete its files to go on without it, and run again"
    return InputError(f"shard {shard_name(number)} of {output} is damaged ({told}); {advice}")
