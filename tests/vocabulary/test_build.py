import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from curation.vocabulary.build import build
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
