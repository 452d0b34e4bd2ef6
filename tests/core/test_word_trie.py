"""The kernel against the obvious search, where hashing, growing and blocks could go wrong."""

import random
import re

import ahocorasick_rs
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core import word_trie
from curation.core.matcher import Matcher
from curation.core.text import space
from curation.vocabulary.vocabulary import read_vocabulary
from tests import reference
from tests.core.test_matcher import captions

MASK = 2**64 - 1

# Few tokens, so that runs of them meet; short and long ones, on both sides of where a key becomes a hash.
TOKENS = [
    "",
    "a",
    "b",
    "\x00",
    "\x00\x00",
    "sevenby",
    "eightbyt",
    "eightbyu",
    "sixteen bytes it".replace(" ", "_"),
]
TOKENS += ["sixteen_bytes_is", "ééé\u0301", "漢字漢字", "🐱🐱", ",", ".", "."]
RUNS = st.lists(st.sampled_from(TOKENS), max_size=12).map(" ".join)
ENTRIES = st.lists(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=4).map(" ".join), max_size=25)


@given(ENTRIES, st.lists(RUNS | st.none(), max_size=10))
def test_runs_of_tokens_equal_naive_search(entries, texts):
    found = Matcher(entries).match(pa.array(texts, pa.string())).to_pylist()
    assert found == [None if text is None else reference.match(entries, text) for text in texts]


def mix(key):
    key = key * int(word_trie._MULTIPLIER) & MASK
    return key ^ key >> 32


def colliding_tokens(rng, count):
    """Tokens of 16 bytes with one key: for any first half there is a second half that leads to the same."""
    tokens, first = [b"collide!" + b"sideways"], b"collide!"
    goal = mix(int.from_bytes(first)) ^ int.from_bytes(b"sideways")
    while len(tokens) < count:
        first = bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=8))
        second = (mix(int.from_bytes(first)) ^ goal).to_bytes(8)
        if all(33 <= byte < 127 and byte not in b",.;:?!`" for byte in second):
            tokens.append(first + second)
    return [token.decode() for token in tokens]


def test_tokens_with_one_hash_are_told_apart():
    tokens = colliding_tokens(random.Random(0), 6)
    arrays = [np.frombuffer(token.encode(), np.uint8) for token in tokens]
    keys = {int(word_trie._token_key(array, 0, len(array))) for array in arrays}
    assert len(keys) == 1, "these tokens must collide, or this tests nothing"
    entries, strangers = tokens[:4], tokens[4:]
    texts = [*tokens, " ".join(tokens), f"{tokens[1]} {tokens[0]}", tokens[0][:15], tokens[0] + "x"]
    entries += [f"{tokens[1]} {tokens[0]}", f"{tokens[0]} {strangers[0]}"]
    found = Matcher(entries).match(pa.array(texts)).to_pylist()
    assert found == [reference.match(entries, text) for text in texts]


def unmix(key):
    return (key ^ key >> 32) * pow(int(word_trie._MULTIPLIER), -1, 2**64) & MASK


def prefix_with_the_key_of_the_whole(rng):
    """16 bytes, and 24 that begin with them, with one key although it has the length in it."""
    while True:
        start = bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=16))
        state = mix(mix(int.from_bytes(start[:8])) ^ int.from_bytes(start[8:]))
        end = (unmix(unmix(mix(state) ^ 16 ^ 24)) ^ state).to_bytes(8)
        if all(33 <= byte < 127 and byte not in b",.;:?!`" for byte in end):
            return start.decode(), (start + end).decode()


def test_a_token_is_not_taken_for_one_that_it_begins():
    prefix, whole = prefix_with_the_key_of_the_whole(random.Random(3))
    keys = [
        int(word_trie._token_key(np.frombuffer(token.encode(), np.uint8), 0, len(token)))
        for token in (prefix, whole)
    ]
    assert keys[0] == keys[1], "these tokens must collide, or this tests nothing"
    texts = pa.array([prefix, whole, f"{prefix} {whole}"])
    assert Matcher([whole]).match(texts).to_pylist() == [[], [0], [0]]
    assert Matcher([prefix]).match(texts).to_pylist() == [[0], [], [0]]
    assert Matcher([whole, prefix]).match(texts).to_pylist() == [[1], [0], [0, 1]]


def test_short_tokens_that_share_a_row_are_told_apart():
    """All want the first row of the table, so they lie in one long run, and strangers probe it all."""
    rng, same = random.Random(1), []
    while len(same) < 40:
        token = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=6))
        if mix(1 << 48 | int.from_bytes(token.encode())) & 127 == 0:
            same.append(token)
    entries = same[:30]
    texts = [*same, " ".join(same)]
    found = Matcher(entries).match(pa.array(texts)).to_pylist()
    assert found == [reference.match(entries, text) for text in texts]


def test_random_words_over_many_blocks():
    """Thousands of texts, each block of another length, and lists on both sides of 32 matches."""
    rng = random.Random(2)
    words = ["".join(rng.choices("abcdefg,.", k=rng.randint(1, 12))) for _ in range(300)]
    entries = list(
        dict.fromkeys(" ".join(rng.choices(words, k=rng.choice([1, 1, 2, 3]))) for _ in range(2000))
    )
    texts = [" ".join(rng.choices(words, k=int(rng.paretovariate(0.7)) % 150)) for _ in range(3000)]
    search = reference.Lookup(entries)
    found = Matcher(entries).match(pa.array(texts)).to_pylist()
    assert found == [search.match(text) for text in texts]
    assert max(map(len, found)) > word_trie._FEW


@pytest.mark.parametrize("length", [word_trie._LONG_TEXT - 1, word_trie._LONG_TEXT, 3_000_001])
def test_long_texts_between_short_ones(length):
    entries = ["cat", "a a", ",", "a , a", ""]
    long = ("a , a " * (length // 6 + 1))[:length]
    texts = ["cat", long, "", long + " cat", "a a"]
    search = reference.Lookup(entries)
    assert Matcher(entries).match(pa.array(texts)).to_pylist() == [search.match(text) for text in texts]


def test_more_matches_than_room_was_made_for():
    entries = [f"w{number}" for number in range(5000)]
    text = " ".join(reversed(entries))
    assert Matcher(entries).match(pa.array([text, "w1", text])).to_pylist() == [
        list(range(5000)),
        [1],
        list(range(5000)),
    ]


def test_nulls_with_bytes_behind_them_match_nothing():
    texts = pa.array(["cat", "cat", "cat"])
    hidden = pa.StringArray.from_buffers(3, texts.buffers()[1], texts.buffers()[2], pa.py_buffer(b"\x05"))
    found = Matcher(["cat", ""]).match(hidden)
    assert found.to_pylist() == [[0], None, [0]]
    assert found.values.to_pylist() == [0, 0]


@pytest.mark.parametrize("name", ["cc3m-validation", "coco-val2017"])
def test_all_real_captions_with_half_a_million_entries(shared_data, wordnet, name):
    """The second opinion is an Aho-Corasick automaton over ` entry `, and shares nothing."""
    texts = captions(shared_data, name)
    entries = half_a_million(read_vocabulary(str(wordnet)).entries("en").to_pylist(), texts)
    array = pa.array(texts)
    search = ahocorasick_rs.AhoCorasick([f" {entry} " for entry in entries], store_patterns=False)
    expected = [
        sorted({number for number, _, _ in search.find_matches_as_indexes(text, overlapping=True)})
        for text in space(array).to_pylist()
    ]
    assert Matcher(entries).match(array).to_pylist() == expected
    assert sum(map(len, expected)) > 8 * len(texts)


def half_a_million(entries, texts):
    """WordNet's names, what runs of words the texts have, and the same words in other orders."""
    found = dict.fromkeys(entries)
    for text in texts:
        words = text.split(" ")
        for first in range(len(words)):
            for size in (1, 2, 3):
                found.setdefault(" ".join(words[first : first + size]))
    words = sorted({word for text in texts for word in text.split(" ")})
    rng = random.Random(0)
    while len(found) < 510_000:
        found.setdefault(" ".join(rng.choices(words, k=2)))
    return [entry for entry in found if entry and not re.search(r"[\r\n]", entry)][:500_000]
