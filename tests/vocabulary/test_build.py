import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from curation.core.matcher import Matcher
from curation.core.text import can_match
from curation.vocabulary.build import Merger, Source, build
from curation.vocabulary.vocabulary import write_vocabulary

WriteWndb = Callable[..., str]


def test_digits_come_first_then_the_names_that_they_lack(write_wndb: WriteWndb, tmp_path: Path) -> None:
    vocabulary, _ = build(wordnet=write_wndb(tmp_path, noun=[["Thing"], ["99"], ["100"]]))
    assert vocabulary.languages == ("en",)
    rows = vocabulary.table.to_pylist()
    assert [row["entry"] for row in rows[:100]] == [str(number) for number in range(100)]
    assert [row["entry"] for row in rows[100:]] == ["100", "high", "highly", "raise", "tall", "thing"]
    assert rows[98]["sources"] == ["digits"]
    assert rows[99]["sources"] == ["digits", "wordnet"]
    assert rows[100]["sources"] == ["wordnet"]
    assert {row["count"] for row in rows} == {None}


def test_empty_names_and_lone_punctuation_are_dropped(write_wndb: WriteWndb, tmp_path: Path) -> None:
    noun = [[".22_caliber"], ["-"], ["()"], ["¿"], ["c"]]
    vocabulary, _ = build(wordnet=write_wndb(tmp_path, noun=noun))
    names = vocabulary.entries("en").to_pylist()[100:]
    assert [name for name in names if len(name) < 4] == ["()", "c", "¿"]


def test_the_manifest_says_what_went_in(write_wndb: WriteWndb, tmp_path: Path) -> None:
    notice = "You may.\n\nWordNet 3.7 Copyright 2017 by Princeton University.\n"
    folder = write_wndb(tmp_path, noun=[["thing"], ["99"]], notice=notice)
    vocabulary, manifest = build(wordnet=folder + "/")
    noun = (tmp_path / "data.noun").read_bytes()
    assert manifest["sha256"] == vocabulary.sha256
    assert manifest["entries"] == {"en": 105}
    assert manifest["added"] == {"digits": 100, "wordnet": 5}
    assert manifest["date"] == "2017"
    assert manifest["licences"] == {"wordnet": notice}
    assert manifest["inputs"][0] == {
        "source": "wordnet",
        "file": "data.noun",
        "sha256": hashlib.sha256(noun).hexdigest(),
        "size_bytes": len(noun),
    }
    assert [item["file"] for item in manifest["inputs"]] == ["data.noun", "data.verb", "data.adj", "data.adv"]


def test_neither_place_nor_time_of_the_input_shows(write_wndb: WriteWndb, tmp_path: Path) -> None:
    for name, seconds in (("one", 1), ("two", 2_000_000_000)):
        write_wndb(tmp_path / name)
        for path in (tmp_path / name).iterdir():
            os.utime(path, (seconds, seconds))
        write_vocabulary(tmp_path / f"{name}.out", *build(wordnet=str(tmp_path / name)))
    written = sorted((tmp_path / "one.out").iterdir())
    assert [path.name for path in written] == ["MANIFEST.json", "en.txt.gz", "entries.parquet"]
    for path in written:
        assert path.read_bytes() == (tmp_path / "two.out" / path.name).read_bytes()


def test_a_database_without_a_copyright_line_has_no_date(write_wndb: WriteWndb, tmp_path: Path) -> None:
    _, manifest = build(wordnet=write_wndb(tmp_path, notice=""))
    assert manifest["date"] is None


def test_a_source_adds_so_many_that_no_earlier_one_has() -> None:
    merger = Merger()
    merger.add(Source(name="wordnet", entries=["dog", "cat"]))
    merger.add(Source(name="unigrams", entries=["the", "dog", "of", "cat"], counts=[9, 8, 7, 6], most=2))
    merger.add(Source(name="titles", entries=["of", "Of", "?", ""], counts=[5, 4, 3, 2]))
    assert merger.sources == {
        "dog": ["wordnet", "unigrams"],
        "cat": ["wordnet", "unigrams"],
        "the": ["unigrams"],
        "of": ["unigrams", "titles"],
        "Of": ["titles"],
    }
    assert merger.counts == {"the": 9, "of": 7, "Of": 4}
    assert merger.added == {"wordnet": 2, "unigrams": 2, "titles": 1}
    assert merger.trim(3) == 2
    assert list(merger.sources) == ["dog", "cat", "the"]
    assert merger.added == {"wordnet": 2, "unigrams": 1, "titles": 0}
    assert merger.vocabulary("en").table["count"].to_pylist() == [None, None, 9]


def test_entries_can_be_spaced_as_texts_are() -> None:
    merger = Merger(spaced=True)
    merger.add(Source(name="wordnet", entries=["St. Louis", "a,b", "dog", ".", "?", "st"]))
    merger.add(Source(name="titles", entries=["St. Louis", "dog"], counts=[2, 1]))
    assert list(merger.sources) == ["St .  Louis", "a , b", "dog", "st"]
    assert Matcher(["St .  Louis"]).match(pa.array(["in St. Louis, today"])).to_pylist() == [[0]]
    assert all(can_match(pa.array(list(merger.sources))).to_pylist())
