"""What a chart says, without drawing it."""

import pyarrow as pa

from curation.report.charts.theme import draw
from curation.schemas import CURATED_COUNTS, PROFILE


def words(chart) -> str:
    """Title, subtitle and description in one line."""
    spec = chart.to_dict()
    title = spec["title"]
    return " ".join([*title["text"], *title["subtitle"], spec["description"]])


def points(chart) -> list[dict]:
    """All rows of data that a chart holds."""
    spec = chart.to_dict()
    rows = [row for named in spec.get("datasets", {}).values() for row in named]
    return rows + [row for layer in _layers(spec) for row in layer.get("data", {}).get("values", [])]


def labels(chart) -> set[str]:
    """All strings in its data."""
    return {value for row in points(chart) for value in row.values() if isinstance(value, str)}


def svg(chart, **options) -> str:
    return draw(chart, "svg", **options).decode()


def counts_of(*rows, language: str = "en") -> pa.Table:
    """`CURATED_COUNTS` of (entry, count, probability, kept_count)."""
    listed = [
        dict(zip(CURATED_COUNTS.names, (language, number, entry, *rest), strict=True))
        for number, (entry, *rest) in enumerate(rows)
    ]
    return pa.Table.from_pylist(listed, CURATED_COUNTS)


def profile_of(**facets) -> pa.Table:
    """`PROFILE` of values and rows by facet."""
    return pa.Table.from_pylist(
        [
            {"facet": facet, "value": value, "rows": rows}
            for facet, values in facets.items()
            for value, rows in values.items()
        ],
        PROFILE,
    )


def _layers(spec):
    yield spec
    for layer in spec.get("layer", []):
        yield from _layers(layer)
