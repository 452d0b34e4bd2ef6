from pathlib import Path

from curation.record import RunRecord
from curation.report.charts.funnel import funnel, funnel_table, reasons, reasons_table
from tests.report.charts.drawn import points, svg, words


def record(job, rows, dropped):
    return RunRecord(
        job=job, run_id="x", semantics=1, config={}, inputs=[], rows={"in": rows[0], "out": rows[1]},
        dropped=dropped, facts={}, seconds=1.25, made={}, folder=Path("/data") / job,
    )  # fmt: skip


RECORDS = [
    record("extract", (100, 60), {"empty_text": 10, "duplicate": 30}),
    record("match", (60, 6), {"no_match": 54}),
]


def test_the_table_says_what_each_step_kept_and_why_it_dropped():
    assert funnel_table(RECORDS).to_pylist()[0] == {
        "step": "extract", "pairs_in": 100, "pairs_out": 60, "dropped": 40, "share": 0.6,
        "reasons": "duplicate 30, empty_text 10",
    }  # fmt: skip
    assert reasons_table(RECORDS).to_pylist() == [
        {"reason": "extract: duplicate", "pairs": 30, "share": 0.3},
        {"reason": "extract: empty_text", "pairs": 10, "share": 0.1},
        {"reason": "match: no_match", "pairs": 54, "share": 0.9},
    ]


def test_bars_are_what_goes_on_and_what_is_dropped():
    bars = {(row["step"], row["what"]): row["pairs"] for row in points(funnel(RECORDS))}
    assert bars == {("extract", "go on"): 60, ("extract", "are dropped"): 40, ("match", "go on"): 6,
                    ("match", "are dropped"): 54}  # fmt: skip
    assert "Of 100 pairs 6 are left at the end (6.0%)." in words(funnel(RECORDS))
    assert "60 (60.0%)" in svg(funnel(RECORDS))


def test_the_commonest_reason_is_named():
    assert "The commonest is match: no_match: 90.0%." in words(reasons(RECORDS))
    assert "no_match" in svg(reasons(RECORDS))


def test_where_nothing_came_or_was_dropped():
    assert "Nothing was dropped." in words(reasons([record("match", (5, 5), {})]))
    svg(reasons([record("match", (5, 5), {})]))
    svg(funnel([record("extract", (0, 0), {})]))
