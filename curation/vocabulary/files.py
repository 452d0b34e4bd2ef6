"""Whole files in, whole folders out: what reading and writing a vocabulary needs of a file system."""

import gzip
import io
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

import fsspec

from curation.core.drivers import remedy
from curation.errors import InputError


def exists(path: str) -> bool:
    """Whether there is something at a path or URL; False where that cannot be found out."""
    try:
        file_system, inside = fsspec.url_to_fs(path)
        return bool(file_system.exists(inside))
    except Exception:  # noqa: BLE001 - every file system of fsspec has exceptions of its own
        return False


def read_bytes(path: str) -> bytes:
    """The content of a file at a path or URL, decompressed if the name ends in `.gz`.

    Raises:
        InputError: it is missing, cannot be reached or is damaged.
    """
    try:
        with fsspec.open(path, "rb", compression="gzip" if path.endswith(".gz") else None) as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # every file system of fsspec has exceptions of its own
        raise InputError(f"{path}: cannot be read: {remedy(path, error) or _reason(error)}") from error


def gzipped(data: bytes) -> bytes:
    """The data as a gzip file that depends on the data alone: it holds no name and no time."""
    # Not `gzip.compress`: what it writes into the header's byte for the system changed within Python 3.11.
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as stream:
        stream.write(data)
    return buffer.getvalue()


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files, in the order given, to a new folder, which appears complete, by one rename.

    Args:
        folder: does not exist yet, or is empty.
        files: content by name.

    Raises:
        InputError: there is something already, or it cannot be written.
    """
    partial = folder.with_name(f"{folder.name}.partial-{uuid.uuid4().hex}")
    try:
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise InputError(f"{folder}: already exists: remove it or name another output")
        partial.mkdir(parents=True)
        for name, data in files.items():
            (partial / name).write_bytes(data)
        # Replaces an empty folder, and fails on one that was filled since we looked.
        partial.rename(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {_reason(error)}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _reason(error: Exception) -> str:
    """What went wrong, in one line and without the path, which the message has already."""
    text = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return " ".join(text.split()) or type(error).__name__
