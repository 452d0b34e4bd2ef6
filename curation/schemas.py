"""Columns of every table, in order. The names are the words of the design, and nothing else is written."""

import pyarrow as pa

PAIRS = pa.schema(
    [
        ("uid", pa.string()),
        ("url", pa.string()),
        ("text", pa.string()),
        ("text_source", pa.string()),
        ("page_url", pa.string()),
        ("crawl", pa.string()),
        ("language", pa.string()),
        ("language_score", pa.float64()),
        ("seen", pa.int64()),
        ("opt_outs", pa.list_(pa.string())),
    ]
)
"""POOL/pairs: one row a distinct (url, text); `seen` is how often it was found in the crawl; `opt_outs` is
what the page says against use, empty unless such pages were asked for."""

FILES = pa.schema(
    [
        ("path", pa.string()),
        ("size_bytes", pa.int64()),
        ("records", pa.int64()),
        ("pages", pa.int64()),
        ("images", pa.int64()),
        ("candidates", pa.int64()),
        ("pairs", pa.int64()),
        ("dropped", pa.map_(pa.string(), pa.int64())),
        ("faults", pa.map_(pa.string(), pa.int64())),
        ("truncated", pa.bool_()),
        ("error", pa.string()),
    ]
)
"""POOL/files, the ledger: one row an input file. candidates = pairs + the sum of `dropped`."""

MATCHES = PAIRS.append(pa.field("entry_ids", pa.list_(pa.int32())))
"""MATCHES/pairs: pairs whose text holds at least one entry; ids sorted and unique."""

CURATED = MATCHES.append(pa.field("keep_probability", pa.float64())).append(pa.field("image_id", pa.string()))
"""CURATED/pairs: the balanced subset."""

MATCH_COUNTS = pa.schema(
    [("language", pa.string()), ("entry_id", pa.int32()), ("entry", pa.string()), ("count", pa.int64())]
)
"""MATCHES/counts: one row an entry of the vocabulary, in id order, entries without matches included."""

CURATED_COUNTS = MATCH_COUNTS.append(pa.field("probability", pa.float64())).append(
    pa.field("kept_count", pa.int64())
)
"""CURATED/counts: what balancing did to each entry."""

SIZE_CURVE = pa.schema(
    [
        ("t", pa.float64()),
        ("tail_share", pa.float64()),
        ("expected_rows", pa.float64()),
        ("standard_deviation", pa.float64()),
    ]
)
"""CURATED/size_curve: how many pairs each t of a fixed grid would be expected to keep."""

ENTRIES = pa.schema(
    [
        ("entry_id", pa.int32()),
        ("entry", pa.string()),
        ("language", pa.string()),
        ("sources", pa.list_(pa.string())),
        ("count", pa.int64()),
    ]
)
"""VOCABULARY/entries.parquet: the entries in id order; `count` is the strength of the entry in its source."""


def spark_ddl(schema: pa.Schema) -> str:
    """The same columns as a Spark DDL string, for `mapInArrow` and readers."""
    return ", ".join(f"`{field.name}` {_spark_type(field.type)}" for field in schema)


def _spark_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"array<{_spark_type(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"map<{_spark_type(kind.key_type)},{_spark_type(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return "struct<" + ",".join(f"{field.name}:{_spark_type(field.type)}" for field in kind) + ">"
    return {
        pa.string(): "string",
        pa.int32(): "int",
        pa.int64(): "bigint",
        pa.float64(): "double",
        pa.bool_(): "boolean",
    }[kind]
