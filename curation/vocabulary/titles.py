"""Titles by page views: one file's views, and what was wrong with it."""

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from curation.errors import InputError
from curation.vocabulary.page_views import VIEWS, read_views
from curation.vocabulary.streams import Open

ROWS = VIEWS.append(
    pa.field(
        "file",
        pa.struct(
            [("file", pa.string()), ("faults", pa.map_(pa.string(), pa.int64())), ("error", pa.string())]
        ),
    )
)
"""Views have no `file`; the last row of a file has nothing else."""


def count_views(path: str, *, open_at: Open, wiki: str, recipe: str) -> Iterator[pa.RecordBatch]:
    """The views of one file, then its ledger; never raises for what is wrong with the file.

    Args:
        path: see `read_views`.
        open_at: see `read_views`.
        wiki: see `read_views`.
        recipe: see `read_views`.

    Yields:
        Batches of `ROWS`.
    """
    faults, error = Counter[str](), None
    try:
        for batch in read_views(path, open_at=open_at, wiki=wiki, recipe=recipe, faults=faults):
            yield batch.append_column("file", pa.nulls(batch.num_rows, ROWS.field("file").type))
    except InputError as problem:
        error = str(problem)
    row = {"file": path, "faults": sorted(faults.items()), "error": error}
    yield pa.RecordBatch.from_pylist([{"file": row}], schema=ROWS)
