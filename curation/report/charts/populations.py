"""What pairs are like, step by step: languages, hosts, lengths; from profiles, however many pairs."""

from collections import Counter
from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.errors import InputError
from curation.report.charts.axes import log_axis, share_axis, short, thinned
from curation.report.charts.bars import colour_of, lying_by, standing
from curation.report.charts.ranges import FEW_EXACTLY, OCTAVES, TENTHS, Ranges
from curation.report.charts.theme import Picture, finish
from curation.report.inert import inert

Profiles = Mapping[str, pa.Table]
"""Tables of `PROFILE` by step, in the order of the steps."""


_SCHEMA = pa.schema(
    [("step", pa.string()), ("value", pa.string()), ("rows", pa.int64()), ("share", pa.float64())]
)
_LONGEST = 24  # characters of a name beside a bar
_REST = "all others"
_NONE = "not known"


def distribution_table(profiles: Profiles, facet: str) -> pa.Table:
    """How the rows of each step are spread over the values of a facet.

    Args:
        profiles: by step.
        facet: of `PROFILE`.

    Returns:
        `step`, `value` (inert), `rows`, `share` of the rows that the facet tells of in this step; in the
        order of the profiles.

    Raises:
        InputError: no step has this facet.
    """
    rows = []
    for step, profile in profiles.items():
        mine = profile.filter(pc.equal(profile["facet"], facet))
        numbers: Counter[str] = Counter()  # values that differ in what is not shown become one
        for row in mine.to_pylist():
            numbers[inert(row["value"])] += row["rows"]
        total = max(1, numbers.total())
        rows += [
            {"step": step, "value": value, "rows": number, "share": number / total}
            for value, number in numbers.items()
        ]
    if not rows:
        raise InputError(f"no profile tells of {facet}; it was left out, or there was nothing to tell")
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def commonest_table(profiles: Profiles, facet: str, top: int, *, rest: bool = True) -> pa.Table:
    """As `distribution_table`, of the commonest values only.

    Args:
        profiles: by step.
        facet: of `PROFILE`.
        top: how many values, the commonest by their largest share in any step.
        rest: whether the others are told of together, last.

    Raises:
        InputError: no step has this facet.
    """
    table = distribution_table(profiles, facet)
    largest: dict[str, float] = {}
    for row in table.to_pylist():
        if row["value"] or facet != "host":
            largest[row["value"]] = max(row["share"], largest.get(row["value"], 0))
    shown = sorted(largest, key=lambda value: (-largest[value], value))[:top]
    by_step = {(row["step"], row["value"]): row for row in table.to_pylist()}
    found = [
        row | {"value": value or _NONE}
        for value in shown
        for step in profiles
        if (row := by_step.get((step, value)))
    ]
    if rest:
        found += _others(table, set(shown), list(profiles))
    return pa.Table.from_pylist(found, schema=_SCHEMA)


def _others(table: pa.Table, shown: set[str], steps: list[str]) -> list[dict[str, object]]:
    others = []
    for step in steps:
        left = [row for row in table.to_pylist() if row["step"] == step and row["value"] not in shown]
        if left:
            sums = {name: sum(row[name] for row in left) for name in ("rows", "share")}
            others.append({"step": step, "value": _REST} | sums)
    return others


def ranges_table(profiles: Profiles, facet: str, ranges: Ranges) -> pa.Table:
    """As `distribution_table`, of a facet of numbers, in their order and with their ranges in words.

    Ranges between those that are there are there too, with no rows.

    Args:
        profiles: by step.
        facet: of `PROFILE`; its values are the lower bounds of ranges.
        ranges: how it is cut.

    Raises:
        InputError: no step has this facet.
    """
    table = distribution_table(profiles, facet)
    there = {(row["step"], float(row["value"])): row for row in table.to_pylist() if row["value"]}
    steps = dict.fromkeys(step for step, _ in there)
    rows = [
        {"rows": 0, "share": 0.0} | there.get((step, bound), {}) | {"step": step, "value": ranges.name(bound)}
        for bound in ranges.filled({bound for _, bound in there})
        for step in steps
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def languages(profiles: Profiles, top: int = 12) -> Picture:
    """The commonest languages.

    Args:
        profiles: by step.
        top: how many.
    """
    return _names(profiles, "language", top, "Languages", "share of the pairs")


def text_sources(profiles: Profiles) -> Picture:
    """Where texts come from: alt, title, captions."""
    return _names(profiles, "text_source", 8, "Where texts come from", "share of the pairs")


def opt_outs(profiles: Profiles) -> Picture:
    """What pages say against use, where it was recorded."""
    return _names(profiles, "opt_outs", 12, "What owners say against use", "share of the signals", rest=False)


def hosts(profiles: Profiles, top: int = 15) -> Picture:
    """The hosts that serve the most images.

    Args:
        profiles: by step.
        top: how many.
    """
    return _names(profiles, "host", top, "The heaviest hosts", "share of the rows", rest=False)


def concentration_table(profiles: Profiles) -> pa.Table:
    """What share of the rows the heaviest hosts hold together.

    Args:
        profiles: by step; they know the thousand heaviest hosts.

    Returns:
        `step`, `hosts` (how many, from the heaviest on), `share`; exact, thinned on a logarithmic axis.

    Raises:
        InputError: no step knows of hosts.
    """
    table = distribution_table(profiles, "host")
    rows = []
    for step in profiles:
        mine = table.filter(pc.equal(table["step"], step))
        heaviest = np.sort(mine.filter(pc.not_equal(mine["value"], ""))["share"].to_numpy())[::-1]
        sums = np.cumsum(heaviest)
        rows += [
            {"step": step, "hosts": int(place) + 1, "share": float(sums[place])}
            for place in thinned(len(sums), exact=20, points=100)
        ]
    columns = [("step", pa.string()), ("hosts", pa.int64()), ("share", pa.float64())]
    return pa.Table.from_pylist(rows, schema=pa.schema(columns))


def host_concentration(profiles: Profiles) -> Picture:
    """How much a few hosts hold.

    Args:
        profiles: by step.
    """
    table = concentration_table(profiles)
    most = pc.max(table["hosts"]).as_py()
    chart = (
        alt.Chart(alt.InlineData(values=table.to_pylist()))
        .mark_line(point=most == 1)
        .encode(
            x=alt.X("hosts:Q", axis=log_axis("so many hosts, the heaviest first", 1, most)).scale(
                type="log", domain=[1, max(2, most)], nice=False
            ),
            y=alt.Y("share:Q", axis=share_axis("share that they hold")).scale(domain=[0, 1]),
            color=colour_of("step", list(profiles)),
            tooltip=["step:N", alt.Tooltip("hosts:Q", format=","), alt.Tooltip("share:Q", format=".1%")],
        )
    )
    last = list(profiles)[-1]
    says = f"Hosts in {last}: {_host_number(profiles[last])}; the heaviest ten hold {_ten(table, last):.0%}."
    return finish(
        chart,
        title="How much a few hosts hold",
        says=says,
        description=f"A rising line for each step, up to {most} hosts. {says}",
    )


def text_lengths(profiles: Profiles) -> Picture:
    """How long texts are.

    Args:
        profiles: by step.
    """
    table = ranges_table(profiles, "text_length", OCTAVES)
    return _ranges(table, profiles, "How long texts are", "characters of a text")


def entries_per_text(profiles: Profiles) -> Picture:
    """How many entries a text matches.

    Args:
        profiles: by step; those that know.
    """
    known = {step: one for step, one in profiles.items() if _has(one, "entries_per_text")} or profiles
    table = ranges_table(known, "entries_per_text", FEW_EXACTLY)
    return _ranges(table, known, "How many entries a text matches", "entries in one text")


def keep_probabilities(profile: pa.Table) -> Picture:
    """How likely pairs of the curated set were to be kept.

    Args:
        profile: of the curated pairs.
    """
    profiles = {"curated": profile}
    table = ranges_table(profiles, "keep_probability", TENTHS)
    return _ranges(table, profiles, "How likely the kept pairs were", "keep probability")


def _names(profiles: Profiles, facet: str, top: int, title: str, axis: str, *, rest: bool = True) -> Picture:
    known = {step: one for step, one in profiles.items() if _has(one, facet)} or profiles
    table = commonest_table(known, facet, top, rest=rest)
    table = table.set_column(1, "value", pa.array(_ends(table["value"].to_pylist()), pa.string()))
    first = table.filter(pc.equal(table["step"], list(known)[-1])).slice(0, 1).to_pylist()
    says = f"In {first[0]['step']}, {first[0]['value']} has {first[0]['share']:.0%}." if first else ""
    return finish(
        lying_by(table, name="value", series="step", value="share", axis=axis, order=list(known)),
        title=title,
        says=says,
        description=f"Bars by {facet.replace('_', ' ')} for {', '.join(known)}. {says}",
    )


def _ends(names: Sequence[str]) -> list[str]:
    """Names cut to their ends, which tell of a host whose it is; unless two would look the same."""
    cut = {name: name if len(name) <= _LONGEST else "…" + name[1 - _LONGEST :] for name in names}
    times = Counter(cut.values())
    return [cut[name] if times[cut[name]] == 1 else name for name in names]


def _ranges(table: pa.Table, profiles: Profiles, title: str, axis: str) -> Picture:
    order = [step for step in profiles if step in set(table["step"].to_pylist())]
    last = table.filter(pc.equal(table["step"], order[-1])).to_pylist()
    says = f"The median in {order[-1]}: {_median(last)}."
    return finish(
        standing(table, bucket="value", series="step", value="share", axis=axis, order=order),
        title=title,
        says=says,
        description=f"Shares by {axis} for {', '.join(order)}. {says}",
    )


def _median(rows: list[dict[str, float]]) -> object:
    """The range that holds the middle row."""
    half, seen = sum(row["rows"] for row in rows) / 2, 0.0
    for row in rows:
        seen += row["rows"]
        if seen >= half:
            return row["value"]
    return ""


def _has(profile: pa.Table, facet: str) -> bool:
    return bool(pc.any(pc.equal(profile["facet"], facet)).as_py())


def _host_number(profile: pa.Table) -> str:
    rows = profile.filter(pc.equal(profile["facet"], "hosts"))["rows"].to_pylist()
    return short(rows[0]) if rows else "not known"


def _ten(table: pa.Table, step: str) -> float:
    mine = table.filter(pc.and_(pc.equal(table["step"], step), pc.less_equal(table["hosts"], 10)))
    return float(pc.max(mine["share"]).as_py() or 0)
