"""Reading files, some in each partition."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame

from curation.schemas import spark_ddl

Source = TypeVar("Source")


def read(
    numbers: DataFrame,
    *,
    paths: Sequence[Source],
    reader: Callable[[Source], Iterable[pa.RecordBatch]],
    schema: pa.Schema,
) -> DataFrame:
    """Turn the numbers of files into their rows.

    Args:
        numbers: `id`, the position of a file in `paths`; a task reads those of its partition in turn.
        paths: of the files; or whatever else says what is to be read together.
        reader: gives the rows of one of them, in batches; runs in the workers.
        schema: of the batches.

    Returns:
        The rows of all files.
    """

    def rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column("id").to_pylist():
                yield from reader(paths[number])

    return numbers.mapInArrow(rows, spark_ddl(schema)).select(*schema.names)
