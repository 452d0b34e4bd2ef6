"""Images of evaluation sets: left out of the data set by how they look, captions counted by how they read."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds

from curation.core.near import DISTANCE, near
from curation.download.fingerprint import is_flat
from curation.errors import InputError
from curation.schemas import HASHES

_NO_WORD = re.compile(r"\W+")


def normal_caption(text: str) -> str:
    """A caption in the form in which captions are compared: its words, in lower case, one space apart."""
    return _NO_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


@dataclass(frozen=True)
class EvaluationSets:
    """What `jobs/hash_images.py` found in evaluation sets.

    Attributes:
        names: of the sets.
        hashes: (n) distinct in each set; images of one colour, which look like many others, are not there.
        owners: (n) the set of each hash, by its place in `names`.
        captions: of each set, normalised.
    """

    names: tuple[str, ...]
    hashes: npt.NDArray[np.uint64]
    owners: npt.NDArray[np.int64]
    captions: tuple[frozenset[str], ...]

    def looks_like(self, hashes: Sequence[str | None]) -> list[str | None]:
        """For each perceptual hash the sets that have an image near it, joined by commas; None without."""
        known = [at for at, hash_ in enumerate(hashes) if hash_ is not None and not is_flat(hash_)]
        values = np.array([int(hashes[at] or "", 16) for at in known], np.uint64)
        found: list[str | None] = [None] * len(hashes)
        mine, theirs = near(values, self.hashes, DISTANCE)
        owners: dict[int, set[str]] = {}
        for at, owner in zip(mine.tolist(), self.owners[theirs].tolist(), strict=True):
            owners.setdefault(at, set()).add(self.names[owner])
        for at, names in owners.items():
            found[known[at]] = ",".join(sorted(names))
        return found

    def captions_in(self, texts: Sequence[str]) -> Mapping[str, int]:
        """How many of the texts are captions of each set, apart from case and punctuation."""
        counted: Counter[str] = Counter()
        for text in map(normal_caption, texts):
            counted.update(
                name for name, captions in zip(self.names, self.captions, strict=True) if text in captions
            )
        return counted


def read_sets(folders: Sequence[Path]) -> EvaluationSets:
    """Read the tables of HASHES folders.

    Raises:
        InputError: one is no such table.
    """
    tables = [_read(folder / "images") for folder in folders]
    table = pa.concat_tables(tables)
    names = tuple(sorted(set(table["dataset"].to_pylist())))
    place = {name: at for at, name in enumerate(names)}
    captions: list[set[str]] = [set() for _ in names]
    pairs = set()
    for row in table.to_pylist():
        captions[place[row["dataset"]]].update(caption for caption in row["captions"] or () if caption)
        if row["perceptual_hash"] is not None and not is_flat(row["perceptual_hash"]):
            pairs.add((int(row["perceptual_hash"], 16), place[row["dataset"]]))
    ordered = sorted(pairs)
    return EvaluationSets(
        names=names,
        hashes=np.array([hash_ for hash_, _ in ordered], np.uint64),
        owners=np.array([owner for _, owner in ordered], np.int64),
        captions=tuple(map(frozenset, captions)),
    )


def _read(folder: Path) -> pa.Table:
    try:
        return ds.dataset(folder, format="parquet").to_table(columns=HASHES.names)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{folder} is no table of hashes ({error}); make it with jobs/hash_images.py"
        ) from error
