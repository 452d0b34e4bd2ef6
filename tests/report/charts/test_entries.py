import pyarrow as pa

from curation.report.charts.balancing import AFTER, BEFORE
from curation.report.charts.entries import (
    before_after,
    heaviest,
    heaviest_table,
    labels,
    named_table,
    octaves,
    octaves_table,
    rarest,
    rarest_table,
)
from tests.report.charts.drawn import counts_of, points, svg, words
from tests.report.charts.drawn import labels as drawn_labels

COUNTS = counts_of(
    ("rare", 1, 1.0, 1), ("cat", 100, 0.1, 30), ("never", 0, 1.0, 0), ("dog", 40, 0.25, 35),
    ("fern", 8, 1.0, 8), ("oak", 1, 1.0, 1),
)  # fmt: skip


def test_heaviest_and_rarest_leave_out_what_never_matched():
    assert heaviest_table(COUNTS, 3)["label"].to_pylist() == ["cat", "dog", "fern"]
    assert rarest_table(COUNTS, 3)["label"].to_pylist() == ["rare", "oak", "fern"]
    assert len(heaviest_table(COUNTS)) == 5
    assert heaviest_table(COUNTS)["kept_count"].to_pylist()[:2] == [30, 35]


def test_named_entries_come_in_the_order_they_are_named():
    assert named_table(COUNTS, ["fern", "never", "no entry", "cat"])["label"].to_pylist() == [
        "fern",
        "never",
        "cat",
    ]
    assert len(named_table(COUNTS, [])) == 0


def test_entries_of_several_lists_tell_their_language():
    german = counts_of(("cat", 3, 1.0, 3), language="de").set_column(1, "entry_id", pa.array([9], pa.int32()))
    counts = pa.concat_tables([COUNTS, german])
    assert named_table(counts, ["cat"])["label"].to_pylist() == ["cat (en)", "cat (de)"]


def test_labels_are_inert_short_and_each_its_own():
    def row(entry, number):
        return {"entry": entry, "entry_id": number, "language": "en"}

    told = labels([row("a\u202eb", 1), row("a\u200bb", 2), row("w" * 500, 3), row("c", 4)])
    assert told == ["a\ufffdb #1", "a\ufffdb #2", "w" * 39 + "…", "c"]


def test_octaves_count_entries_before_and_after():
    rows = octaves_table(COUNTS).to_pylist()
    before = {row["pairs"]: row["entries"] for row in rows if row["series"] == BEFORE}
    after = {row["pairs"]: row["entries"] for row in rows if row["series"] == AFTER}
    assert {name: n for name, n in before.items() if n} == {
        "0": 1,
        "1": 2,
        "8-15": 1,
        "32-63": 1,
        "64-127": 1,
    }
    assert {name: n for name, n in after.items() if n} == {"0": 1, "1": 2, "8-15": 1, "16-31": 1, "32-63": 1}
    assert "1 of 6 entries match nothing" in words(octaves(COUNTS))
    assert "0" not in drawn_labels(octaves(COUNTS))


def test_dots_are_where_entries_were_and_are():
    chart = before_after(named_table(COUNTS, ["cat", "never"]), title="Named", says="As named.", t=10.0)
    dots = [(row["entry"], row["series"], row["pairs"]) for row in points(chart) if "pairs" in row]
    assert set(dots) == {("cat", BEFORE, 100), ("cat", AFTER, 30)}
    assert all(said in svg(chart) for said in ("t = 10", BEFORE, AFTER))
    assert "hold 93% of all matches" in words(heaviest(COUNTS, 10.0, 2))
    assert "Entries that match one pair: 2." in words(rarest(COUNTS, 10.0))


def test_before_balancing_there_is_no_after():
    matches = COUNTS.select(["language", "entry_id", "entry", "count"])
    assert AFTER not in drawn_labels(heaviest(matches))
    assert "carry" not in words(heaviest(matches))
    assert {row["series"] for row in octaves_table(matches).to_pylist()} == {BEFORE}
    svg(octaves(matches))


def test_entries_that_match_nothing_have_no_dots():
    chart = before_after(named_table(COUNTS, ["never"]), title="Named", says="As named.")
    assert "No such entry matches anything." in svg(chart)


def test_a_hostile_entry_is_drawn_as_text():
    counts = counts_of(("<script>alert(1)</script>\u202e", 5, 1.0, 5))
    drawn = svg(heaviest(counts))
    assert "<script>" not in drawn
    assert "\u202e" not in drawn
    assert "alert(1)" in drawn
