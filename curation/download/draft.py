"""A shard that comes to be: images end in any order, their bytes wait on local disk."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.download.shard import sample_key, shard_number
from curation.schemas import SHARD

_KNOWN = ("url", "image_id", "uids", "texts", "keep_probabilities")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an image ended.

    Attributes:
        status: one of those of `curation.download.shard`.
        error: from the fixed lists; None for a success.
        message: says more about it.
        columns: of `schemas.SHARD` that are known by now.
        data: the encoded image of a success.
    """

    status: str
    error: str | None = None
    message: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    data: bytes | None = None


@dataclass(slots=True, eq=False)
class Image:
    """An image to be fetched.

    Attributes:
        draft: of its shard.
        position: in the shard.
        url: where it is.
        expected_sha256: of its bytes; None: any.
        boxes: to be blurred.
        tries: made in vain.
    """

    draft: "Draft"
    position: int
    url: str
    expected_sha256: str | None
    boxes: Sequence[Sequence[float]]
    tries: int = 0


class Draft:
    """The rows and images of a shard until all are there.

    Args:
        folder: Parquet of the images of the shard, named `shard=N`.
        shard_size: images a shard at the most, which decides how many digits keys have.

    Attributes:
        number: of the shard.
        fetched: images whose fetching is over, whatever came of it.
    """

    def __init__(self, folder: str, shard_size: int) -> None:
        self.number = shard_number(folder)
        self._images = pq.read_table(folder, partitioning=None).sort_by("position")
        self._shard_size = shard_size
        self._outcomes: list[Outcome | None] = [None] * len(self._images)
        self._left = len(self._images)
        self.fetched = 0
        # It has no name, so nothing is left of it however this process ends.
        self._spool = tempfile.TemporaryFile(prefix="curation-", buffering=1 << 20)  # noqa: SIM115
        self._places: dict[int, tuple[int, int]] = {}

    def images(self) -> Iterator[Image]:
        """The images, in their order."""
        none = [None] * len(self._images)
        columns = [
            self._images[name].to_pylist() if name in self._images.column_names else none
            for name in ("url", "expected_sha256", "boxes")
        ]
        for position, (url, sha256, boxes) in enumerate(zip(*columns, strict=True)):
            yield Image(self, position, url, sha256, boxes or ())

    @property
    def is_fetched(self) -> bool:
        """Whether no image has to be fetched any more."""
        return self.fetched == len(self._images)

    @property
    def is_complete(self) -> bool:
        """Whether all images have ended."""
        return not self._left

    def end(self, image: Image, outcome: Outcome) -> None:
        """Note how an image ended, and put its bytes by."""
        if outcome.data is not None:
            self._places[image.position] = (self._spool.tell(), len(outcome.data))
            self._spool.write(outcome.data)
        columns = {"error": outcome.error, "error_message": outcome.message, **outcome.columns}
        self._outcomes[image.position] = Outcome(outcome.status, columns=columns)
        self._left -= 1

    def rows(self) -> pa.Table:
        """The rows of `schemas.SHARD`, once all images have ended."""
        self._spool.flush()
        outcomes = [outcome for outcome in self._outcomes if outcome is not None]
        known = {name: self._images[name].combine_chunks() for name in _KNOWN}
        known["caption"] = [texts[0] for texts in known["texts"].to_pylist()]
        known["key"] = [sample_key(self.number, n, self._shard_size) for n in range(len(outcomes))]
        known["status"] = [outcome.status for outcome in outcomes]
        rest = [name for name in SHARD.names if name not in known]
        known |= {name: [outcome.columns.get(name) for outcome in outcomes] for name in rest}
        return pa.table([known[name] for name in SHARD.names], schema=SHARD)

    def read(self, position: int) -> bytes:
        """The encoded image at a position."""
        offset, size = self._places[position]
        return os.pread(self._spool.fileno(), size, offset)

    def close(self) -> None:
        """Give the disk back."""
        self._spool.close()
