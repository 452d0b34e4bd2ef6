from hypothesis import given
from hypothesis import strategies as st

from tests import reference

ALPHABET = "ab ,.!\t\n\u00a0é"


@given(
    st.lists(st.text(alphabet=ALPHABET, min_size=1, max_size=6), min_size=1, max_size=12),
    st.text(alphabet=ALPHABET, max_size=30),
)
def test_the_two_ways_to_match_agree(entries, text):
    assert reference.Lookup(entries).match(text) == reference.match(entries, text)
