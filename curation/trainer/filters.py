"""The filters of lists: by CURATED, and by similarity as LAION and DataComp do."""

import binascii
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from curation.errors import InputError
from curation.trainer.scores import Scores, floats, names

Mask = npt.NDArray[np.bool_]
Filter = Callable[[Path, pa.Table], Mask]
"""Of a shard (its tar's path) and a table of `listing.TEXTS`, which texts pass."""

_DIGITS = 16  # of a uid that make its 64-bit number, as in `uniform`
_UIDS_AT_ONCE = 1 << 20


def curated(folder: Path) -> Filter:
    """Texts that are in CURATED/pairs pass.

    A uid is known by its first 64 bits: of 10^9 texts and 4 * 10^8 curated ones, 0.02 would be expected to
    pass by mistake. In memory: 8 bytes a curated pair.

    Raises:
        InputError: there is no CURATED; or later, a shard has no uids.
    """
    wanted = _curated_numbers(folder)

    def passes(tar: Path, texts: pa.Table) -> Mask:
        try:
            numbers = _numbers(texts["uid"].combine_chunks())
        except (TypeError, ValueError):
            raise InputError(
                f"shard {tar} has texts without our uids; --curated needs shards of jobs/download.py"
            ) from None
        places = np.minimum(np.searchsorted(wanted, numbers), len(wanted) - 1)
        return wanted[places] == numbers

    return passes


def _curated_numbers(folder: Path) -> npt.NDArray[np.uint64]:
    """The numbers of all curated pairs, ascending."""
    pairs = folder / "pairs"
    try:
        table = ds.dataset(pairs, format="parquet")
        batches = table.to_batches(columns=["uid"], batch_size=_UIDS_AT_ONCE)
        numbers = np.concatenate([np.zeros(0, np.uint64), *(_numbers(batch["uid"]) for batch in batches)])
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        told = " ".join(str(error).split())
        raise InputError(
            f"--curated {folder}: pairs/ cannot be read ({told}); give a folder of jobs/balance.py"
        ) from None
    if not len(numbers):
        raise InputError(f"--curated {folder}: it has no pairs; nothing would be left")
    numbers.sort()
    return numbers


def _numbers(uids: pa.Array) -> npt.NDArray[np.uint64]:
    """The first 16 hex digits of each uid as a number."""
    heads = "".join(pc.utf8_slice_codeunits(uids, 0, _DIGITS).to_pylist())
    return np.frombuffer(binascii.unhexlify(heads), ">u8").astype(np.uint64)


def min_similarity(scores: Scores, least: float) -> Filter:
    """Texts at least so similar to their image pass.

    Source: LAION-5B (Schuhmann et al., 2022), section 3.
    """
    return lambda tar, texts: scores.of(tar, texts) >= np.float32(least)


def top_share(scores: Scores, share: float) -> Filter:
    """This share of all scored texts passes, the most similar; of those that tie, the first by uid.

    Of n scored texts exactly floor(share * n) pass, `share` being the decimal number that it is written as.
    In memory: 4 bytes a scored text, and the names of those that tie with the last to pass.

    Raises:
        InputError: the share is less than one text.

    Source: DataComp (Gadre et al., 2023), section 4.2.
    """
    values = np.concatenate([_finite(table["similarity"]) for _, table in scores.all("similarity")])
    wanted = int(Decimal(str(share)) * len(values))
    if wanted == 0:
        raise InputError(f"--top-share {share} of {len(values)} scored texts is none; give a larger share")
    values.partition(len(values) - wanted)
    least = values[len(values) - wanted]
    room = wanted - int((values > least).sum())
    lucky = _first_of(scores, least, room)

    def passes(tar: Path, texts: pa.Table) -> Mask:
        similarity = scores.of(tar, texts)
        chosen = pc.is_in(names(texts), value_set=lucky.get(tar, pa.array([], pa.string())))
        return (similarity > least) | ((similarity == least) & chosen.to_numpy(zero_copy_only=False))

    return passes


def _first_of(scores: Scores, similarity: np.float32, room: int) -> dict[Path, pa.Array]:
    """Of the texts of just this similarity the first, by uid, then by place: their names by shard."""
    ties = []
    for tar, table in scores.all("key", "uid", "text_number", "similarity"):
        table = table.filter(pc.equal(table["similarity"], pa.scalar(similarity, pa.float32())))
        rows = zip(table["uid"].to_pylist(), names(table).to_pylist(), strict=True)
        ties += [(uid is None, uid or "", tar, name) for uid, name in rows]
    found: dict[Path, list[str]] = {}
    for _, _, tar, name in sorted(ties)[:room]:
        found.setdefault(tar, []).append(name)
    return {tar: pa.array(lucky, pa.string()) for tar, lucky in found.items()}


def _finite(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    values = floats(column)
    return values[np.isfinite(values)]
