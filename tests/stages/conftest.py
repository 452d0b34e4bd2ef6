"""Literal rows as frames, and the proof that partitioning changes nothing."""

from collections.abc import Callable

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from curation.core.identity import pair_uid
from curation.schemas import MATCHES, PAIRS, spark_ddl

PARTITIONS = (1, 3, 7)


@pytest.fixture
def same_rows(spark: SparkSession):
    """Runs a stage on 1, 3 and 7 partitions and shuffle partitions, and gives the rows, which must agree."""
    before = spark.conf.get("spark.sql.shuffle.partitions")

    def run(rows: pa.Table, stage: Callable[[DataFrame], DataFrame]) -> list[dict]:
        results = []
        for partitions in PARTITIONS:
            spark.conf.set("spark.sql.shuffle.partitions", partitions)
            shuffled = frame(spark, rows).repartition(partitions, *rows.column_names[:1])
            results.append(sorted((row.asDict(True) for row in stage(shuffled).collect()), key=str))
        assert results[0] == results[1] == results[2]
        return results[0]

    yield run
    spark.conf.set("spark.sql.shuffle.partitions", before)


def frame(spark: SparkSession, table: pa.Table) -> DataFrame:
    return spark.createDataFrame(table.to_pylist(), spark_ddl(table.schema))


def pairs(texts: list[str], languages: list[str] | None = None) -> pa.Table:
    """PAIRS of texts, each of an image of its own."""
    n = len(texts)
    urls = [f"http://a.example/{number}.jpg" for number in range(n)]
    return pa.table(
        [
            pair_uid(pa.array(urls), pa.array(texts, pa.string())),
            urls,
            texts,
            ["alt"] * n,
            ["http://a.example/"] * n,
            ["CC-MAIN-2024-51"] * n,
            languages or ["en"] * n,
            [1.0] * n,
            [1] * n,
            [[]] * n,
        ],
        schema=PAIRS,
    )


def matches(texts: list[str], entry_ids: list[list[int]]) -> pa.Table:
    """MATCHES of texts."""
    columns = [*pairs(texts).columns, pa.array(entry_ids, MATCHES.field("entry_ids").type)]
    return pa.table(columns, schema=MATCHES)
