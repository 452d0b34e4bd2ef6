"""The vocabularies in metadata/, which are data that the code built once."""

import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curation.vocabulary.build import build
from curation.vocabulary.vocabulary import read_vocabulary, write_vocabulary

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
