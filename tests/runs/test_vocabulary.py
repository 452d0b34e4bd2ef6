import bz2
import gzip
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from curation.config import BuildVocabulary
from curation.errors import InputError
from curation.report.table1 import tell_vocabulary
from curation.runs import build_vocabulary
from curation.runs import wikipedia as step
from curation.vocabulary.dumps import pieces
from curation.vocabulary.vocabulary import read_vocabulary
from tests.conftest import ROOT
from tests.vocabulary.conftest import write_wndb as write_wndb
from tests.vocabulary.dumps import page, write_dump

TEXT = "The hot dog of New York, a hot dog. New York is it. " * 3 + "One {{lone}} word. of the the of"


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    pages = [page(f"P{n}", TEXT + f" word{n % 4} Paris", date=f"2024-01-{n + 1:02}") for n in range(20)]
    redirects = [page(f"R{n}", "#REDIRECT [[P0]]", redirect=True) for n in range(3)]
    return write_dump(tmp_path / "xxwiki-20240201-pages-articles.xml.bz2", *pages, *redirects)


@pytest.fixture
def views(tmp_path: Path) -> Path:
    lines = [
        "en P1 90 0",
        "en Hot_dog 300 0",
        "en R1 999 0",
        "en Paris 80 0",
        "de Hund 500 0",
        "en broken",
        "en St._Louis 60 0",
    ]
    path = tmp_path / "pageviews-20260101-000000.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def rows(folder: Path) -> list[dict]:
    return pq.read_table(folder / "entries.parquet").to_pylist()


def by_source(folder: Path) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {}
    for row in rows(folder):
        found.setdefault(row["sources"][0], []).append((row["entry"], row["count"]))
    return found


def printed(record) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(tell_vocabulary([record], Path("log")))
    return capture.get()


def test_all_sources_on_any_partitioning(session, spark, dump, views, write_wndb, tmp_path, monkeypatch):
    wordnet = write_wndb(tmp_path / "wn", noun=[["hot_dog"], ["word"], ["thing"]])
    given = {"wordnet": wordnet, "wikipedia": (str(dump),), "page_views": (str(views),), "min_count": 20}
    before = spark.conf.get("spark.sql.shuffle.partitions")
    for partitions, size in ((1, 1 << 20), (3, 700), (7, 150)):
        spark.conf.set("spark.sql.shuffle.partitions", partitions)
        monkeypatch.setattr(step, "pieces", partial(pieces, piece_bytes=size))
        (record,) = build_vocabulary(
            session, BuildVocabulary(**given, output=str(tmp_path / f"{partitions}"))
        )
    spark.conf.set("spark.sql.shuffle.partitions", before)
    folder = tmp_path / "1"
    for name in ("entries.parquet", "en.txt.gz", "MANIFEST.json"):
        assert len({(tmp_path / str(n) / name).read_bytes() for n in (1, 3, 7)}) == 1
    found = by_source(folder)
    assert found["unigrams"][:3] == [("New", 120), ("York", 120), ("dog", 120)]
    assert ("Paris", 20) in found["unigrams"]
    assert ("word0", 5) not in found["unigrams"]
    assert ("New York", 120) in found["bigrams"]
    assert "York a" not in dict(found["bigrams"])  # there is a comma between them
    assert [title for title, _ in found["titles"]] == [
        "Hot dog",
        "P1",
        "St. Louis",
    ]  # no redirect, Paris is there
    together = {row["entry"]: row["sources"] for row in rows(folder)}
    assert together["Paris"] == ["unigrams", "titles"]
    assert together["hot dog"] == ["wordnet", "bigrams"]
    facts = record.facts
    assert (facts["articles"], facts["redirects"]) == (20, 3)
    assert facts["faults"] == {"malformed_line": 1}
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    assert manifest["date"] == "2024-01-20"
    assert {line["source"] for line in manifest["inputs"]} == {"wordnet", "wikipedia", "page_views"}
    assert all(len(line["sha256"]) == 64 for line in manifest["inputs"])
    assert set(manifest["licences"]) == {"wordnet", "wikipedia", "page_views"}
    told = printed(record)
    assert "251,465" in told
    assert "malformed_line 1" in told


def test_the_paper_s_rules_and_what_they_cannot_reach(session, dump, views, tmp_path):
    config = BuildVocabulary(
        wikipedia=(str(dump),),
        page_views=(str(views),),
        recipe="metaclip",
        output=str(tmp_path / "v"),
        min_count=20,
    )
    (record,) = build_vocabulary(session, config)
    found = by_source(tmp_path / "v")
    assert "bigrams" not in found
    assert found["titles"] == [("Hot dog", 300), ("P1", 90)]
    assert f"the text has {record.facts['words']:,}" in printed(record)


def test_titles_without_a_dump_say_that_redirects_cannot_be_told(session, views, tmp_path):
    config = BuildVocabulary(
        page_views=(str(views),), titles=2, space_entries=True, output=str(tmp_path / "v")
    )
    (record,) = build_vocabulary(session, config)
    assert by_source(tmp_path / "v")["titles"] == [("R1", 999), ("Hot dog", 300)]
    assert "redirects among the titles cannot be told" in printed(record)


def test_words_of_a_language_without_spaces(session, tmp_path):
    pytest.importorskip("icu4py")
    dump = write_dump(tmp_path / "zh.xml.bz2", page("A", "我爱北京天安门。" * 30))
    config = BuildVocabulary(wikipedia=(str(dump),), language="zh", min_count=20, output=str(tmp_path / "v"))
    build_vocabulary(session, config)
    found = by_source(tmp_path / "v")
    assert {entry for entry, _ in found["unigrams"]} == {"我", "爱", "北京", "天安门"}
    assert {entry for entry, _ in found.get("bigrams", [])} <= {"我爱", "爱北京", "北京天安门"}


def test_size_trims_the_last_sources_and_never_wordnet(write_wndb, tmp_path):
    wordnet = write_wndb(tmp_path / "wn")
    words = tmp_path / "words.txt"
    words.write_text("dog\t900\ncat\t800\nbird\t700\n")
    given = {"wordnet": wordnet, "word_counts": (str(words),)}
    (record,) = build_vocabulary(None, BuildVocabulary(**given, size=108, output=str(tmp_path / "v")))
    assert record.rows["out"] == len(rows(tmp_path / "v")) == 108
    with pytest.raises(InputError, match=r"--size 50 is less than the \d+ entries of digits and WordNet"):
        build_vocabulary(None, BuildVocabulary(**given, size=50, output=str(tmp_path / "w")))
    assert not (tmp_path / "w").exists()


def test_the_same_again_is_nothing_to_do_and_other_settings_are_refused(write_wndb, tmp_path):
    given = {"wordnet": write_wndb(tmp_path / "wn"), "output": str(tmp_path / "v")}
    assert build_vocabulary(None, BuildVocabulary(**given))[0].fresh
    assert not build_vocabulary(None, BuildVocabulary(**given))[0].fresh
    with pytest.raises(InputError, match="a run with language = en"):
        build_vocabulary(None, BuildVocabulary(**given, language="de"))


def test_lists_of_several_languages(write_wndb, tmp_path):
    wordnet = write_wndb(tmp_path / "wn")
    for language in ("de", "fr"):
        build_vocabulary(
            None, BuildVocabulary(wordnet=wordnet, language=language, output=str(tmp_path / language))
        )
    added = (str(tmp_path / "fr"), str(tmp_path / "de"))
    build_vocabulary(None, BuildVocabulary(wordnet=wordnet, add=added, output=str(tmp_path / "all")))
    assert read_vocabulary(str(tmp_path / "all")).languages == ("en", "fr", "de")
    with pytest.raises(InputError, match="--add: these lists do not go together"):
        build_vocabulary(None, BuildVocabulary(add=(added[0], added[0]), output=str(tmp_path / "twice")))


def test_bad_dumps_are_refused(session, tmp_path):
    text = tmp_path / "a.txt"
    text.write_text("hello")
    with pytest.raises(InputError, match="no dump of a wiki"):
        build_vocabulary(session, BuildVocabulary(wikipedia=(str(text),), output=str(tmp_path / "v")))
    talk = write_dump(tmp_path / "talk.xml.bz2", page("Talk:A", "x", namespace=1))
    with pytest.raises(InputError, match="--wikipedia holds no articles: no page in namespace 0"):
        build_vocabulary(session, BuildVocabulary(wikipedia=(str(talk),), output=str(tmp_path / "v")))
    assert not (tmp_path / "v").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "give a source"),
        (["--wikipedia", "/none/*.bz2"], "no file matches /none/*.bz2"),
        (["--pair-counts", "x", "--wikipedia", "y"], "--pair-counts needs --word-counts"),
        (["--wordnet", "x", "--language", "e/n"], "is no name"),
        (["--wordnet", "x", "--bigrams", "-1"], "--bigrams must not be negative"),
    ],
)
def test_bad_flags_are_one_clear_line(flags, message, tmp_path):
    command = [sys.executable, ROOT / "jobs" / "build_vocabulary.py", "--output", tmp_path / "v", *flags]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert message in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def test_the_job_from_end_to_end(dump, views, tmp_path):
    damaged = tmp_path / "cut.xml.bz2"
    damaged.write_bytes(dump.read_bytes() + bz2.compress(page("Z", "x").encode())[:50])
    output = tmp_path / "v"
    flags = ["--wikipedia", damaged, "--page-views", views, "--min-count", "20", "--output", output]
    command = [sys.executable, ROOT / "jobs" / "build_vocabulary.py", *flags, "--master", "local[2]"]
    few = {**os.environ, "PYSPARK_SUBMIT_ARGS": "--conf spark.sql.shuffle.partitions=2 pyspark-shell"}
    run = subprocess.run(command, capture_output=True, text=True, timeout=250, env=few)
    assert run.returncode == 0, run.stderr
    assert "stream_cut_off 1" in run.stdout
    assert sorted(path.name for path in output.iterdir() if path.name[0] != "_") == [
        "MANIFEST.json",
        "en.txt.gz",
        "entries.parquet",
    ]
    assert read_vocabulary(str(output)).entries("en")[:2].to_pylist() == ["0", "1"]
