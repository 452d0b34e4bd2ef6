import json
import random
import re
from itertools import accumulate

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.matcher import SCRIPT_LANGUAGES, Matcher, VocabularyMatcher
from tests import reference

# Every character that spacing touches, and what might be taken for it.
ALPHABET = "ab ,.;:?!`\t\n\r\u00a0\u2003\u0301é漢🐱\x00"
TEXTS = st.lists(st.text(alphabet=ALPHABET, max_size=30), max_size=8)
ENTRIES = st.lists(st.text(alphabet=ALPHABET, min_size=1, max_size=6), max_size=12)


@given(ENTRIES, TEXTS)
def test_match_equals_naive_substring_search(entries, texts):
    found = Matcher(entries).match(pa.array(texts, pa.string()))
    assert found.type == pa.list_(pa.int32())
    assert found.to_pylist() == [reference.match(entries, text) for text in texts]


@given(ENTRIES, TEXTS, st.data())
def test_match_reads_slices_chunks_and_large_strings_alike(entries, texts, data):
    matcher = Matcher(entries)
    expected = matcher.match(pa.array(texts, pa.string())).to_pylist()
    cut = data.draw(st.integers(0, len(texts)))
    padded = pa.array(["a b", *texts, "a b"], pa.large_string())
    assert matcher.match(padded[1 : 1 + len(texts)]).to_pylist() == expected
    chunked = pa.chunked_array([texts[:cut], texts[cut:]], pa.string())
    assert matcher.match(chunked).to_pylist() == expected


def test_a_null_text_has_null_matches():
    found = Matcher(["cat"]).match(pa.array(["a cat", None, "dog"]))
    assert found.to_pylist() == [[0], None, []]


def test_equal_entries_match_both():
    assert Matcher(["cat", "dog", "cat"]).match(pa.array(["cat"])).to_pylist() == [[0, 2]]


def test_no_entries_and_no_texts():
    assert Matcher([]).match(pa.array(["cat"])).to_pylist() == [[]]
    assert Matcher(["cat"]).match(pa.array([], pa.string())).to_pylist() == []


def test_a_very_long_text():
    text = "word " * 200_000 + "cat"
    assert Matcher(["cat", "word word"]).match(pa.array([text])).to_pylist() == [[0, 1]]


def test_refuses_null_entries_and_unknown_boundaries():
    with pytest.raises(ValueError, match="entry 1 is null"):
        Matcher(pa.array(["a", None]))
    with pytest.raises(ValueError, match="boundary is 'words'"):
        Matcher(["a"], "words")


@pytest.mark.parametrize(
    ("entry", "text", "matches"),
    [
        ("カメラ", "ネコのカメラ", True),
        ("猫", "小猫咪", True),
        ("แมว", "รูปแมวน่ารัก", True),
        ("cat", "小cat咪", False),  # an entry in Latin letters still needs its spaces
        ("cat", "小 cat 咪", True),
        ("猫a", "小猫a", True),
        ("猫a", "小猫ab", False),
        ("猫", "", False),
    ],
)
def test_script_boundary(entry, text, matches):
    assert Matcher([entry], "script").match(pa.array([text])).to_pylist() == [[0] if matches else []]


def test_conformance(shared_data):
    cases = json.loads((shared_data.parent / "conformance" / "matching.json").read_text())["cases"]
    assert len(cases) >= 34
    for case in cases:
        found = Matcher(case["entries"]).match(pa.array([case["text"]])).to_pylist()
        assert found == [case["entry_ids"]], case["name"]


LISTS = {"en": pa.array(["cat", "dog"]), "ja": pa.array(["猫"]), "other": pa.array(["cat", "gato"])}


def test_each_text_is_matched_against_the_list_of_its_language():
    texts = pa.array(["cat gato", "小猫 cat", "cat gato", "dog", None, "cat"])
    languages = pa.array(["en", "ja", "es", None, "en", "other"])
    found = VocabularyMatcher(LISTS).match(texts, languages)
    assert found.to_pylist() == [[0], [2], [3, 4], [], None, [3]]


def test_a_language_without_list_matches_nothing_where_no_list_is_for_others():
    lists = {name: LISTS[name] for name in ("en", "ja")}
    found = VocabularyMatcher(lists).match(pa.array(["cat", "cat"]), pa.array(["es", "en"]))
    assert found.to_pylist() == [[], [0]]
    assert (
        VocabularyMatcher(lists).match(pa.array([], pa.string()), pa.array([], pa.string())).to_pylist() == []
    )


def test_the_only_list_is_for_all_languages():
    found = VocabularyMatcher({"en": LISTS["en"]}).match(pa.array(["cat", "dog"]), pa.array(["de", None]))
    assert found.to_pylist() == [[0], [1]]


@pytest.mark.parametrize(
    ("name", "matches", "without"), [("cc3m-validation", 99_285, 9), ("coco-val2017", 161_946, 178)]
)
def test_totals_of_real_captions_with_wordnet(shared_data, wordnet, name, matches, without):
    from curation.vocabulary.vocabulary import read_vocabulary

    found = Matcher(read_vocabulary(str(wordnet)).entries("en")).match(pa.array(captions(shared_data, name)))
    lengths = found.value_lengths().to_pylist()
    assert (sum(lengths), lengths.count(0)) == (matches, without)


def captions(shared_data, name):
    if name.startswith("coco"):
        rows = json.loads((shared_data / "captions" / f"{name}.json").read_text())
        return [row["caption"] for row in rows["annotations"]]
    lines = (shared_data / "captions" / f"{name}.tsv").read_text().split("\n")
    return [line.split("\t")[0] for line in lines if line]


def stamps(shared_data):
    """Languages and captions: the same sentences in 78 locales."""
    text = (shared_data / "captions" / "stamps-78-locales.tsv").read_text()
    rows = [line.split("\t") for line in text.split("\n") if line]
    return [re.split("[_@]", locale)[0] for _, locale, _ in rows], [caption for _, _, caption in rows]


def test_a_vocabulary_of_every_language_on_real_captions(shared_data):
    """The lists are words and pieces of the captions themselves; each row is held against the slow search."""
    languages, texts = stamps(shared_data)
    rng = random.Random(0)
    lists = {}
    for language in sorted(set(languages) - {"is", "cy", "ka"}):
        own = [text for text, of in zip(texts, languages, strict=True) if of == language]
        pieces = [
            text[n : n + 2]
            for text in own
            for n in (0, 3)
            if text[n : n + 2].strip() == text[n : n + 2] != ""
        ]
        words = [word for text in own for word in text.replace(".", " ").split()]
        pairs = [" ".join(text.split()[:2]) for text in own]
        lists[language] = sorted(
            {*rng.choices(words, k=30), *rng.choices(pieces, k=10), *rng.choices(pairs, k=5)}
        )
    lists["other"] = sorted(
        {word for text, of in zip(texts, languages, strict=True) if of == "is" for word in text.split()}
    )[:40]
    matcher = VocabularyMatcher({language: pa.array(entries) for language, entries in lists.items()})
    found = matcher.match(pa.array(texts), pa.array(languages)).to_pylist()
    first_ids = dict(zip(lists, accumulate(map(len, lists.values()), initial=0), strict=False))
    for language, text, ids in zip(languages, texts, found, strict=True):
        name = language if language in lists else "other"
        search = reference.match_script if name in SCRIPT_LANGUAGES else reference.match
        assert ids == [first_ids[name] + number for number in search(lists[name], text)], (language, text)
    for language in ("en", "ja", "zh", "th", "km", "ar", "ru", "is"):
        hits = [ids for ids, of in zip(found, languages, strict=True) if of == language]
        assert sum(map(len, hits)) > 20, language


def test_japanese_words_are_found_without_spaces(shared_data):
    languages, texts = stamps(shared_data)
    japanese = [text for text, language in zip(texts, languages, strict=True) if language == "ja"]
    words = ["カエル", "クジャク"]
    found = Matcher(words, "script").match(pa.array(japanese)).to_pylist()
    assert found == [[n for n, word in enumerate(words) if word in text] for text in japanese]
    assert any("クジャクの" in text for text in japanese)  # where MetaCLIP 2 wants a space
