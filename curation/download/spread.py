"""How more images are spread over hosts and so on than memory could count at once."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.identity import image_id
from curation.core.profile import Batch, add_up, count_hosts, heaviest, tallies
from curation.schemas import PROFILE

_PARTS = 64
"""Files in which values are put by, each with some of the hosts."""
_HELD = 1 << 20
"""Values that are counted in memory first: some 300 MB of hosts."""
_PREFIXES = pa.array([f"{number:02x}" for number in range(256)])


def profile_on_disk(batches: Iterable[Batch], folder: Path) -> pa.Table:
    """What `curation.core.profile.profile` gives, in memory that does not grow with the number of hosts.

    Args:
        batches: see there.
        folder: for what is put by meanwhile.

    Returns:
        PROFILE.
    """
    with tempfile.TemporaryDirectory(prefix="_spread-", dir=folder) as scratch:
        paths = [Path(scratch, str(number)) for number in range(_PARTS)]
        _put_by(tallies(batches, flush=_HELD), paths)
        return heaviest(count_hosts(_each_once(paths)))


def _put_by(parts: Iterable[pa.RecordBatch], paths: list[Path]) -> None:
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with ExitStack() as stack:
        files = [
            stack.enter_context(pa.ipc.new_stream(str(path), PROFILE, options=options)) for path in paths
        ]
        for part in parts:
            prefixes = pc.utf8_slice_codeunits(image_id(part["value"]), 0, 2)
            numbers = pc.index_in(prefixes, value_set=_PREFIXES).to_numpy() % len(files)
            order = np.argsort(numbers, kind="stable")
            edges = np.searchsorted(numbers[order], np.arange(len(files) + 1))
            ordered = part.take(pa.array(order))
            for file, low, high in zip(files, edges, edges[1:], strict=False):
                file.write_batch(ordered.slice(low, high - low))


def _each_once(paths: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    for path in paths:
        with pa.ipc.open_stream(str(path)) as file:
            yield from add_up([PROFILE.empty_table(), file.read_all()]).to_batches()
