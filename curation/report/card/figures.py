"""The charts of a card, each with its table; those that a run has the tables for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from curation.errors import InputError
from curation.report.arms import read_comparison
from curation.report.card.text import harmless, harmless_within, number
from curation.report.charts import (
    balancing,
    choosing,
    entries,
    funnel,
    images,
    populations,
    ranges,
    training,
    vocabulary,
)
from curation.report.charts.theme import Picture
from curation.report.tables import Run, languages_of, of_language

_BARS = 8

ROWS = 200
"""Rows of a chart's table that a page holds at the most."""


@dataclass(frozen=True)
class Column:
    """A column of a chart's table; numbers stand to the right."""

    name: str
    number: bool


@dataclass(frozen=True)
class Numbers:
    """The table of a chart, as words; `left_out` of its rows are not among them."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    left_out: int


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A chart as a page shows it.

    Attributes:
        name: unique in a page.
        title: what one sees.
        says: what it comes to.
        description: for those who do not see it.
        spec: Vega-Lite without title and colours; its strings are harmless.
        numbers: the same as words.
    """

    name: str
    title: str
    says: str
    description: str
    spec: dict[str, Any]
    numbers: Numbers


_Drawn = tuple[Picture, pa.Table]


def figures(run: Run) -> dict[str, list[Figure]]:
    """Draw what can be drawn of a run.

    Args:
        run: with any of its steps.

    Returns:
        Charts by chapter.
    """
    return {
        chapter: [figure(name, *drawn) for name, drawn in _drawn(run, charts)]
        for chapter, charts in _CHAPTERS.items()
    }


def figure(name: str, picture: Picture, table: pa.Table) -> Figure:
    """A chart and its table as a page shows them."""
    spec = picture.to_dict()
    title = spec.pop("title")
    for part in ("config", "$schema", "usermeta"):
        spec.pop(part, None)
    heading = _line(title["text"])
    return Figure(
        name=name,
        title=heading,
        says=_line(title.get("subtitle", "")),
        description=harmless(spec.pop("description"), 1000),
        spec=harmless_within(spec) | {"autosize": {"type": "fit-x", "contains": "padding"}},
        numbers=_numbers(heading, table),
    )


def _drawn(run: Run, charts: dict[str, Callable[[Run], _Drawn]]) -> Iterator[tuple[str, _Drawn]]:
    for name, draw in charts.items():
        try:
            yield name, draw(run)
        except InputError:
            continue  # the run lacks what it shows; the card says so at its beginning


def _line(words: str | Sequence[str]) -> str:
    return harmless(words if isinstance(words, str) else " ".join(words), 1000)


def _numbers(caption: str, table: pa.Table) -> Numbers:
    kinds = [pa.types.is_integer(field.type) or pa.types.is_floating(field.type) for field in table.schema]
    names = [name.replace("_", " ") for name in table.column_names]
    rows = [[_cell(value) for value in row.values()] for row in table.slice(0, ROWS).to_pylist()]
    columns = [Column(name, kind) for name, kind in zip(names, kinds, strict=True)]
    return Numbers(caption, columns, rows, max(0, len(table) - ROWS))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return harmless(str(value), 120)


def _of_first_list(run: Run) -> tuple[pa.Table, float | None]:
    """The counts that t is of: those of the first list, where there are several."""
    counts = run.counts()
    language = languages_of(counts)[0]
    return of_language(counts, language), run.t().get(language)


def _funnel(run: Run) -> _Drawn:
    return funnel.funnel(run.records()), funnel.funnel_table(run.records())


def _reasons(run: Run) -> _Drawn:
    return funnel.reasons(run.records()), funnel.reasons_table(run.records())


def _ranks(run: Run) -> _Drawn:
    counts, t = _of_first_list(run)
    return balancing.rank_counts(counts, t), balancing.rank_table(counts)


def _cumulative(run: Run) -> _Drawn:
    counts, t = _of_first_list(run)
    return balancing.cumulative_share(counts, t), balancing.cumulative_table(counts)


def _curve(run: Run, draw: Callable[..., Picture]) -> _Drawn:
    curve, matched = run.size_curve(), run.need("curated").rows["in"]
    _, t = _of_first_list(run)
    return draw(curve, matched, t), choosing.size_table(curve, matched)


def _heaviest(run: Run) -> _Drawn:
    counts, t = _of_first_list(run)
    return entries.heaviest(counts, t), entries.heaviest_table(counts)


def _rarest(run: Run) -> _Drawn:
    counts, t = _of_first_list(run)
    return entries.rarest(counts, t), entries.rarest_table(counts)


def _octaves(run: Run) -> _Drawn:
    counts, _ = _of_first_list(run)
    return entries.octaves(counts), entries.octaves_table(counts)


def _never_matched(run: Run) -> _Drawn:
    entries_table, counts = run.vocabulary(), run.counts()
    return vocabulary.never_matched(entries_table, counts), vocabulary.sources_table(entries_table, counts)


def _commonest(run: Run, draw: Callable[..., Picture], facet: str, top: int, *, rest: bool = True) -> _Drawn:
    profiles = run.profiles()
    table = populations.commonest_table(profiles, facet, top, rest=rest)
    return draw(profiles), table


_languages = partial(populations.languages, top=_BARS)
_hosts = partial(populations.hosts, top=_BARS)


def _text_lengths(run: Run) -> _Drawn:
    profiles = run.profiles()
    table = populations.ranges_table(profiles, "text_length", ranges.OCTAVES)
    return populations.text_lengths(profiles), table


def _entries_per_text(run: Run) -> _Drawn:
    profiles = run.profiles()
    table = populations.ranges_table(profiles, "entries_per_text", ranges.FEW_EXACTLY)
    return populations.entries_per_text(profiles), table


def _keep_probabilities(run: Run) -> _Drawn:
    profile = run.profile("curated")
    table = populations.ranges_table({"curated": profile}, "keep_probability", ranges.TENTHS)
    return populations.keep_probabilities(profile), table


def _concentration(run: Run) -> _Drawn:
    profiles = run.profiles()
    return populations.host_concentration(profiles), populations.concentration_table(profiles)


def _ended(run: Run, draw: Callable[..., Picture], table: Callable[..., pa.Table]) -> _Drawn:
    record = run.need("shards")
    return draw(record), table(record)


def _pictured(run: Run, draw: Callable[..., Picture], table: Callable[..., pa.Table]) -> _Drawn:
    profile = run.profile("shards")
    return draw(profile), table(profile)


def _trained(run: Run, draw: Callable[..., Picture], table: Callable[..., pa.Table]) -> _Drawn:
    comparison = read_comparison(run.folder / "comparison")
    return draw(comparison), table(comparison)


def _bytes_table(profile: pa.Table) -> pa.Table:
    return populations.distribution_table({"shards": profile}, "size_bytes")


_CHAPTERS: dict[str, dict[str, Callable[[Run], _Drawn]]] = {
    "funnel": {"funnel": _funnel, "reasons": _reasons},
    "balance": {
        "ranks": _ranks,
        "cumulative": _cumulative,
        "size-curve": lambda run: _curve(run, choosing.size_curve),
        "tail-curve": lambda run: _curve(run, choosing.tail_curve),
        "heaviest": _heaviest,
        "octaves": _octaves,
        "keep-probabilities": _keep_probabilities,
        "never-matched": _never_matched,
    },
    "texts": {
        "languages": lambda run: _commonest(run, _languages, "language", _BARS),
        "text-sources": lambda run: _commonest(run, populations.text_sources, "text_source", 8),
        "text-lengths": _text_lengths,
        "entries-per-text": _entries_per_text,
    },
    "web": {
        "hosts": lambda run: _commonest(run, _hosts, "host", _BARS, rest=False),
        "concentration": _concentration,
        "opt-outs": lambda run: _commonest(run, populations.opt_outs, "opt_outs", 12, rest=False),
    },
    "images": {
        "statuses": lambda run: _ended(run, images.statuses, images.statuses_table),
        "errors": lambda run: _ended(run, images.errors, images.errors_table),
        "sizes": lambda run: _pictured(run, images.sizes, images.sizes_table),
        "aspect-ratios": lambda run: _pictured(run, images.aspect_ratios, images.aspect_ratios_table),
        "bytes": lambda run: _pictured(run, images.sizes_in_bytes, _bytes_table),
        "duplicates": lambda run: _ended(run, images.duplicates, images.duplicates_table),
    },
    "training": {
        "scores": lambda run: _trained(run, training.scores, training.scores_table),
        "differences": lambda run: _trained(run, training.differences, training.differences_table),
    },
}
