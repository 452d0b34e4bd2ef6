"""A SCORES folder: one table a shard, written and read."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.errors import InputError
from curation.trainer.data.index import Index
from curation.trainer.data.tar import read_members, split_name
from curation.trainer.listing import read_texts

SCORES = pa.schema(
    [
        ("shard", pa.string()),
        ("key", pa.string()),
        ("uid", pa.string()),
        ("text_number", pa.int32()),
        ("similarity", pa.float32()),
    ]
)
"""SCORES/NNNNN.parquet: one row a text, in the order of the index. `shard` is the path of the tar, relative
to SCORES; `uid` is null where the shard knows none; `similarity` is the cosine of the embeddings, null where
the image or the text has none. With --embeddings also `image_embedding` and `text_embedding`, of length 1."""

IDENTITY = "_scores.json"
_FACTS = "scores"


def table_path(folder: Path, number: int) -> Path:
    """Where the scores of a shard lie; shards are numbered as in the index."""
    return folder / f"{number:05d}.parquet"


@dataclass(frozen=True)
class Embeddings:
    """What a model makes of samples that follow one another in the index.

    Attributes:
        images: float32 (n, d) of length 1; NaN where there is none.
        texts: float32 (k, d) of length 1, sample by sample; NaN where there is none.
        faults: images and texts that cannot be read, or whose features are no numbers, by reason.
    """

    images: npt.NDArray[np.float32]
    texts: npt.NDArray[np.float32]
    faults: Counter[str]


class ShardScores:
    """The table of one shard, on its way.

    Args:
        index: of the shards.
        samples: of this shard, in the index.
        width: of embeddings that are kept; 0: they are not.
    """

    def __init__(self, index: Index, samples: range, *, width: int) -> None:
        first, end = index.text_bounds(np.arange(samples.start, samples.stop))
        self._texts_of = end - first  # how many
        self._numbers = index.texts["number"][first[0] : end[-1]] if samples else np.zeros(0, np.int32)
        self._offsets = index.samples["image_offset"][samples.start : samples.stop]
        self._width, self._done = width, 0
        self._similarity: list[npt.NDArray[np.float32]] = []
        self._embeddings: dict[str, list[npt.NDArray[np.float16]]] = {"image": [], "text": []}
        self._faults: Counter[str] = Counter()

    def add(self, batch: Embeddings) -> None:
        """Add the samples that come next."""
        counts = self._texts_of[self._done : self._done + len(batch.images)]
        images = batch.images.repeat(counts, axis=0)
        self._similarity.append(np.einsum("kd,kd->k", images, batch.texts))
        if self._width:
            self._embeddings["image"].append(images.astype(np.float16))
            self._embeddings["text"].append(batch.texts.astype(np.float16))
        self._done += len(batch.images)
        self._faults += batch.faults

    def write(self, path: Path, tar: Path, shard: str) -> None:
        """Write the table, which appears whole.

        Args:
            path: of the table.
            tar: of the shard.
            shard: what the tar is called in the table.

        Raises:
            InputError: the shard cannot be read.
        """
        similarity = np.concatenate([np.zeros(0, np.float32), *self._similarity])
        texts = self._texts(tar)
        columns = [pa.repeat(shard, len(texts)), *texts.columns, pa.array(similarity, from_pandas=True)]
        table = pa.table(columns, schema=SCORES)
        for kind, parts in self._embeddings.items() if self._width else ():
            flat = np.concatenate([np.zeros((0, self._width), np.float16), *parts])
            lists = pa.FixedSizeListArray.from_arrays(
                flat.ravel(), self._width, mask=pa.array(np.isnan(flat[:, 0]))
            )
            table = table.append_column(f"{kind}_embedding", lists)
        facts = {"texts": len(texts) - table["similarity"].null_count, "faults": self._faults}
        table = table.replace_schema_metadata({_FACTS: json.dumps(facts, sort_keys=True)})
        draft = path.with_name(f"_{path.name}.tmp")
        pq.write_table(table, draft, compression="zstd")
        draft.replace(path)

    def _texts(self, tar: Path) -> pa.Table:
        """Key, uid and number of each text."""
        key_at = {member.offset: split_name(member.name)[0] for member in read_members(tar)}
        keys = pa.array([key_at[offset] for offset in self._offsets.tolist()], pa.string())
        keys = keys.take(np.repeat(np.arange(len(keys)), self._texts_of))
        numbers = pa.array(self._numbers, pa.int32())
        listed = read_texts(tar)
        places = pc.index_in(_joined(keys, numbers), value_set=_joined(listed["key"], listed["text_number"]))
        uids = listed["uid"].take(places)
        return pa.table([keys, uids, numbers], names=["key", "uid", "text_number"])


def read_facts(path: Path) -> tuple[int, Counter[str]]:
    """How many texts of a shard have a similarity; and what has no embedding, by reason."""
    facts = json.loads(pq.read_metadata(path).metadata[_FACTS.encode()])
    return facts["texts"], Counter(facts["faults"])


class Scores:
    """The similarities in a SCORES folder.

    Raises:
        InputError: it is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            shards = json.loads((folder / IDENTITY).read_text())["shards"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InputError(
                f"--scores {folder}: {IDENTITY} cannot be read ({error}); give a folder of jobs/score.py"
            ) from None
        self._tables = {
            (folder / shard).resolve(): table_path(folder, number) for number, shard in enumerate(shards)
        }

    def of(self, tar: Path, texts: pa.Table) -> npt.NDArray[np.float32]:
        """The similarity of each text (n); NaN where there is none.

        Raises:
            InputError: the shard has not been scored.
        """
        if tar not in self._tables:
            raise InputError(f"--scores {self._folder}: shard {tar} is not among the scored ones")
        scored = self._read(self._tables[tar], "key", "uid", "text_number", "similarity")
        places = pc.index_in(names(texts), value_set=names(scored))
        return floats(scored["similarity"].take(places))

    def all(self, *columns: str) -> Iterator[tuple[Path, pa.Table]]:
        """Each scored shard with its scored texts, in the order of the shards."""
        for tar, table in self._tables.items():
            yield tar, self._read(table, *columns)

    def _read(self, path: Path, *columns: str) -> pa.Table:
        try:
            return pq.read_table(path, columns=list(columns), partitioning=None)
        except (OSError, pa.ArrowException) as error:
            told = " ".join(str(error).split())
            raise InputError(f"--scores: {path} cannot be read ({told}); run jobs/score.py again") from None


def names(texts: pa.Table) -> pa.ChunkedArray:
    """What tells the texts of a shard apart: the image's key, and the uid or else the number."""
    return _joined(texts["key"], pc.coalesce(texts["uid"], pc.cast(texts["text_number"], pa.string())))


def floats(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    """A column as an array, NaN where it is null."""
    return pc.fill_null(column, np.nan).to_numpy()


def _joined(keys: pa.ChunkedArray, marks: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(keys, pc.cast(marks, pa.string()), "\t")
