import json

import altair as alt
import pyarrow as pa
import pytest

from curation.report.card.figures import ROWS, figure, figures
from curation.report.tables import Run
from tests.report.card.runs import LONG, TURNED, make_pool


def drawn(table):
    chart = alt.Chart(alt.InlineData(values=table.to_pylist())).mark_bar().encode(x="n:Q", y="name:N")
    title = alt.TitleParams(text=["What", "one sees"], subtitle=["It comes", "to 3."])
    return figure("bars", chart.properties(title=title, description="Bars."), table)


@pytest.fixture
def bars():
    return drawn(
        pa.table({"name": [TURNED, LONG, None], "n": [1, 20000, 3], "tail_share": [0.5, 0.25, None]})
    )


def test_words_of_a_chart_are_the_pages(bars):
    assert (bars.title, bars.says, bars.description) == ("What one sees", "It comes to 3.", "Bars.")
    assert not {"title", "description", "config", "$schema"} & set(bars.spec)


def test_words_in_a_chart_are_harmless(bars):
    (rows,) = bars.spec["datasets"].values()
    names = [row["name"] for row in rows]
    assert names[0] == "\ufffdgnp.exe"
    assert len(names[1]) < 1000
    assert names[2] is None
    assert TURNED not in json.dumps(bars.spec, ensure_ascii=False)


def test_numbers_are_those_of_the_table(bars):
    assert [(column.name, column.number) for column in bars.numbers.columns] == [
        ("name", False), ("n", True), ("tail share", True)]  # fmt: skip
    assert bars.numbers.rows == [
        ["\ufffdgnp.exe", "1", "0.5"], [LONG[:120] + "…", "20,000", "0.25"], ["", "3", ""]]  # fmt: skip
    assert bars.numbers.left_out == 0


def test_long_tables_are_cut_and_say_so():
    many = drawn(pa.table({"name": ["x"] * (ROWS + 7), "n": range(ROWS + 7)}))
    assert (len(many.numbers.rows), many.numbers.left_out) == (ROWS, 7)


def test_a_whole_run_has_all_chapters(work):
    found = figures(Run.open(str(work)))
    assert {chapter: [one.name for one in charts] for chapter, charts in found.items()} == {
        "funnel": ["funnel", "reasons"],
        "balance": ["ranks", "cumulative", "size-curve", "tail-curve", "heaviest", "octaves",
                    "keep-probabilities", "never-matched"],
        "texts": ["languages", "text-sources", "text-lengths", "entries-per-text"],
        "web": ["hosts", "concentration"],
        "images": ["statuses", "errors", "sizes", "aspect-ratios", "bytes", "duplicates"],
        "training": [],
    }  # fmt: skip
    heaviest = next(one for one in found["balance"] if one.name == "heaviest").numbers.rows
    assert heaviest[0][0] == "cat"
    assert "400" in heaviest[0]
    assert all(one.numbers.rows for charts in found.values() for one in charts)


def test_what_the_run_lacks_is_left_out(tmp_path):
    make_pool(tmp_path / "pool", profiles=False)
    found = figures(Run.open(str(tmp_path)))
    assert {chapter: len(charts) for chapter, charts in found.items() if charts} == {"funnel": 2}
