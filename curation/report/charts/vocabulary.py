"""What a vocabulary is made of, and what of it never matches."""

from itertools import islice

import altair as alt
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.matcher import SCRIPT_LANGUAGES
from curation.core.text import can_match
from curation.errors import InputError
from curation.report.charts.axes import short
from curation.report.charts.bars import lying
from curation.report.charts.theme import Picture, finish, layered
from curation.report.inert import inert

MATCHED, UNMATCHED, IMPOSSIBLE = "matched", "not matched", "never could"
_KINDS = {MATCHED: "matched", UNMATCHED: "unmatched", IMPOSSIBLE: "impossible"}
_NO_SOURCE = "no source named"
_MOST_WORDS = 6
_EXAMPLES = 8


def possible(vocabulary: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell which entries some text could hold; under the script boundary, all.

    Args:
        vocabulary: columns of `ENTRIES` (m).

    Returns:
        Booleans (m).
    """
    scripts = pc.is_in(vocabulary["language"], pa.array(sorted(SCRIPT_LANGUAGES)))
    fits = can_match(vocabulary["entry"].combine_chunks())
    return np.asarray(pc.or_(scripts.combine_chunks(), fits), bool)


def sources_table(vocabulary: pa.Table, counts: pa.Table | None = None) -> pa.Table:
    """What each source gave, and what came of it.

    Args:
        vocabulary: columns of `ENTRIES`, in id order.
        counts: columns of `MATCH_COUNTS` of the same vocabulary; None before matching.

    Returns:
        `source`, `entries`, `added` (that no source before it had), `shared` (with others), `matched`,
        `unmatched` (but possible), `impossible`, `matches`. An entry counts for each of its sources. Without
        counts nothing is matched.

    Raises:
        InputError: the counts are of another vocabulary.
    """
    pairs = _pairs(vocabulary, counts)
    members, names = _membership(vocabulary)
    can = possible(vocabulary)
    first = np.argmax(members, axis=1) if len(names) else np.zeros(0, int)
    several = members.sum(axis=1) > 1
    rows = []
    for number, name in enumerate(names):
        mine = members[:, number]
        rows.append({
            "source": inert(name),
            "entries": int(mine.sum()),
            "added": int((first[mine] == number).sum()),
            "shared": int((mine & several).sum()),
            "matched": int((pairs[mine] > 0).sum()),
            "unmatched": int(((pairs[mine] == 0) & can[mine]).sum()),
            "impossible": int((~can[mine]).sum()),
            "matches": int(pairs[mine].sum()),
        })  # fmt: skip
    return pa.Table.from_pylist(rows, schema=_SOURCES)


_SOURCES = pa.schema([("source", pa.string())] + [
    (name, pa.int64())
    for name in ("entries", "added", "shared", "matched", "unmatched", "impossible", "matches")
])  # fmt: skip


def sources(vocabulary: pa.Table) -> Picture:
    """How many entries each source adds to those before it.

    Args:
        vocabulary: columns of `ENTRIES`, in id order.
    """
    table = sources_table(vocabulary)
    says = (
        f"{short(len(vocabulary))} entries from {len(table)} sources, in the order in which they were asked."
    )
    return finish(
        lying(table, name="source", value="added", axis="entries that no source before had"),
        title="What each source adds",
        says=says,
        description=f"A bar for each source. {says}",
    )


def never_matched(vocabulary: pa.Table, counts: pa.Table) -> Picture:
    """Of each source: the share of its entries that matches, that does not, and that cannot.

    Args:
        vocabulary: columns of `ENTRIES`, in id order.
        counts: columns of `MATCH_COUNTS` of the same vocabulary.

    Raises:
        InputError: the counts are of another vocabulary.
    """
    table = sources_table(vocabulary, counts)
    rows = [
        {"source": row["source"], "kind": kind, "entries": row[column], "order": place,
         "share": row[column] / max(1, row["entries"])}
        for row in table.to_pylist()
        for place, (kind, column) in enumerate(_KINDS.items())
    ]  # fmt: skip
    chart = (
        alt.Chart(alt.InlineData(values=rows), height=alt.Step(28))
        .mark_bar()
        .encode(
            y=alt.Y("source:N", sort=None, title=None),
            x=alt.X("share:Q", axis=alt.Axis(title="share of the source's entries", format="%")),
            color=alt.Color("kind:N").scale(domain=list(_KINDS)),
            order="order:Q",
            tooltip=["source:N", "kind:N", alt.Tooltip("entries:Q", format=","),
                     alt.Tooltip("share:Q", format=".1%")],
        )
    )  # fmt: skip
    never, can = _pairs(vocabulary, counts) == 0, possible(vocabulary)
    says = (
        f"{short(int(never.sum()))} of {short(len(never))} entries never match. Of these "
        f"{short(int((never & ~can).sum()))} never could: spacing takes them apart."
    )
    return finish(
        chart,
        title="What of each source matches",
        says=says,
        description=f"A bar for each of {len(table)} sources. {says}",
    )


def overlaps_table(vocabulary: pa.Table) -> pa.Table:
    """How many entries each two sources share.

    Args:
        vocabulary: columns of `ENTRIES`.

    Returns:
        `source`, `other`, `entries`, `share` of the entries of `source`; each pair both ways, and each source
        with itself.
    """
    members, names = _membership(vocabulary)
    both = members.T.astype(np.float64) @ members.astype(np.float64)
    return pa.Table.from_pylist([
        {"source": inert(one), "other": inert(other),
         "entries": int(both[i, j]), "share": both[i, j] / both[i, i]}
        for i, one in enumerate(names)
        for j, other in enumerate(names)
    ])  # fmt: skip


def overlaps(vocabulary: pa.Table) -> Picture:
    """How much of each source other sources have too.

    Args:
        vocabulary: columns of `ENTRIES`.
    """
    table = overlaps_table(vocabulary)
    names = list(dict.fromkeys(table["source"].to_pylist()))
    base = alt.Chart(alt.InlineData(values=table.to_pylist()), height=alt.Step(30)).encode(
        y=alt.Y("source:N", sort=names, title="of the entries of"),
        x=alt.X("other:N", sort=names, axis=alt.Axis(title="so many are also of", labelAngle=-35)),
    )
    cells = base.mark_rect().encode(
        color=alt.Color("share:Q", legend=None).scale(domain=[0, 1], range="ramp"),
        tooltip=[
            "source:N",
            "other:N",
            alt.Tooltip("entries:Q", format=","),
            alt.Tooltip("share:Q", format=".1%"),
        ],
    )
    words = (
        base.transform_filter("datum.share < 1").mark_text().encode(text=alt.Text("share:Q", format=".0%"))
    )
    members, _ = _membership(vocabulary)
    shared = int((members.sum(axis=1) > 1).sum())
    says = f"Entries that more than one source has: {short(shared)}."
    return finish(
        layered(cells, words),
        title="What sources share",
        says=says,
        description=f"A table in colours, {len(names)} sources by {len(names)}. {says}",
    )


def words_table(vocabulary: pa.Table) -> pa.Table:
    """How many words entries have.

    Args:
        vocabulary: columns of `ENTRIES`.

    Returns:
        `words` ("1" … "6 or more"), `entries`, `share`.
    """
    spaces = pc.count_substring(vocabulary["entry"], " ").to_numpy()
    numbers = np.bincount(np.minimum(spaces + 1, _MOST_WORDS), minlength=_MOST_WORDS + 1)[1:]
    names = [str(n) for n in range(1, _MOST_WORDS)] + [f"{_MOST_WORDS} or more"]
    return pa.table({"words": names, "entries": numbers, "share": numbers / max(1, len(spaces))})


def words(vocabulary: pa.Table) -> Picture:
    """How many words entries have.

    Args:
        vocabulary: columns of `ENTRIES`.
    """
    table = words_table(vocabulary)
    says = f"{table['share'][0].as_py():.0%} of the entries are single words."
    return finish(
        lying(table, name="words", value="entries", axis="entries"),
        title="How many words an entry has",
        says=says,
        description=f"A bar for each number of words. {says}",
    )


def examples_table(vocabulary: pa.Table, counts: pa.Table | None = None) -> pa.Table:
    """Some entries of each source: any, and some that never match, evenly spread over the vocabulary.

    Args:
        vocabulary: columns of `ENTRIES`, in id order.
        counts: columns of `MATCH_COUNTS` of the same vocabulary; None before matching.

    Returns:
        `source`, `entries`, `never_matched`, `can_never_match`: examples, inert, between bars. What matches
        is not known without counts, and the column empty.
    """
    pairs = _pairs(vocabulary, counts)
    members, names = _membership(vocabulary)
    can = possible(vocabulary)
    unmatched = (pairs == 0) & can & (counts is not None)
    rows = [
        {
            "source": inert(name),
            "entries": _some(vocabulary, members[:, number]),
            "never_matched": _some(vocabulary, members[:, number] & unmatched),
            "can_never_match": _some(vocabulary, members[:, number] & ~can),
        }
        for number, name in enumerate(names)
    ]
    columns = ("source", "entries", "never_matched", "can_never_match")
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in columns]))


def _some(vocabulary: pa.Table, chosen: npt.NDArray[np.bool_]) -> str:
    places = np.flatnonzero(chosen)
    spread = places[np.unique(np.linspace(0, len(places) - 1, _EXAMPLES).astype(int))] if len(places) else []
    entries = vocabulary["entry"].take(pa.array(spread, pa.int64())).to_pylist()
    return " | ".join(inert(entry) for entry in islice(entries, _EXAMPLES))


def _pairs(vocabulary: pa.Table, counts: pa.Table | None) -> npt.NDArray[np.int64]:
    """The count of each entry; zeros before matching."""
    if counts is None:
        return np.zeros(len(vocabulary), np.int64)
    if not counts["entry_id"].equals(vocabulary["entry_id"]) or not counts["entry"].equals(
        vocabulary["entry"]
    ):
        raise InputError("these counts are of another vocabulary; take both from one run")
    pairs: npt.NDArray[np.int64] = counts["count"].to_numpy()
    return pairs


def _membership(vocabulary: pa.Table) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Which entry is of which source, (m, s), and the sources in the order in which they first appear."""
    lists = vocabulary["sources"].combine_chunks()
    lengths = np.asarray(lists.value_lengths().fill_null(0), np.int64)
    named = pc.dictionary_encode(lists.flatten())
    names = named.dictionary.to_pylist()
    members = np.zeros((len(vocabulary), len(names) + 1), bool)
    members[np.repeat(np.arange(len(lengths)), lengths), named.indices.to_numpy(zero_copy_only=False)] = True
    members[:, -1] = lengths == 0
    if not members[:, -1].any():
        return members[:, :-1], names
    return members, [*names, _NO_SOURCE]
