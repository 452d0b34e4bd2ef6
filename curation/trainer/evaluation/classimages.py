"""Images in class folders, in a folder or in a tar."""

import hashlib
import io
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from curation.errors import InputError
from curation.trainer.evaluation.datasets import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Picture:
    """An image file.

    Attributes:
        name: CLASS/FILE.
        label: index of its class.
        suffix: what it is called in shards: jpg, png or webp.
        md5: of its bytes.
        width: in pixels.
        height: in pixels.
    """

    name: str
    label: int
    suffix: str
    md5: str
    width: int
    height: int


class Images:
    """Files by their names, in a folder or a tar."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tar: tarfile.TarFile | None = None

    def __enter__(self) -> "Images":
        try:
            if self._path.is_dir():
                self._places: dict[str, Any] = {
                    path.relative_to(self._path).as_posix(): path
                    for path in self._path.rglob("*")
                    if path.is_file()
                }
            else:
                self._tar = tarfile.open(self._path, "r:")
                self._places = {str(PurePosixPath(one.name)): one for one in self._tar if one.isfile()}
        except (OSError, tarfile.TarError) as error:
            raise InputError(
                f"{self._path} cannot be read ({error}); give a folder or an uncompressed tar of CLASS/IMAGE"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._tar is not None:
            self._tar.close()

    def names(self) -> list[str]:
        """All files, sorted."""
        return sorted(self._places)

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        place = self._places[name]
        if self._tar is None:
            return place.read_bytes()
        stream = self._tar.extractfile(place)
        return stream.read() if stream else b""


def look(images: Images) -> tuple[list[Picture], list[str], dict[str, int]]:
    """All pictures by name, the names of their folders, and how many files were no images, by reason."""
    files, skipped = [], Counter[str]()
    for name in images.names():
        parts = PurePosixPath(name).parts
        suffix = parts[-1].rpartition(".")[2].lower()
        if suffix not in IMAGE_SUFFIXES or len(parts) < 2:
            skipped["not an image in a class folder"] += 1
            continue
        data = images.read(name)
        try:
            with Image.open(io.BytesIO(data)) as image:
                size = image.size
        except Exception:  # noqa: BLE001 - decoders fail on damaged files in every way there is
            skipped["cannot be decoded"] += 1
            continue
        files.append((parts[-2], name, "jpg" if suffix == "jpeg" else suffix, md5(data), *size))
    classes = sorted({folder for folder, *_ in files})
    label = {folder: index for index, folder in enumerate(classes)}
    return [Picture(name, label[folder], *rest) for folder, name, *rest in files], classes, dict(skipped)


def md5(data: bytes) -> str:
    """Hex digest of bytes."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
