import pyarrow as pa

from curation.stages.read import read

SCHEMA = pa.schema([("path", pa.string()), ("line", pa.int32())])


def test_one_partition_a_file(spark):
    def two_lines(path):
        for line in (0, 1):
            yield pa.record_batch({"path": [path], "line": pa.array([line], pa.int32())})

    paths = ["a", "b", "c"]
    rows = read(spark.range(0, 3, 1, 3), paths=paths, reader=two_lines, schema=SCHEMA)
    assert rows.rdd.getNumPartitions() == 3
    assert [tuple(row) for row in rows.collect()] == [(path, line) for path in paths for line in (0, 1)]
