"""One shard as arrays: where its images and texts lie, and what its texts are called."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError
from curation.trainer.data.sources import Source
from curation.trainer.data.tar import Member, read_members, split_name

SAMPLE = np.dtype(
    [
        ("shard", np.int32),
        ("image_offset", np.int64),
        ("image_size", np.uint32),
        ("json_offset", np.int64),
        ("json_size", np.uint32),
        ("text_offset", np.int64),
        ("text_size", np.uint32),
        ("first_text", np.int64),
    ]
)
"""One row an image. Offsets and sizes are in bytes; a member that is not there, or not needed, has size 0."""

TEXT = np.dtype([("id", np.uint64), ("keep_probability", np.float64), ("number", np.int32)])
"""One row a text: the first 16 hex digits of its uid; NaN where no probability is known; and its place in
`texts` of the sample's JSON, which is 0 for the text of a .txt member."""

_IMAGES = {"jpg", "jpeg", "png", "webp"}
_SUCCESS = "success"
_COLUMNS = ("key", "uids", "texts", "keep_probabilities")
_HEX_DIGITS = 16

_Texts = Sequence[tuple[int, float, int]]  # rows of TEXT


class Shard(NamedTuple):
    """What is known of a shard.

    Attributes:
        samples: `SAMPLE` (n), sorted by key; texts count from the first of this shard.
        texts: `TEXT` (m).
        dropped: images that are left out, by reason.
        digest: sha256 over the shard's file name, and keys, sizes and texts of its samples.
        size: of the tar, in bytes.
    """

    samples: npt.NDArray[np.void]
    texts: npt.NDArray[np.void]
    dropped: Mapping[str, int]
    digest: str
    size: int


@dataclass(slots=True)
class _Members:
    """The members of a key."""

    image: Member | None = None
    json: Member | None = None
    text: Member | None = None


class _Json(msgspec.Struct):
    uid: Any = None
    uids: list[str] | None = None
    texts: list[str] | None = None
    keep_probabilities: list[float | None] | None = None


@dataclass
class _Reading:
    """A shard being read."""

    name: str
    descriptor: int
    rows: Mapping[str, _Texts | None] = field(default_factory=dict)  # None: not to be used
    dropped: Counter[str] = field(default_factory=Counter)


class _Dropped(Exception):
    """The reason why an image is left out."""


def read_shard(source: Source) -> Shard:
    """Read where everything lies in a shard, and what its texts are called.

    Uids and keep_probabilities come from the Parquet beside the tar where it has them, else from the JSON of
    a sample; a text that has no uid anywhere is named by md5 of "FILE NAME/KEY".

    Raises:
        InputError: the tar is cut off or damaged, or its Parquet cannot be read.
    """
    path = source.path
    wanted = None if source.lists is None else _read_lists(source.lists)
    with path.open("rb") as stream:
        reading = _Reading(path.name, stream.fileno(), _read_table(path.with_suffix(".parquet")))
        members = _by_key(path, reading)
        keys = sorted(members if wanted is None else wanted)
        samples, texts, kept = [], [], []
        for key in keys:
            try:
                found = members.get(key) or _Members()
                row = _texts_of(key, found, reading, None if wanted is None else wanted[key])
            except _Dropped as reason:
                reading.dropped[str(reason)] += 1
                continue
            samples.append((0, *_places(found), len(texts)))
            texts += row
            kept.append(key)
        size = os.fstat(stream.fileno()).st_size
    samples_array, texts_array = np.array(samples, SAMPLE), np.array(texts, TEXT)
    return Shard(
        samples_array,
        texts_array,
        reading.dropped,
        _digest(path.name, kept, samples_array, texts_array),
        size,
    )


def _by_key(path: Path, reading: _Reading) -> dict[str, _Members]:
    """The members by key; a row of the table counts too, so that a missing image is noticed."""
    members = {key: _Members() for key, row in reading.rows.items() if row is not None}
    for member in read_members(path):
        key, suffix = split_name(member.name)
        if suffix in _IMAGES:
            members.setdefault(key, _Members()).image = member
        elif suffix == "json":
            members.setdefault(key, _Members()).json = member
        elif suffix == "txt":
            members.setdefault(key, _Members()).text = member
    return members


def _texts_of(key: str, found: _Members, reading: _Reading, wanted: frozenset[int] | None) -> _Texts:
    """The texts of a sample.

    Raises:
        _Dropped: it cannot be used.
    """
    if not found.image or not found.image.size:
        raise _Dropped("no_image")
    texts = reading.rows[key] if key in reading.rows else _from_members(key, found, reading)
    if texts is None:
        raise _Dropped("not_a_success")
    if wanted is not None:
        texts = [text for text in texts if text[0] in wanted]
        if not texts:
            raise _Dropped("no_listed_text")
    if not texts or (not found.json and not found.text):
        raise _Dropped("no_text")
    return texts


def _from_members(key: str, found: _Members, reading: _Reading) -> _Texts:
    """What the JSON of a sample says of its texts; without one, or in other layouts, the .txt is the text."""
    data = _Json()
    if found.json:
        try:
            content = os.pread(reading.descriptor, found.json.size, found.json.offset)
            data = msgspec.json.decode(content, type=_Json)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _Dropped("bad_json") from None
    if data.uids is not None and data.texts is not None:
        if len(data.uids) != len(data.texts):
            raise _Dropped("bad_json")
        return _rows(data.uids, data.keep_probabilities)
    found.json = None  # the text is not in it
    return _rows([str(data.uid or _md5(f"{reading.name}/{key}"))], None) if found.text else ()


def _rows(uids: Sequence[str], probabilities: Sequence[float | None] | None) -> _Texts:
    if probabilities is None or len(probabilities) != len(uids):
        return [(text_id(uid), np.nan, number) for number, uid in enumerate(uids)]
    return [
        (text_id(uid), np.nan if probability is None else probability, number)
        for number, (uid, probability) in enumerate(zip(uids, probabilities, strict=True))
    ]


def text_id(uid: str) -> int:
    """The number of a uid: its first 16 hex digits, or those of its md5 where it is something else."""
    try:
        if len(uid) >= _HEX_DIGITS:
            return int(uid[:_HEX_DIGITS], 16)
    except ValueError:
        pass
    return int(_md5(uid)[:_HEX_DIGITS], 16)


def _md5(name: str) -> str:
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def _places(found: _Members) -> Iterator[int]:
    """Offset and size of the image, and of the member that has the text."""
    text = None if found.json else found.text
    for member in (found.image, found.json, text):
        yield from (member.offset, member.size) if member else (0, 0)


def _read_table(path: Path) -> Mapping[str, _Texts | None]:
    """The texts of each key by a shard's Parquet; nothing where it does not have them."""
    if not path.exists():
        return {}
    try:
        names = pq.read_schema(path).names
        if not set(_COLUMNS) <= set(names):
            return {}
        columns = ["key", "uids", "keep_probabilities", *(["status"] if "status" in names else [])]
        columns = pq.read_table(path, columns=columns).to_pydict()
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path} cannot be read ({error}); copy it again, or download it again") from error
    statuses = columns.get("status") or [_SUCCESS] * len(columns["key"])
    return {
        key: _rows(uids or (), probabilities) if status == _SUCCESS else None
        for key, uids, probabilities, status in zip(
            columns["key"], columns["uids"], columns["keep_probabilities"], statuses, strict=True
        )
    }


def _read_lists(lists: Sequence[Path]) -> dict[str, frozenset[int] | None]:
    """The ids of the wanted texts of each key; None: all of them."""
    wanted: dict[str, frozenset[int] | None] = {}
    for path in lists:
        with pa.OSFile(str(path)) as stream:
            rows = pa.ipc.open_file(stream).read_all().to_pydict()
        for key, uids in zip(rows["key"], rows["uids"], strict=True):
            before = wanted.get(key, frozenset())
            wanted[key] = None if uids is None or before is None else before.union(map(text_id, uids))
    return wanted


def _digest(
    name: str, keys: Sequence[str], samples: npt.NDArray[np.void], texts: npt.NDArray[np.void]
) -> str:
    digest = hashlib.sha256("\0".join([name, *keys]).encode())
    for column in ("image_size", "json_size", "text_size", "first_text"):
        digest.update(samples[column].tobytes())
    digest.update(texts.tobytes())
    return digest.hexdigest()
