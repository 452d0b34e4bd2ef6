import pyarrow as pa
import pytest

from curation.errors import InputError
from curation.report.charts.vocabulary import (
    examples_table,
    never_matched,
    overlaps,
    overlaps_table,
    possible,
    sources,
    sources_table,
    words,
    words_table,
)
from curation.schemas import ENTRIES
from tests.report.charts import drawn
from tests.report.charts.drawn import counts_of, points, svg

LISTED = [("7", ["digits"]), ("cat", ["wordnet", "titles"]), ("St. Louis", ["titles"]),
          ("red fox", ["wordnet"]), ("oak", [])]  # fmt: skip
VOCABULARY = pa.Table.from_pylist(
    [
        {"entry_id": n, "entry": entry, "language": "en", "sources": named, "count": None}
        for n, (entry, named) in enumerate(LISTED)
    ],
    ENTRIES,
)
COUNTS = counts_of(
    *((entry, count, 1.0, count) for (entry, _), count in zip(LISTED, [3, 9, 0, 0, 0], strict=True))
)


def test_each_source_is_told_by_what_it_gave_and_what_came_of_it():
    rows = {row["source"]: row for row in sources_table(VOCABULARY, COUNTS).to_pylist()}
    assert list(rows) == ["digits", "wordnet", "titles", "no source named"]
    assert rows["wordnet"] == {
        "source": "wordnet", "entries": 2, "added": 2, "shared": 1, "matched": 1, "unmatched": 1,
        "impossible": 0, "matches": 9,
    }  # fmt: skip
    titles = rows["titles"]
    assert (titles["added"], titles["unmatched"], titles["impossible"]) == (1, 0, 1)
    assert sum(row["added"] for row in rows.values()) == len(VOCABULARY)
    assert {row["matched"] for row in sources_table(VOCABULARY).to_pylist()} == {0}


def test_what_spacing_takes_apart_can_never_match_but_in_scripts_without_spaces():
    assert possible(VOCABULARY).tolist() == [True, True, False, True, True]
    thai = VOCABULARY.set_column(2, "language", pa.array(["th"] * 5))
    assert possible(thai).all()


def test_counts_of_another_vocabulary_are_refused():
    with pytest.raises(InputError, match="another vocabulary"):
        sources_table(VOCABULARY, COUNTS.slice(1))
    with pytest.raises(InputError, match="another vocabulary"):
        never_matched(VOCABULARY, COUNTS.set_column(2, "entry", pa.array(list("abcde"))))


def test_overlaps_go_both_ways():
    rows = {
        (row["source"], row["other"]): (row["entries"], row["share"])
        for row in overlaps_table(VOCABULARY).to_pylist()
    }
    assert rows["wordnet", "titles"] == (1, 0.5)
    assert rows["titles", "wordnet"] == (1, 0.5)
    assert rows["digits", "wordnet"] == (0, 0)
    assert "Entries that more than one source has: 1." in drawn.words(overlaps(VOCABULARY))
    svg(overlaps(VOCABULARY))


def test_words_are_counted():
    table = {row["words"]: row["entries"] for row in words_table(VOCABULARY).to_pylist()}
    assert table == {"1": 3, "2": 2, "3": 0, "4": 0, "5": 0, "6 or more": 0}
    assert "60% of the entries are single words" in drawn.words(words(VOCABULARY))


def test_examples_tell_apart_what_did_not_match_and_what_cannot():
    rows = {row["source"]: row for row in examples_table(VOCABULARY, COUNTS).to_pylist()}
    assert rows["titles"] == {"source": "titles", "entries": "cat | St. Louis", "never_matched": "",
                              "can_never_match": "St. Louis"}  # fmt: skip
    assert rows["wordnet"]["never_matched"] == "red fox"
    assert {row["never_matched"] for row in examples_table(VOCABULARY).to_pylist()} == {""}


def test_charts_say_it_in_words():
    said = drawn.words(never_matched(VOCABULARY, COUNTS))
    assert "3 of 5 entries never match. Of these 1 never could" in said
    shares = {(row["source"], row["kind"]): row["share"] for row in points(never_matched(VOCABULARY, COUNTS))}
    assert shares["titles", "never could"] == 0.5
    assert "5 entries from 4 sources" in drawn.words(sources(VOCABULARY))
    svg(sources(VOCABULARY))
