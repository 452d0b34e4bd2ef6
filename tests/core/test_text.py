import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from curation.core.matcher import Matcher
from curation.core.text import can_match, space
from tests import reference

HOSTILE = st.text(alphabet="ab,.;:?!` \t\n\r\u00a0\u0301é漢🐱\x00")


@given(st.lists(HOSTILE | st.text()))
def test_space_equals_the_character_by_character_reference(texts):
    assert space(pa.array(texts, pa.string())).to_pylist() == [reference.space(text) for text in texts]


def test_space_keeps_nulls_types_and_slices():
    texts = pa.array(["x", None, "a,b", "y"], pa.large_string())[1:3]
    spaced = space(texts)
    assert spaced.type == pa.large_string()
    assert spaced.to_pylist() == [None, " a , b "]


@given(st.text(alphabet="ab,. \n", min_size=1, max_size=6), st.text(alphabet="ab,. \n", max_size=12))
@example(". .", "..")
@example(",  ,", ",,")
def test_an_entry_that_cannot_match_never_does(entry, text):
    possible = can_match(pa.array([entry]))[0].as_py()
    if reference.match([entry], text):
        assert possible
    if possible:  # then some text holds it: the entry itself, with the spaces of its punctuation taken back
        padded = f" {entry} "
        for mark in ",.":
            padded = padded.replace(f" {mark} ", mark)
        assert Matcher([entry]).match(pa.array([padded])).to_pylist() == [[0]]


def test_can_match_by_example():
    entries = ["St. Louis", "St .  Louis", "Yahoo!", ".", ". .", "hot dog", "a , b", "a\tb", "C++"]
    assert can_match(pa.array(entries)).to_pylist() == [
        False, True, False, True, False, True, True, False, True,
    ]  # fmt: skip
