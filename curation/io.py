"""Reading and writing tables and JSON, so that what is there is there as a whole."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from curation.errors import InputError


def local_folder(path: str, flag: str) -> Path:
    """The absolute path of a folder that jobs write or read.

    Args:
        path: as the user gave it; `file://` is allowed.
        flag: the flag it came with, for the message.

    Raises:
        InputError: it is a URL of another kind, or a file.
    """
    if path.startswith("file://"):
        path = path.removeprefix("file://")
    if "://" in path:
        raise InputError(f"{flag} {path}: jobs keep folders on a local or shared file system; give a path")
    folder = Path(path).absolute()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{flag} {path} is a file; give a folder")
    return folder


def read_bytes(path: str, flag: str) -> bytes:
    """The content of a file that the user named.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{flag} {path}: {error.strerror}") from None


def read_lines(path: str, flag: str) -> list[str]:
    """The lines of a text file that the user named.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        return read_bytes(path, flag).decode().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{flag} {path} is not UTF-8: {error.reason} at byte {error.start}") from None


def read_table(folder: Path) -> pa.Table:
    """Read a whole table folder into memory; for tables bounded by the vocabulary or the files."""
    return ds.dataset(folder, format="parquet").to_table()


def write_table(folder: Path, table: pa.Table, name: str = "part-00000.parquet") -> None:
    """Write a table as one Parquet file in a folder of its own: the same rows give the same bytes."""
    folder.mkdir(parents=True)
    pq.write_table(table, folder / name, compression="zstd")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file that a reader sees whole or not at all."""
    draft = path.with_name(f"_{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)  # the disk is full
        raise
