"""The files of a shard: written whole, with the same bytes every time, and told by their checksums.

A cluster may run a task twice, and both at once: the first is slow, or believed dead. What the web answers
need not be the same, so a mixture of both shards would be none. Each task seals a shard in a folder, of
which one rename tells who was first; the driver alone takes the files out of it.
"""

import errno
import hashlib
import io
import json
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

SHARD_DIGITS = 5
SUCCESS = "success"
FAILED_TO_DOWNLOAD = "failed_to_download"
FAILED_TO_RESIZE = "failed_to_resize"
REMOVED = "removed"
"""The status of what is left out: on a block list, in an evaluation set, unsafe, or taken down."""

_TAR, _TABLE, _STATS = ".tar", ".parquet", "_stats.json"
_SEALED = "_sealed"
_ROWS_AT_ONCE = 512
_PARTS = (_TAR, _TABLE, _STATS)  # in the order in which they appear


def shard_name(number: int) -> str:
    """The name that a shard's files start with."""
    return f"{number:0{SHARD_DIGITS}d}"


def shard_number(folder: str) -> int:
    """The shard whose images are in a folder `shard=N`."""
    return int(Path(folder).name.removeprefix("shard="))


def sample_key(number: int, position: int, shard_size: int) -> str:
    """The key of a sample: the shard, then its place in it, as img2dataset writes it."""
    digits = len(str(shard_size - 1)) if shard_size > 1 else 0
    return f"{number:0{SHARD_DIGITS}d}" + (f"{position:0{digits}d}" if digits else "")


@dataclass(frozen=True)
class Shard:
    """What a shard is made of.

    Attributes:
        number: of the shard.
        rows: `schemas.SHARD`, and columns of the user's own.
        image: gives the encoded image of a row whose status is `SUCCESS`.
        encode_format: what images are called in the tar.
        facts: further statistics.
    """

    number: int
    rows: pa.Table
    image: Callable[[int], bytes]
    encode_format: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_shard(output: Path, shard: Shard) -> None:
    """Write the tar, the Parquet and the statistics of a shard, and publish them in this order.

    Each file appears whole, by a rename. The statistics name the sha256 of the other two, so a shard of which
    a part is missing or of another attempt is told from one that is done. For one writer alone.

    Args:
        output: folder of the shards.
        shard: to be written.
    """
    with tempfile.TemporaryDirectory(prefix="_sealing-", dir=output) as folder:
        _write_parts(Path(folder), shard)
        _move_parts(Path(folder), output, shard.number)


def seal_shard(output: Path, shard: Shard) -> None:
    """Write a shard for `gather`, as one of several tasks that may be at it: the first to end has made it.

    Args:
        output: folder that the shards are gathered in.
        shard: to be written.
    """
    (output / _SEALED).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="_sealing-", dir=output / _SEALED) as folder:
        draft, sealed = Path(folder, shard_name(shard.number)), _sealed(output, shard.number)
        draft.mkdir()
        _write_parts(draft, shard)
        if not _is_first(draft, sealed) and not is_whole(sealed, shard.number):
            sealed.rename(Path(folder, "torn"))  # by a machine that went down before all was on its disk
            _is_first(draft, sealed)


def whole_shard(output: Path, number: int) -> Path | None:
    """The folder in which a shard is whole: that of all shards, or that in which it was sealed; or none."""
    places = output, _sealed(output, number)
    return next((place for place in places if is_whole(place, number)), None)


def shard_statistics(output: Path, number: int) -> Mapping[str, Any]:
    """The statistics of a shard that was sealed, or gathered."""
    sealed = _sealed(output, number)
    return read_statistics(sealed if sealed.is_dir() else output, number)


def gather(output: Path) -> None:
    """Take the shards that were sealed out of their folders: for the driver, between its tasks."""
    for folder in sorted((output / _SEALED).glob("[0-9]*")):
        _move_parts(folder, output, int(folder.name))
        folder.rmdir()


def is_whole(folder: Path, number: int) -> bool:
    """Whether a folder holds a shard whose files belong together."""
    name = shard_name(number)
    try:
        stats = read_statistics(folder, number)
        return all(
            _sha256(folder / (name + part)) == stats["sha256"][part.strip(".")] for part in (_TAR, _TABLE)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_statistics(folder: Path, number: int) -> Mapping[str, Any]:
    """The statistics of a shard."""
    statistics: dict[str, Any] = json.loads((folder / (shard_name(number) + _STATS)).read_text())
    return statistics


def shard_numbers(folder: Path) -> list[int]:
    """The shards in a folder, by their statistics, in ascending order."""
    return sorted(int(path.name.removesuffix(_STATS)) for path in folder.glob(f"[0-9]*{_STATS}"))


def shard_files(folder: Path, number: int) -> list[Path]:
    """The files of a shard, its statistics last."""
    return [folder / (shard_name(number) + part) for part in _PARTS]


def read_images(tar: Path) -> Iterator[tuple[str, bytes]]:
    """The key and the encoded image of each sample of a shard, in their order."""
    with tarfile.open(tar) as archive:
        for member in archive:
            key, _, suffix = member.name.partition(".")
            stream = archive.extractfile(member)
            if suffix not in ("json", "txt") and stream is not None:
                yield key, stream.read()


def _is_first(draft: Path, sealed: Path) -> bool:
    """Give a shard its name, unless there is one that has it."""
    try:
        draft.rename(sealed)  # refused where there is a folder that holds something
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _sealed(output: Path, number: int) -> Path:
    return output / _SEALED / shard_name(number)


def _write_parts(folder: Path, shard: Shard) -> None:
    tar, table, statistics = shard_files(folder, shard.number)
    _write_tar(tar, shard)
    pq.write_table(shard.rows, table, compression="zstd")
    sums = {"tar": _sha256(tar), "parquet": _sha256(table)}
    told = _statistics(shard.rows) | dict(shard.facts) | {"sha256": sums}
    statistics.write_text(json.dumps(told, indent=4) + "\n")


def _move_parts(folder: Path, output: Path, number: int) -> None:
    for path in shard_files(folder, number):
        if path.exists():  # else it was moved by a driver that was killed before it had moved them all
            path.replace(output / path.name)


def _write_tar(path: Path, shard: Shard) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for position, row in enumerate(_in_turn(shard.rows)):
            if row["status"] != SUCCESS:
                continue
            members = {
                shard.encode_format: shard.image(position),
                "json": msgspec.json.encode(row),
                "txt": row["caption"].encode(),
            }
            for suffix, data in members.items():
                member = tarfile.TarInfo(f"{row['key']}.{suffix}")  # without a time, a user or a group
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def _in_turn(rows: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in rows.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from batch.to_pylist()


def _statistics(rows: pa.Table) -> dict[str, Any]:
    """What img2dataset's have, without the times, which are never the same."""
    statuses = Counter(rows["status"].to_pylist())
    ends = zip(*(rows[name].to_pylist() for name in ("status", "error", "error_message")), strict=True)
    return {
        "count": len(rows),
        "successes": statuses[SUCCESS],
        **{status: statuses[status] for status in (FAILED_TO_DOWNLOAD, FAILED_TO_RESIZE, REMOVED)},
        "status_dict": dict(sorted(Counter(map(_how_it_ended, ends)).items())),
    }


def _how_it_ended(end: tuple[str, str | None, str | None]) -> str:
    status, error, message = end
    return status if status == SUCCESS else error or message or status


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
