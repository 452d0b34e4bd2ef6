"""What is in shards, as tables: the images by their keys, and the names of their texts."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core.identity import image_id
from curation.errors import InputError
from curation.trainer.data.sources import find_sources
from curation.trainer.data.tar import read_members, split_name

TEXTS = pa.schema(
    [("key", pa.string()), ("image_id", pa.string()), ("uid", pa.string()), ("text_number", pa.int32())]
)
"""One row a text, in the order of the shard. Where texts have no uids, one row an image, its uid null."""


_ROWS = pa.schema(
    [
        ("key", pa.string()),
        ("status", pa.string()),
        ("image_id", pa.string()),
        ("url", pa.string()),
        ("uids", pa.list_(pa.string())),
    ]
)


class _Json(msgspec.Struct):
    """Of an image's JSON, which may be anybody's."""

    image_id: Any = None
    url: Any = None
    uid: Any = None
    uids: Any = None


def find_tars(shards: Sequence[str]) -> list[Path]:
    """The tars that a command line names, each once, as the trainer orders them: resolved paths.

    Raises:
        InputError: something is not there, or is a list of samples.
    """
    with tempfile.TemporaryDirectory() as scratch:
        sources = find_sources(shards, Path(scratch))
    if any(source.lists is not None for source in sources):
        raise InputError("--shards names a list of samples; give the shards, and all filters at once")
    return [source.path.resolve() for source in sources]


def read_texts(tar: Path) -> pa.Table:
    """The texts of a shard's images: TEXTS.

    They are read from the Parquet beside the tar, or without one from the JSON in the tar. An image's id is
    that of its URL; where no URL is known, it is made of the names of the tar and the sample.

    Raises:
        InputError: the shard cannot be read.
    """
    table = tar.with_suffix(".parquet")
    try:
        rows = _rows_of_table(table) if table.exists() else _rows_of_tar(tar)
    except (OSError, pa.ArrowException) as error:
        told = " ".join(str(error).split())
        raise InputError(f"shard {tar} cannot be read ({told}); leave it out, or make it again") from None
    rows = rows.filter(pc.equal(pc.fill_null(rows["status"], "success"), "success")).combine_chunks()
    lists = rows["uids"].combine_chunks()
    known = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    texts = np.maximum(known, 1)
    images = np.repeat(np.arange(len(rows)), texts)
    numbers = np.arange(len(images)) - np.repeat(np.cumsum(texts) - texts, texts)
    uids = pa.nulls(len(images), pa.string())
    uids = pc.replace_with_mask(uids, pa.array(known[images] > 0), pc.list_flatten(lists))
    columns = [rows["key"].take(images), _image_ids(rows, tar).take(images), uids, numbers.astype(np.int32)]
    return pa.table(columns, schema=TEXTS)


def _rows_of_table(path: Path) -> pa.Table:
    names = pq.read_schema(path).names
    wanted = {"key", "status", "url", *(("uids", "image_id") if "uids" in names else ("uid",))}
    rows = pq.read_table(path, columns=sorted(wanted & set(names)), partitioning=None)
    if "uid" in rows.column_names:  # DataComp's, of the one text
        uid = rows["uid"].combine_chunks()
        rows = rows.append_column("uids", pa.ListArray.from_arrays(np.arange(len(uid) + 1, dtype="i4"), uid))
    columns = [rows[name] if name in rows.column_names else pa.nulls(len(rows)) for name in _ROWS.names]
    return pa.table(columns, _ROWS.names).cast(_ROWS)


def _rows_of_tar(path: Path) -> pa.Table:
    rows: dict[str, dict[str, Any]] = {}
    with path.open("rb") as stream:
        for member in read_members(path):
            key, suffix = split_name(member.name)
            row = rows.setdefault(key, {"key": key})
            if suffix == "json":
                row |= _told(os.pread(stream.fileno(), member.size, member.offset))
    return pa.Table.from_pylist(list(rows.values()), _ROWS)


def _told(data: bytes) -> dict[str, Any]:
    """What is of use in an image's JSON."""
    try:
        found = msgspec.json.decode(data, type=_Json)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    told = {"url": found.url if isinstance(found.url, str) else None}
    if isinstance(found.uids, list):
        return told | {"uids": found.uids, "image_id": found.image_id}
    return told | {"uids": [found.uid] if isinstance(found.uid, str) else None}


def _image_ids(rows: pa.Table, tar: Path) -> pa.ChunkedArray:
    ids = rows["image_id"]
    if ids.null_count:
        ids = pc.coalesce(ids, image_id(rows["url"]))
    if ids.null_count:
        names = [f"{tar.name}/{key}" for key in rows["key"].to_pylist()]
        ids = pc.coalesce(ids, image_id(pa.array(names, pa.string())))
    return ids
