"""The vocabularies in metadata/, which are data that the code built once."""

import gzip
import hashlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from curation.core.matcher import Matcher
from curation.core.text import can_match
from curation.vocabulary.build import build
from curation.vocabulary.vocabulary import read_vocabulary, write_vocabulary
from curation.vocabulary.word_list import choose, read_word_counts
from tests.crawl.archives import read

ENGLISH = Path(__file__).parents[2] / "metadata" / "english"
SHIPPED = Path(__file__).parents[2] / "metadata" / "wordnet"
WORDNET = Path(os.environ.get("WORDNET_DIR", "/usr/share/wordnet"))
WORDNET_3_0_NOUN = "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2"


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    assert isinstance(manifest, dict)
    return manifest


def test_wordnet_is_the_list_of_the_paper() -> None:
    vocabulary = read_vocabulary(str(SHIPPED))
    entries = vocabulary.entries("en").to_pylist()
    assert vocabulary.languages == ("en",)
    assert len(entries) == len(vocabulary) == 86_654
    joined = "\n".join(sorted(entries)).encode()
    assert (
        hashlib.sha256(joined).hexdigest()
        == "2e3932d87e6b8e66065e898e78f42c454cf0164269bff674b3d8fcf6fb37c685"
    )
    assert entries[:3] == ["0", "1", "2"]
    assert entries[99:101] == ["99", "'hood"]


def test_ids_of_wordnet_do_not_change() -> None:
    assert read_vocabulary(str(SHIPPED)).sha256 == (
        "756e082ccf47a90f2cbb081302732856376a52780edbe343304ef79f0355de35"
    )


def test_manifest_list_and_licence_of_wordnet_agree_with_its_table() -> None:
    vocabulary = read_vocabulary(str(SHIPPED))
    manifest = manifest_of(SHIPPED)
    assert manifest["sha256"] == vocabulary.sha256
    assert manifest["entries"] == {"en": 86_654}
    assert manifest["added"] == {"digits": 100, "wordnet": 86_554}
    assert manifest["licences"]["wordnet"] == (SHIPPED / "LICENSE").read_text()
    lines = gzip.decompress((SHIPPED / "en.txt.gz").read_bytes()).decode()
    assert lines.splitlines() == vocabulary.entries("en").to_pylist()


def test_wordnet_is_what_the_code_builds(tmp_path: Path) -> None:
    noun = WORDNET / "data.noun"
    if not noun.is_file():
        pytest.skip(f"no WordNet in {WORDNET}: install wordnet-base, or name its directory in WORDNET_DIR")
    if hashlib.sha256(noun.read_bytes()).hexdigest() != WORDNET_3_0_NOUN:
        pytest.skip(f"{WORDNET} is not WordNet 3.0")
    built = tmp_path / "wordnet"
    write_vocabulary(built, *build(wordnet=str(WORDNET)))
    assert manifest_of(built) | {"version": ""} == manifest_of(SHIPPED) | {"version": ""}
    assert read_vocabulary(str(built)) == read_vocabulary(str(SHIPPED))
    assert (built / "en.txt.gz").read_bytes() == (SHIPPED / "en.txt.gz").read_bytes()
    # Parquet names its writer, so bytes are the same from one version of pyarrow.
    tables = [folder / "entries.parquet" for folder in (built, SHIPPED)]
    if len({pq.ParquetFile(table).metadata.created_by for table in tables}) == 1:
        assert tables[0].read_bytes() == tables[1].read_bytes()


def test_manifest_list_and_licence_of_english_agree_with_its_table() -> None:
    vocabulary = read_vocabulary(str(ENGLISH))
    manifest = manifest_of(ENGLISH)
    assert vocabulary.languages == ("en",)
    assert manifest["sha256"] == vocabulary.sha256
    assert manifest["entries"] == {"en": len(vocabulary)} == {"en": 500_000}
    first = pc.list_element(vocabulary.table["sources"], 0).value_counts()
    assert manifest["added"] == {item["values"]: item["counts"] for item in first.to_pylist()}
    assert manifest["licences"]["wordnet"] in (ENGLISH / "LICENSE").read_text()
    lines = gzip.decompress((ENGLISH / "en.txt.gz").read_bytes()).decode()
    assert lines.splitlines() == vocabulary.entries("en").to_pylist()
    assert sum(path.stat().st_size for path in ENGLISH.iterdir()) < 12_000_000


def test_every_entry_of_english_can_match() -> None:
    entries = read_vocabulary(str(ENGLISH)).entries("en")
    assert pc.all(can_match(entries)).as_py()
    assert not pc.any(pc.match_substring_regex(entries, r"^\s|\s$|\s\s|[[:cntrl:]]")).as_py()


def test_english_begins_with_wordnet() -> None:
    wordnet, english = read_vocabulary(str(SHIPPED)), read_vocabulary(str(ENGLISH))
    assert english.entries("en").slice(0, len(wordnet)) == wordnet.entries("en")


def test_english_is_what_the_code_chooses() -> None:
    package = importlib.util.find_spec("wordsegment")
    if package is None or not package.submodule_search_locations:
        pytest.skip("no counts: install wordsegment")
    folder = Path(package.submodule_search_locations[0])
    hashes = {item["sha256"] for item in manifest_of(ENGLISH)["inputs"]}
    files = [folder / name for name in ("unigrams.txt", "bigrams.txt")]
    if not {hashlib.sha256(file.read_bytes()).hexdigest() for file in files} <= hashes:
        pytest.skip(f"{folder} is not of the version that the list was made of")
    words, pairs = (read_word_counts(str(file)) for file in files)
    wordnet = read_vocabulary(str(SHIPPED)).table
    columns = (wordnet["entry"].to_pylist(), wordnet["sources"].to_pylist())
    sources: dict[str, list[str]] = dict(zip(*columns, strict=True))
    counts: dict[str, int] = {}
    for source, chosen in choose(words, pairs, taken=list(sources), size=500_000).items():
        for entry, count in chosen.items():
            if entry not in sources:
                sources[entry], counts[entry] = [], count
            sources[entry].append(source)
    table = read_vocabulary(str(ENGLISH)).table
    assert table["entry"].combine_chunks() == pa.array(sources, pa.string())
    assert table["sources"].combine_chunks() == pa.array(sources.values(), table["sources"].type)
    assert table["count"].combine_chunks() == pa.array(map(counts.get, sources), pa.int64())


def coverage(vocabulary: Path, texts: list[str]) -> tuple[float, float]:
    """Matches a text, and the share of texts without any."""
    found = Matcher(read_vocabulary(str(vocabulary)).entries("en")).match(pa.array(texts))
    matches = np.diff(found.offsets.to_numpy())
    return round(float(matches.mean()), 2), round(float((matches == 0).mean()), 3)


def test_coverage_of_real_texts_is_what_the_readme_says(shared_data: Path) -> None:
    pairs = read(shared_data / "wat" / "pages.warc.wat.gz")[0]
    lines = (shared_data / "captions" / "cc3m-validation.tsv").read_text(encoding="utf-8").splitlines()
    texts = {
        "all pairs": [pair["text"] for pair in pairs],
        "English pairs": [pair["text"] for pair in pairs if pair["language"] == "en"],
        "captions": [line.split("\t")[0] for line in lines],
    }
    matches, without = zip(*(coverage(ENGLISH, some) for some in texts.values()), strict=True)
    assert all(np.array(matches) >= [4.11, 5.41, 11.98]), matches
    assert all(np.array(without) <= [0.188, 0.181, 0.0]), without
