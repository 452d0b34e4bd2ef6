import pyarrow as pa

from curation import schemas


def test_the_ddl_is_what_spark_makes_of_the_schema(spark):
    from pyspark.sql.pandas.types import from_arrow_schema

    for name in (
        "PAIRS",
        "FILES",
        "MATCHES",
        "CURATED",
        "MATCH_COUNTS",
        "CURATED_COUNTS",
        "ENTRIES",
        "PROFILE",
    ):
        schema: pa.Schema = getattr(schemas, name)
        frame = spark.createDataFrame([], schemas.spark_ddl(schema))
        assert frame.schema.simpleString() == from_arrow_schema(schema).simpleString()
