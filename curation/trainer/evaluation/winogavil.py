"""WinoGAViL: which of several images a cue is associated with."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError
from curation.trainer.evaluation.features import Encoder, encode_all_texts, encode_bytes
from curation.trainer.evaluation.metrics import Associated

_COLUMNS = ("cue", "candidates", "associations", "candidate_images")
_CUES_AT_ONCE = 64


@dataclass(frozen=True)
class Cue:
    """One task: the cue, its candidates' names and encoded images, and the names of the right ones."""

    cue: str
    candidates: tuple[str, ...]
    associations: frozenset[str]
    images: tuple[bytes, ...]


def read_cues(folder: Path) -> Iterator[Cue]:
    """The tasks in a folder's `test/*.parquet`, a few at a time.

    Columns as in the data set nlphuji/winogavil when it is exported as Parquet: `cue`, `candidates` and
    `associations` (names), `candidate_images` (structs with `bytes`, in the order of `candidates`).

    Raises:
        InputError: a file cannot be read or lacks a column.
    """
    for path in sorted(folder.glob("test/*.parquet")):
        try:
            with pq.ParquetFile(path) as file:
                if missing := [name for name in _COLUMNS if name not in file.schema_arrow.names]:
                    raise InputError(f"{path} has no column {missing[0]}; export WinoGAViL as Parquet")
                for batch in file.iter_batches(_CUES_AT_ONCE, columns=list(_COLUMNS)):
                    yield from map(_cue, batch.to_pylist())
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} cannot be read ({error}); download it again") from None


def associate(encoder: Encoder, folder: Path) -> tuple[Associated, int]:
    """What comes out for each cue, and how many images could not be decoded.

    As many candidates are chosen as there are right ones: those most similar to "A cue" or "An cue".
    A cue with an image that cannot be decoded is left out.

    Source: `eval_utils/wino_eval.py` of mlfoundations/datacomp.
    """
    scores, candidates, corrupt = [], [], 0
    cues = read_cues(folder)
    while some := list(islice(cues, _CUES_AT_ONCE)):
        images = encode_bytes(encoder, [image for cue in some for image in cue.images])
        corrupt += images.corrupt
        texts = encode_all_texts(encoder, [_prompt(cue.cue) for cue in some])
        bounds = np.cumsum([0, *(len(cue.images) for cue in some)])
        encoded = np.cumsum([0, *images.whole])  # of the first so many images, how many have features
        for cue, text, first, end in zip(some, texts, bounds, bounds[1:], strict=False):
            if images.whole[first:end].all():
                similar = (images.features[encoded[first] : encoded[end]] @ text).cpu().numpy()
                scores.append(_jaccard(np.isin(cue.candidates, list(cue.associations)), similar))
                candidates.append(len(cue.candidates))
    return Associated(np.array(scores, np.float64), np.array(candidates, np.int32)), corrupt


def _cue(row: dict) -> Cue:
    images = tuple(image["bytes"] for image in row["candidate_images"])
    return Cue(row["cue"], tuple(row["candidates"]), frozenset(row["associations"]), images)


def _prompt(cue: str) -> str:
    cue = cue.lower()
    return f"{'An' if cue[:1] in tuple('aeiou') else 'A'} {cue}"


def _jaccard(right: np.ndarray, similar: np.ndarray) -> float:
    chosen = np.zeros(len(right), bool)
    chosen[np.argsort(-similar, kind="stable")[: right.sum()]] = True
    return float((chosen & right).sum() / (chosen | right).sum())
