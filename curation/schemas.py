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

SHARD = pa.schema(
    [
        ("key", pa.string()),
        ("caption", pa.string()),
        ("url", pa.string()),
        ("image_id", pa.string()),
        ("uids", pa.list_(pa.string())),
        ("texts", pa.list_(pa.string())),
        ("keep_probabilities", pa.list_(pa.float64())),
        ("status", pa.string()),
        ("error", pa.string()),
        ("error_message", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("original_width", pa.int32()),
        ("original_height", pa.int32()),
        ("exif", pa.string()),
        ("sha256", pa.string()),
        ("perceptual_hash", pa.string()),
        ("size_bytes", pa.int64()),
        ("opt_outs", pa.list_(pa.string())),
    ]
)
"""SHARDS/NNNNN.parquet: one row an image, in the order of the keys, those that failed included; `caption`
is the first of `texts`; `sha256` and `size_bytes` are of the bytes as they came. img2dataset's, and ours."""

HASHES = pa.schema(
    [
        ("dataset", pa.string()),
        ("name", pa.string()),
        ("sha256", pa.string()),
        ("perceptual_hash", pa.string()),
        ("captions", pa.list_(pa.string())),
    ]
)
"""HASHES/images: one row an image of an evaluation set; `name` is its file or key, `captions` are as they
are compared."""

DUPLICATES = pa.schema(
    [
        ("key", pa.string()),
        ("image_id", pa.string()),
        ("duplicate_of", pa.string()),
        ("distance", pa.int32()),
        ("same_bytes", pa.bool_()),
    ]
)
"""SHARDS/duplicates: one row an image that looks like another with a smaller key, `duplicate_of`; in how many
bits their perceptual hashes differ, and whether their bytes were the same."""

PROFILE = pa.schema([("facet", pa.string()), ("value", pa.string()), ("rows", pa.int64())])
"""profile/ of POOL, MATCHES, CURATED and SHARDS: how many pairs, or images, have each value of a facet such
as `language`: its 1,000 heaviest, and in the value "" the rest; `hosts` has the number of hosts there.
`curation.core.profile.FACETS` says what the values are."""

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
