"""Folders that are handed from one driver to the next, and those that are in the way."""

import shutil
from pathlib import Path

from curation.errors import InputError


def take_over(output: Path, prefix: str) -> Path:
    """A folder with what the last driver left, under a name that only the caller knows.

    Args:
        output: where the folders are.
        prefix: of their names; a number follows. The highest is the last.

    Raises:
        InputError: another driver is doing the same: rename and mkdir tell, even where locks do not.
    """
    numbers = {path: path.name.removeprefix(prefix) for path in output.glob(f"{prefix}*")}
    earlier = sorted((int(number), path) for path, number in numbers.items() if number.isdecimal())
    folder = output / f"{prefix}{earlier[-1][0] + 1 if earlier else 1}"
    try:
        if earlier:
            earlier[-1][1].rename(folder)
        else:
            folder.mkdir()
    except (FileExistsError, FileNotFoundError) as error:
        raise InputError(
            f"another run is at work on {output}; wait for it or name another --output"
        ) from error
    for _, path in earlier[:-1]:
        discard(path)  # tasks of a killed driver have made it anew
    return folder


def discard(folder: Path) -> None:
    """Remove a folder; what a dying task writes into it meanwhile is removed by the next run."""
    shutil.rmtree(folder, ignore_errors=True)


def drop_if_empty(folder: Path) -> bool:
    """Remove a folder if nothing is in it, and tell whether."""
    empty = folder.is_dir() and not any(folder.iterdir())
    if empty:
        folder.rmdir()
    return empty


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
