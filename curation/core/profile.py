"""How a table's rows are spread over languages, hosts, lengths and so on: facets, and rows by value.

All here is PROFILE: parts of one, which may name a value several times, until `heaviest` has gone over them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.schemas import PROFILE

MOST_VALUES = 1000
"""Values that a facet names; the rest of its rows are those of the value ""."""

_FLUSH = 1 << 17
"""Values that are held before they are given away: some 10 MB of hosts."""
_EXACT = 32  # numbers of entries below it are counted one by one
_FAILED = "failed_"  # begins the statuses of what did not come, or was no image
_URL = r"^(?i:https?)://(?:[^/?#\\]*@)?(?P<host>\[[^\]/?#\\]*\]|(?:[^/?#\\:@\[][^/?#\\:@]*)?)"
_PLAIN_URL = r"^https?://[a-z0-9_.\-]*[a-z0-9_\-](?:/|$)"

Batch: TypeAlias = pa.RecordBatch | pa.Table


def profile(batches: Iterable[Batch]) -> pa.Table:
    """What `curation.stages.profile.profile` gives, of batches and without Spark.

    Args:
        batches: see `tally`.

    Returns:
        PROFILE.
    """
    return heaviest(count_hosts(tallies(batches, flush=None)))


def hosts(urls: pa.Array) -> pa.Array:
    """The hosts of URLs, in lower case, without credentials, port and the dot at the end.

    Args:
        urls: strings (n).

    Returns:
        Strings (n): "" for what is no http(s) URL; null where the URL is.
    """
    # Cutting at slashes costs a fourth of the regular expression, and is enough for nearly all URLs.
    there = pc.fill_null(urls, "")
    odd = pc.invert(pc.match_substring_regex(there, _PLAIN_URL))
    parts = pc.split_pattern(there, "/", max_splits=3)
    found = pc.list_flatten(pc.list_slice(parts, 2, 3, return_fixed_size_list=True))
    return pc.replace_with_mask(found, odd, _hosts_of_odd(urls.filter(odd)))


def _hosts_of_odd(urls: pa.Array) -> pa.Array:
    found = pc.struct_field(pc.extract_regex(urls, _URL), "host")
    found = pc.utf8_rtrim(pc.ascii_lower(found), characters=".")
    return pc.if_else(pc.is_valid(urls), pc.fill_null(found, ""), pa.scalar(None, pa.string()))


def tally(rows: Batch) -> pa.Table:
    """Count the values of each facet whose columns are there.

    Args:
        rows: of POOL, MATCHES, CURATED or SHARD, some columns or all. What is null is in no value.

    Returns:
        A part of PROFILE.
    """
    parts = [PROFILE.empty_table()]
    for facet, (columns, values) in FACETS.items():
        if all(column in rows.schema.names for column in columns):
            counts = pc.value_counts(values(*(_array(rows, column) for column in columns)))
            parts.append(_part(facet, counts.field("values"), counts.field("counts")))
    return pa.concat_tables(parts)


def tallies(batches: Iterable[Batch], *, flush: int | None = _FLUSH) -> Iterator[pa.RecordBatch]:
    """Count the values of each facet over many batches.

    Args:
        batches: see `tally`.
        flush: how many values are held at the most; None: all that there are, for one caller who wants each
            value once.

    Yields:
        Parts of PROFILE.
    """
    held, size, limit = [PROFILE.empty_table()], 0, _FLUSH if flush is None else flush
    for batch in batches:
        held.append(tally(batch))
        size += len(held[-1])
        if size > limit:
            total = add_up(held)
            if flush is None:
                limit = max(_FLUSH, 2 * len(total))  # so that adding up is done seldom
            elif 2 * len(total) > flush:
                yield from total.to_batches()
                total = PROFILE.empty_table()
            held, size = [total], len(total)
    yield from add_up(held).to_batches()


def add_up(parts: Iterable[pa.Table]) -> pa.Table:
    """Parts of PROFILE as one, with one row a value."""
    groups = pa.concat_tables(parts).group_by(["facet", "value"], use_threads=False)
    return groups.aggregate([("rows", "sum")]).rename_columns(["facet", "value", "rows"]).cast(PROFILE)


def count_hosts(parts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Add the facet `hosts`, whose rows of the value "" are the number of hosts.

    Args:
        parts: of PROFILE, which name each host once.

    Yields:
        The parts, and one more for each.
    """
    for part in parts:
        named = pc.and_(pc.equal(part["facet"], "host"), pc.not_equal(part["value"], ""))
        number = pc.sum(named).as_py()
        yield part
        if number:
            yield pa.record_batch([["hosts"], [""], [number]], schema=PROFILE)


def heaviest(parts: Iterable[pa.RecordBatch], *, most: int = MOST_VALUES) -> pa.Table:
    """Keep the heaviest values of each facet; of values that weigh the same, the first by their bytes.

    Of values that are spread over several of the parts, only the parts that `heaviest` would keep alone are
    certain to be kept: so parts are to name each value once.

    Args:
        parts: of PROFILE.
        most: values of a facet.

    Returns:
        PROFILE, sorted by facet, then rows, the largest first, then value. Of each facet, the value "" has
        the rest.
    """
    kept = PROFILE.empty_table()
    for part in parts:
        total = add_up([kept, pa.Table.from_batches([part])])
        named = _sorted(total.filter(pc.not_equal(total["value"], "")))
        rank = _rank(named["facet"].combine_chunks())
        rest = pa.concat_tables(
            [total.filter(pc.equal(total["value"], "")), _nameless(named.filter(pa.array(rank >= most)))]
        )
        kept = pa.concat_tables([named.filter(pa.array(rank < most)), add_up([rest])])
    return _sorted(kept)


def _sorted(table: pa.Table) -> pa.Table:
    return table.sort_by([("facet", "ascending"), ("rows", "descending"), ("value", "ascending")])


def _rank(facets: pa.Array) -> npt.NDArray[np.int64]:
    """The place of each row among those of its facet, which are together."""
    runs = pc.run_end_encode(facets, run_end_type=pa.int64())
    ends = runs.run_ends.to_numpy()
    starts = np.concatenate([[0], ends])[:-1].astype(np.int64)
    return np.arange(len(facets)) - np.repeat(starts, ends - starts)


def _nameless(table: pa.Table) -> pa.Table:
    return table.set_column(1, PROFILE.field("value"), pa.repeat("", len(table)))


def _array(rows: Batch, column: str) -> pa.Array:
    values = rows[column]
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _part(facet: str, values: pa.Array, counts: pa.Array) -> pa.Table:
    there = pc.is_valid(values)
    values, counts = values.filter(there), counts.filter(there)
    if not pa.types.is_string(values.type):
        values = pa.array([str(value) for value in values.to_pylist()], pa.string())  # of few buckets
    return pa.table([pa.repeat(facet, len(values)), values, counts], schema=PROFILE)


def _numbers(numbers: pa.Array) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = pc.drop_null(numbers).cast(pa.float64()).to_numpy()
    return found


def _power_of_two(numbers: pa.Array) -> pa.Array:
    """The largest power of two that is no larger; 0 for 0."""
    found = _numbers(numbers)
    return pa.array(np.where(found > 0, np.ldexp(1.0, np.frexp(found)[1] - 1), 0), pa.int64())


def _few_exactly(numbers: pa.Array) -> pa.Array:
    found = _numbers(numbers)
    return pa.array(np.where(found < _EXACT, found, np.ldexp(1.0, np.frexp(found)[1] - 1)), pa.int64())


def _tenth(probabilities: pa.Array) -> pa.Array:
    return pa.array(np.floor(_numbers(probabilities) * 10) / 10)


def _aspect_ratio(widths: pa.Array, heights: pa.Array) -> pa.Array:
    """log2(width / height) to the nearest quarter."""
    there = pc.and_(pc.is_valid(widths), pc.is_valid(heights))
    ratios = _numbers(widths.filter(there)) / _numbers(heights.filter(there))
    return pa.array(np.round(np.log2(ratios) * 4) / 4 + 0.0)  # or -0.0 would be a value of its own


def _failed_hosts(urls: pa.Array, statuses: pa.Array) -> pa.Array:
    return hosts(urls.filter(pc.starts_with(statuses, _FAILED)))


def _lengths(lists: pa.Array) -> pa.Array:
    return _few_exactly(pc.list_value_length(lists))


def _as_is(values: pa.Array) -> pa.Array:
    return values


FACETS: dict[str, tuple[tuple[str, ...], Callable[..., pa.Array]]] = {
    "language": (("language",), _as_is),
    "text_source": (("text_source",), _as_is),
    "crawl": (("crawl",), _as_is),
    "text_length": (("text",), lambda texts: _power_of_two(pc.utf8_length(texts))),
    "entries_per_text": (("entry_ids",), _lengths),
    "keep_probability": (("keep_probability",), _tenth),
    "texts_per_image": (("uids",), _lengths),
    "host": (("url",), hosts),
    "host_failed": (("url", "status"), _failed_hosts),
    "status": (("status",), _as_is),
    "error": (("error", "error_message"), pc.coalesce),
    "width": (("original_width",), _power_of_two),
    "height": (("original_height",), _power_of_two),
    "aspect_ratio": (("original_width", "original_height"), _aspect_ratio),
    "size_bytes": (("size_bytes",), _power_of_two),
    "opt_outs": (("opt_outs",), pc.list_flatten),
}
"""Of each facet: the columns that it is of, and its values for them; those that are numbers, as buckets:
`text_length` (characters), `width` and `height` (pixels) and `size_bytes` begin at powers of two,
`entries_per_text` and `texts_per_image` at each number below 32 and powers of two from there,
`keep_probability` at tenths; `aspect_ratio` is log2(width / height) to the nearest quarter."""

COLUMNS = frozenset(column for columns, _ in FACETS.values() for column in columns)
"""All that `tally` looks at."""
