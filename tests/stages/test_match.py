import pyarrow as pa

from curation.schemas import MATCHES
from curation.stages.match import match
from tests.stages.conftest import pairs

LISTS = {"en": pa.array(["cat", "dog", "hot dog"])}


def test_matches_and_reasons(same_rows):
    texts = ["a cat", "hot dog, cat", "bird", ""]
    rows = same_rows(pairs(texts), lambda df: match(df, lists=LISTS, sha256="x"))
    assert list(rows[0]) == [*MATCHES.names, "drop_reason"]
    assert {row["text"]: (row["entry_ids"], row["drop_reason"]) for row in rows} == {
        "a cat": ([0], None),
        "hot dog, cat": ([0, 1, 2], None),
        "bird": ([], "no_match"),
        "": ([], "no_match"),
    }


def test_another_vocabulary_in_the_same_worker(same_rows):
    """Workers keep the automaton of a vocabulary, not of the first one they saw."""
    for entry, expected in (("cat", [0]), ("bird", [])):
        lists = {"en": pa.array([entry])}
        rows = same_rows(pairs(["a cat"]), lambda df, lists=lists: match(df, lists=lists, sha256=str(lists)))
        assert rows[0]["entry_ids"] == expected
