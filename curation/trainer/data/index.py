"""The index of a training set: where each image and text lies, in memory-mapped files."""

import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.errors import InputError
from curation.trainer.data.shard import SAMPLE, TEXT, read_shard
from curation.trainer.data.sources import Source, find_sources, made_for_online
from curation.trainer.data.tar import name_at, split_name

_FORMAT = 1
_FACTS, _SAMPLES, _TEXTS = "index.json", "samples.npy", "texts.npy"
_SHARDS_A_PROCESS = 32  # fewer take less time than starting a process


@dataclass(frozen=True)
class Index:
    """Images and texts of a training set.

    Attributes:
        folder: that holds the index.
        shards: paths of the tars, sorted by name.
        sizes: of the tars, in bytes.
        samples: `shard.SAMPLE` (n), memory-mapped; by shard, and by key in each.
        texts: `shard.TEXT` (m), memory-mapped; in the order of the samples, at least one each.
        dropped: images of the shards that are left out, by reason.
        identity: sha256 of names, keys, ids and sizes; it does not depend on where the shards lie.
        online: whether all shards were made from `balance --online`, so that each epoch can draw from them.
    """

    folder: Path
    shards: Sequence[str]
    sizes: Sequence[int]
    samples: npt.NDArray[np.void]
    texts: npt.NDArray[np.void]
    dropped: Mapping[str, int]
    identity: str
    online: bool

    @classmethod
    def open(cls, folder: Path) -> "Index":
        """Open an index that `build` made.

        Raises:
            InputError: there is none, or not a whole one.
        """
        try:
            facts = json.loads((folder / _FACTS).read_text())
            if facts.pop("format") != _FORMAT:
                raise ValueError("of another version")
            samples, texts = (np.load(folder / name, mmap_mode="r") for name in (_SAMPLES, _TEXTS))
            return cls(folder=folder, samples=samples, texts=texts, **facts)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder} holds no index that can be read ({error}); delete it") from error

    def __len__(self) -> int:
        return len(self.samples)

    def __reduce__(self) -> tuple[Any, ...]:
        return Index.open, (self.folder,)  # a worker maps the files itself

    def text_bounds(
        self, samples: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The first row in `texts` of each sample (n), and the one after its last (n)."""
        first = self.samples["first_text"]
        after = samples + 1
        ends = np.where(after < len(first), first[np.minimum(after, len(first) - 1)], len(self.texts))
        return first[samples], ends

    def texts_of(self, sample: int) -> npt.NDArray[np.void]:
        """The rows of `texts` of one sample."""
        first, end = self.text_bounds(np.array([sample]))
        return self.texts[first[0] : end[0]]

    def name_of(self, sample: int) -> str:
        """Shard and key of a sample, to be told to a user."""
        row = self.samples[sample]
        shard = self.shards[row["shard"]]
        try:
            return f"{shard}, key {split_name(name_at(Path(shard), int(row['image_offset'])))[0]}"
        except (OSError, InputError):
            return f"{shard}, sample {sample}"


class _Part(NamedTuple):
    """What is kept in memory of a shard that has been read; its arrays are in files of this number."""

    number: int
    path: Path
    samples: int
    texts: int
    dropped: Mapping[str, int]
    digest: str
    size: int


def build(shards: Sequence[Path | str], folder: Path, *, processes: int | None = None) -> Index:
    """Read the headers of shards and write their index.

    The folder appears whole, by a rename. Memory does not grow with the number of shards but for a few
    hundred bytes each.

    Args:
        shards: what --shards names, see `sources.find_sources`.
        folder: where the index will be; one that is there is replaced.
        processes: that read shards side by side; None: as many as there are processors and work for.

    Raises:
        InputError: a shard is not there, cut off or damaged, or there are no samples in any.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"_{folder.name}-"
    for left in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(left)  # by a build that was killed
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as name:
        scratch, draft = Path(name, "scratch"), Path(name, "index")
        scratch.mkdir()
        draft.mkdir()
        sources = find_sources(shards, scratch)
        if not sources:
            raise InputError("no shards are named: --shards, or the lists in it, are empty")
        parts = _read_all(sources, scratch, processes)
        # By content where names are equal, so that neither the order of arguments nor places matter.
        parts.sort(key=lambda part: (part.path.name, part.digest))
        if not any(part.samples for part in parts):
            dropped = ", ".join(f"{n} {reason}" for reason, n in sorted(_dropped(parts).items()))
            raise InputError(
                f"no samples in {len(parts)} shards, {parts[0].path} first ({dropped or 'empty'})"
            )
        _join(parts, scratch, draft)
        (draft / _FACTS).write_text(json.dumps(_facts(parts), indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    return Index.open(folder)


def _read_all(sources: Sequence[Source], scratch: Path, processes: int | None) -> list[_Part]:
    if processes is None:
        processes = min(len(os.sched_getaffinity(0)), len(sources) // _SHARDS_A_PROCESS)
    arguments = (range(len(sources)), sources, [scratch] * len(sources))
    if processes < 2:
        return list(map(_read_part, *arguments))
    # Not forked: there may be threads by now.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context) as pool:
        try:
            return list(pool.map(_read_part, *arguments))
        except InputError:
            pool.shutdown(cancel_futures=True)
            raise


def _read_part(number: int, source: Source, scratch: Path) -> _Part:
    shard = read_shard(source)
    shard.samples.tofile(scratch / f"{number}.samples")
    shard.texts.tofile(scratch / f"{number}.texts")
    return _Part(
        number, source.path, len(shard.samples), len(shard.texts), shard.dropped, shard.digest, shard.size
    )


def _join(parts: Sequence[_Part], scratch: Path, folder: Path) -> None:
    """Put the arrays of all shards one behind the other; written, not mapped, so that no memory fills."""
    first_text = 0

    def samples(shard: int, part: _Part) -> npt.NDArray[np.void]:
        nonlocal first_text
        rows = np.fromfile(scratch / f"{part.number}.samples", SAMPLE)
        rows["shard"] = shard
        rows["first_text"] += first_text
        first_text += part.texts
        return rows

    ordered = list(enumerate(parts))
    _write(
        folder / _SAMPLES, SAMPLE, sum(part.samples for part in parts), (samples(*pair) for pair in ordered)
    )
    texts = (np.fromfile(scratch / f"{part.number}.texts", TEXT) for part in parts)
    _write(folder / _TEXTS, TEXT, sum(part.texts for part in parts), texts)


def _write(path: Path, dtype: np.dtype[np.void], count: int, arrays: Iterable[npt.NDArray[np.void]]) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for array in arrays:
            stream.write(array.data)


def _facts(parts: Sequence[_Part]) -> dict[str, Any]:
    online = {folder: made_for_online(folder) for folder in {part.path.parent for part in parts}}
    identity = hashlib.sha256("\n".join(part.digest for part in parts).encode())
    return {
        "format": _FORMAT,
        "shards": [str(part.path) for part in parts],
        "sizes": [part.size for part in parts],
        "dropped": dict(sorted(_dropped(parts).items())),
        "identity": identity.hexdigest(),
        "online": all(online.values()),
    }


def _dropped(parts: Sequence[_Part]) -> Counter[str]:
    return sum((Counter(part.dropped) for part in parts), Counter())
