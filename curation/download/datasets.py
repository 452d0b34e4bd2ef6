"""Evaluation sets as people have them: folders, tars and Parquet of images, with or without captions."""

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError

_IMAGES = frozenset(
    (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
_TEXTS = (".txt", ".json")
_TAR, _PARQUET = ".tar", ".parquet"
_CAPTION_COLUMNS = ("caption", "captions", "text")
_ROWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Sample:
    """An image of a set.

    Attributes:
        name: its file; in a folder that of the container too, as in `test/0.tar/s1.webp`; in Parquet its row.
        data: of the file.
        captions: as they are.
    """

    name: str
    data: bytes
    captions: tuple[str, ...]


def dataset_files(path: Path) -> list[Path]:
    """The files of a set that hold images or captions, in the order of their paths.

    Raises:
        InputError: there is no image among them.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; give a folder, a tar or a Parquet file of images")
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    files = [
        file for file in found if file.is_file() and _suffix(file.name) in {*_IMAGES, *_TEXTS, _TAR, _PARQUET}
    ]
    if all(_suffix(file.name) in _TEXTS for file in files):
        raise InputError(f"{path} holds no images: no {', '.join(sorted(_IMAGES))}, no {_TAR}, no {_PARQUET}")
    return files


def read_dataset(path: Path) -> Iterator[Sample]:
    """The images of a set, whatever they are.

    Raises:
        InputError: a tar or a Parquet file is none, or has no images.
    """
    for file in dataset_files(path):
        prefix = f"{file.relative_to(path).as_posix()}/" if path.is_dir() else ""
        try:
            if _suffix(file.name) == _TAR:
                yield from _read_tar(file, prefix)
            elif _suffix(file.name) == _PARQUET:
                yield from _read_parquet(file, prefix)
            elif _suffix(file.name) in _IMAGES:
                texts = {suffix: file.with_suffix(suffix) for suffix in _TEXTS}
                members = {suffix: text.read_bytes() for suffix, text in texts.items() if text.is_file()}
                yield Sample(prefix.removesuffix("/") or file.name, file.read_bytes(), _captions(members))
        except (tarfile.TarError, EOFError, pa.ArrowException) as error:
            raise InputError(f"{file} cannot be read: {error}") from error


def _suffix(name: str) -> str:
    name = name.lower()
    return _TAR if name.endswith((".tar.gz", ".tgz")) else PurePosixPath(name).suffix


def _read_tar(file: Path, prefix: str) -> Iterator[Sample]:
    """Members of a sample follow each other, and have the same name up to a dot."""
    key, members = "", dict[str, bytes]()
    with tarfile.open(file) as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # else it keeps them all
            path = PurePosixPath(member.name)
            stream = archive.extractfile(member)
            if stream is None or _suffix(path.name) not in {*_IMAGES, *_TEXTS}:
                continue
            of = str(path.with_name(path.name.partition(".")[0]))
            if of != key:
                yield from _samples(members, prefix)
                key, members = of, {}
            members[member.name] = stream.read()
    yield from _samples(members, prefix)


def _samples(members: Mapping[str, bytes], prefix: str) -> Iterator[Sample]:
    texts = {_suffix(name): data for name, data in members.items() if _suffix(name) in _TEXTS}
    captions = _captions(texts)
    for name, data in members.items():
        if _suffix(name) in _IMAGES:
            yield Sample(prefix + name, data, captions)


def _captions(texts: Mapping[str, bytes]) -> tuple[str, ...]:
    """The lines of the text beside an image, and the captions of its JSON."""
    captions = texts.get(".txt", b"").decode(errors="replace").splitlines()
    try:
        told = json.loads(texts.get(".json", b"null"))
    except ValueError:
        told = None
    return (*captions, *_strings(told.get("caption") if isinstance(told, dict) else None))


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [value for value in values if isinstance(value, str)]


def _read_parquet(file: Path, prefix: str) -> Iterator[Sample]:
    table = pq.ParquetFile(file)
    names = table.schema_arrow.names
    if "image" not in names:
        raise InputError(f"{file} has no column image of bytes")
    columns = ["image", *(name for name in _CAPTION_COLUMNS if name in names)]
    number = 0
    for batch in table.iter_batches(_ROWS_AT_ONCE, columns=columns):
        for row in batch.to_pylist():
            image = row.pop("image")
            told = image if isinstance(image, dict) else {"bytes": image}
            data = told.get("bytes")
            if not isinstance(data, bytes | None):
                raise InputError(f"{file}: the column image holds no bytes")
            captions = tuple(caption for value in row.values() for caption in _strings(value))
            yield Sample(f"{prefix}{number}", data or b"", captions)
            number += 1
