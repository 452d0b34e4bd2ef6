import gzip
import math
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.vocabulary.word_list import SOURCES, choose, pair_scores, phrases, read_word_counts

packed = partial(gzip.compress, mtime=0)  # or names of tests would have the time in them

Counts = list[tuple[str, int]]


def entries(chosen: dict[str, dict[str, int]]) -> list[str]:
    return [entry for forms in chosen.values() for entry in forms]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("words.txt", b"fox\t12\nred fox\t3\n\xc3\xbcber\t1\n"),
        ("words", b"fox\t12\nred fox\t3\n\xc3\xbcber\t1"),
        ("words.tsv", b"fox\t12\r\nred fox\t3\r\n\xc3\xbcber\t1\r\n"),
        ("words.txt.gz", packed(b"fox\t12\nred fox\t3\n\xc3\xbcber\t1\n")),
    ],
)
def test_reads_words_and_counts_in_the_order_of_the_file(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert read_word_counts(str(tmp_path / name)) == [("fox", 12), ("red fox", 3), ("über", 1)]


def test_reads_urls() -> None:
    fsspec.filesystem("memory").pipe_file("/words.txt", b"fox\t12\n")
    assert read_word_counts("memory://words.txt") == [("fox", 12)]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hare",
        b"hare 3",
        b"\t3",
        b" \t3",
        b"hare\t",
        b"hare\tthree",
        b"hare\t-3",
        b"hare\t3.5",
        b"hare\t3\t4",
        b"hare\t\xd9\xa3",
        b"hare\t" + b"9" * 19,
        b"h\xe4re\t3",
    ],
)
def test_a_malformed_line_is_named(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"fox\t12\n" + line + b"\nhare\t1\n")
    with pytest.raises(InputError, match=r"words\.txt: line 2 is not ") as caught:
        read_word_counts(str(path))
    assert "\n" not in str(caught.value)


def test_an_empty_or_missing_list_says_so(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_bytes(b"")
    with pytest.raises(InputError, match="line 1 is not words, a tab and a count"):
        read_word_counts(str(tmp_path / "words.txt"))
    with pytest.raises(InputError, match="no such file"):
        read_word_counts(str(tmp_path / "none.txt"))


def test_words_come_in_three_forms_as_strong_as_they_are_used() -> None:
    words = [("fox", 1000), ("hare", 90), ("lynx", 110)]
    chosen = choose(words, [], taken=[], size=6)
    assert chosen["words"] == {"fox": 1000, "lynx": 110}
    assert chosen["capitalised words"] == {"Fox": 1000, "Lynx": 110, "Hare": 90}
    assert chosen["upper-case words"] == {"FOX": 1000}
    assert list(chosen) == list(SOURCES)
    assert list(chosen["capitalised words"]) == ["Fox", "Lynx", "Hare"]


def test_what_is_taken_fills_no_place_and_is_told() -> None:
    words = [("fox", 1000), ("hare", 90)]
    chosen = choose(words, [], taken=["fox", "Hare", "99"], size=6)
    assert chosen["words"] == {"fox": 1000, "hare": 90}
    assert chosen["capitalised words"] == {"Fox": 1000, "Hare": 90}
    assert chosen["upper-case words"] == {"FOX": 1000}
    assert choose(words, [], taken=["a", "b", "c"], size=2) == {source: {} for source in SOURCES}


def test_a_form_that_is_written_like_another_comes_once() -> None:
    chosen = choose([("a", 50), ("10th", 40), ("A", 30)], [], taken=[], size=100)
    assert chosen["words"] == {"a": 50, "10th": 40}
    assert chosen["capitalised words"] == {"A": 50}
    assert chosen["upper-case words"] == {"10TH": 40}


def test_counts_of_a_word_that_comes_twice_are_added() -> None:
    assert choose([("fox", 3), ("fox", 4)], [], taken=[], size=1)["capitalised words"] == {"Fox": 7}


def test_words_that_are_too_rare_are_left_out() -> None:
    words = [("fox", 39_999_990), ("typo", 2), ("tpyo", 1)]
    assert list(choose(words, [], taken=[], size=100)["words"]) == ["fox", "typo"]


def test_names_of_known_words_come_capitalised() -> None:
    taken = ["great dane", "great auk", "a great dane", "great", "Great Lakes"]
    words = [("great", 100), ("dane", 10), ("auk", 20), ("lakes", 30), ("filler", 5)]
    chosen = choose(words, [], taken=taken, size=5 + 2 * 16)
    assert chosen["capitalised names"] == {"Great Auk": 20, "Great Dane": 10}
    assert choose(words, [], taken=taken, size=5 + 16)["capitalised names"] == {"Great Auk": 20}
    assert choose(words, [], taken=taken, size=5 + 15)["capitalised names"] == {}


WORDS = [("the", 1000), ("red", 300), ("fox", 200), ("hot", 90), ("dog", 80), ("of", 900), ("rare", 5)]
PAIRS = [("red fox", 150), ("hot dog", 20), ("of the", 200), ("the dog", 30), ("rare dog", 1), ("no such", 9)]


def test_pairs_are_ranked_by_use_and_information() -> None:
    scores = pair_scores(dict(WORDS), dict(PAIRS))
    total = sum(count for _, count in WORDS)
    information = {
        pair: math.log2(count / total / (dict(WORDS)[a] / total) / (dict(WORDS)[b] / total))
        for pair, count in PAIRS[:-1]
        for a, b in [pair.split()]
    }
    least = float(np.percentile(list(information.values()), 30))
    expected = {pair: (dict(PAIRS)[pair] + 1) ** 0.7 * (information[pair] - least) for pair in information}
    assert scores == pytest.approx(expected)
    assert max(information, key=information.__getitem__) == "hot dog"
    assert max(scores, key=scores.__getitem__) == "red fox"
    assert pair_scores({}, {}) == {}


def test_pairs_take_a_quarter_of_the_places() -> None:
    filler = [(f"word{n}", 4) for n in range(200)]
    chosen = choose(WORDS + filler, PAIRS, taken=["99"], size=1 + 12)
    assert chosen["word pairs"] == {"red fox": 150, "hot dog": 20}
    assert chosen["capitalised pairs"] == {"Red Fox": 150}
    assert len(entries(chosen)) == 12
    # Of pairs that tell less than most there is none, however much room there is.
    assert set(choose(WORDS, PAIRS, taken=[], size=1000)["word pairs"]) == {"red fox", "hot dog", "rare dog"}
    more = choose(WORDS + filler, PAIRS, taken=["red fox"], size=1 + 12)
    assert more["word pairs"] == {"red fox": 150, "hot dog": 20}
    assert more["capitalised pairs"] == {"Red Fox": 150, "Hot Dog": 20}


def test_pairs_that_are_as_usual_the_other_way_round_are_left_out() -> None:
    pairs = {"cheap loans": 50, "loans cheap": 40, "hot dog": 50, "dog hot": 4, "blah blah": 9}
    assert phrases({}, pairs) == {"hot dog": 50}
    assert phrases({}, pairs | {"dog hot": 5}) == {}


def test_words_of_heaps_take_their_pairs_along() -> None:
    heap = {"cheap loans": 5, "loans cheap": 5, "home loans": 50, "loans taken": 5, "cheap home": 5}
    fine = {"home made": 5, "home run": 5, "home help": 5}
    # Of loans half the pairs have no order, of cheap two of three, which are too few to tell.
    assert phrases({}, heap | fine) == {"cheap home": 5} | fine
    # Beside a frequent word a pair tells nothing.
    frequent = {f"w{n}": 1000 for n in range(99)} | {"loans": 1000}
    assert phrases(frequent | {"cheap": 1}, heap)["home loans"] == 50


SMALL = st.lists(
    st.tuples(st.sampled_from(["a", "b", "fox", "Fox", "red", "hare", "10th", "é"]), st.integers(0, 50)),
    max_size=12,
)
SMALL_PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["a b", "b a", "red fox", "fox red", "Fox a", "x y", "a b fox"]), st.integers(0, 50)
    ),
    max_size=8,
)
TAKEN = st.sets(st.sampled_from(["fox", "Fox", "red fox", "Red Fox", "a fox", "99", "x"]))


@given(words=SMALL, pairs=SMALL_PAIRS, taken=TAKEN, size=st.integers(0, 60))
def test_the_choice_fits_and_does_not_depend_on_order(
    words: Counts, pairs: Counts, taken: set[str], size: int
) -> None:
    chosen = choose(words, pairs, taken=taken, size=size)
    listed = entries(chosen)
    assert len(set(listed) - taken) <= max(0, size - len(taken))
    shuffle = random.Random(1).shuffle
    other_words, other_pairs, other_taken = list(words), list(pairs), sorted(taken)
    for items in (other_words, other_pairs, other_taken):
        shuffle(items)
    again = choose(other_words, other_pairs, taken=other_taken, size=size)
    assert [list(forms.items()) for forms in again.values()] == [
        list(forms.items()) for forms in chosen.values()
    ]
    more = choose(words, pairs, taken=taken, size=size + 1)
    assert len(set(listed) - taken) <= len(set(entries(more)) - taken)


WRITTEN: dict[str, Callable[[str], str]] = {
    "words": str,
    "capitalised words": str.capitalize,
    "upper-case words": str.upper,
    "word pairs": str,
    "capitalised pairs": str.title,
    "capitalised names": str.title,
}


@given(words=SMALL, pairs=SMALL_PAIRS, taken=TAKEN)
def test_entries_are_forms_of_what_went_in(words: Counts, pairs: Counts, taken: set[str]) -> None:
    chosen = choose(words, pairs, taken=taken, size=1000)
    bases = {"words": words, "pairs": pairs, "names": [(name, 0) for name in taken if " " in name]}
    for source, forms in chosen.items():
        allowed = {WRITTEN[source](base) for base, _ in bases[source.split()[-1]]}
        assert set(forms) <= allowed
        assert list(forms.values()) == sorted(forms.values(), reverse=True)


def test_words_that_stand_for_sexualised_children_are_never_taken():
    words = [("lolitas", 9), ("Xjailbaity", 9), ("cat", 9), ("pics", 9)]
    chosen = choose(words, [("lolitas pics", 9), ("cat pics", 9)], taken=["jailbait cat"], size=100)
    entries = " ".join(entry for source in chosen.values() for entry in source).lower()
    assert "cat pics" in entries
    assert "lolita" not in entries
    assert "jailbait" not in entries
