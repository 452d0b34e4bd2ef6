"""What --shards names: tars, folders and globs of them, and lists of samples."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError

_COLUMNS = ("shard", "key", "uids")
_ROWS_AT_ONCE = 1 << 16
_MAGIC = frozenset("*?[")


@dataclass(frozen=True)
class Source:
    """A shard that is to be read.

    Attributes:
        path: of its tar.
        lists: Arrow files (key, uids) that name its samples and texts; None: all of them.
    """

    path: Path
    lists: tuple[Path, ...] | None


@dataclass
class _Found:
    whole: dict[Path, Path] = field(default_factory=dict)  # the resolved path of a tar -> as it was named
    listed: dict[Path, Path] = field(default_factory=dict)
    pieces: dict[Path, list[Path]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)  # of the pieces


def find_sources(shards: Sequence[Path | str], scratch: Path) -> list[Source]:
    """Find the shards that are named, each once, sorted by file name.

    Args:
        shards: tars; folders of tars; globs; and lists, which are Parquet with the columns shard (path of a
            tar, from the list's folder where relative), key and uids (null: all texts). A list restricts its
            shards to its samples and texts; of several lists of a shard all count.
        scratch: an existing folder for the lists, cut into pieces by shard: none has to fit in memory.

    Raises:
        InputError: something is not there, of no use, or named whole and in a list.
    """
    found = _Found()
    for path in (path for shard in shards for path in _expand(shard)):
        if path.suffix == ".parquet":
            _cut_list(path, found, scratch)
        else:
            found.whole.setdefault(path.resolve(), path.absolute())
    for path in found.whole.keys() & found.listed.keys():
        raise InputError(f"{path} is given whole and in a list; give the list alone to have only its samples")
    sources = [Source(path, None) for path in found.whole.values()]
    sources += [Source(path, tuple(found.pieces[key])) for key, path in found.listed.items()]
    return sorted(sources, key=lambda source: (source.path.name, source.path))


def made_for_online(folder: Path) -> bool:
    """Whether a run record says that the shards beside it hold all that online balancing draws from.

    Raises:
        InputError: the record cannot be read.
    """
    record = folder / "_run.json"
    if not record.is_file():
        return False
    try:
        return json.loads(record.read_text())["facts"].get("online") is True
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{record} cannot be read ({error!r}); copy it again") from error


def _expand(shard: Path | str) -> list[Path]:
    if "://" in str(shard):
        raise InputError(f"{shard}: shards are read from local files; copy them first")
    path = Path(shard)
    if path.is_dir():
        return sorted(path.glob("*.tar")) or _nothing(f"{path} holds no shards (*.tar)")
    if path.exists():
        if path.suffix not in (".tar", ".parquet"):
            raise InputError(f"{path} is neither a shard (.tar) nor a list of samples (.parquet)")
        return [path]
    if _MAGIC.isdisjoint(str(path)):
        raise InputError(f"{path} does not exist; --shards takes tars, folders, globs and lists (.parquet)")
    matches = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    # A glob such as SHARDS/* also finds the tables of the shards, which are no lists.
    shards = [
        match
        for match in matches
        if match.suffix == ".tar" or (match.suffix == ".parquet" and not match.with_suffix(".tar").exists())
    ]
    return shards or _nothing(f"{path} matches no shards (*.tar)")


def _nothing(what: str) -> list[Path]:
    raise InputError(f"{what}; give the folder that jobs/download.py wrote")


def _cut_list(path: Path, found: _Found, scratch: Path) -> None:
    """Write the rows of a list beside each other that are of the same shard."""
    for name, rows in _rows_by_shard(path):
        tar = path.parent / name
        key = tar.resolve()
        if key not in found.listed:
            if not tar.is_file():
                raise InputError(f"{path} names a shard that does not exist: {tar.absolute()}")
            found.listed[key] = tar.absolute()
        piece = scratch / f"{next(found.numbers)}.arrow"
        with pa.OSFile(str(piece), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_batch(rows)
        found.pieces.setdefault(key, []).append(piece)


def _rows_by_shard(path: Path) -> Iterator[tuple[str, pa.RecordBatch]]:
    try:
        table = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path} cannot be read as Parquet ({error}); write it again") from error
    with table:
        missing = set(_COLUMNS) - set(table.schema_arrow.names)
        if missing:
            raise InputError(f"{path} is no list of samples: it has no column {sorted(missing)[0]}")
        for batch in table.iter_batches(_ROWS_AT_ONCE, columns=list(_COLUMNS)):
            if batch["shard"].null_count:
                raise InputError(f"{path}: a row names no shard; write the list again")
            shards = batch["shard"].cast(pa.string()).dictionary_encode()
            codes = shards.indices.to_numpy(zero_copy_only=False)
            order = np.argsort(codes, kind="stable")
            starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
            for rows in np.split(order, starts[1:]):
                if len(rows):
                    part = batch.select(["key", "uids"]).take(pa.array(rows))
                    yield shards.dictionary[int(codes[rows[0]])].as_py(), part
