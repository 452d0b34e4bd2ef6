import hashlib
import json

import pytest

from curation.report.card import croissant as module
from curation.report.card.croissant import croissant
from curation.report.card.facts import gather
from curation.report.tables import Run
from curation.schemas import SHARD
from tests.report.card.runs import make_pool

PLAIN = """name description version url license datePublished inLanguage distribution contentUrl contentSize
encodingFormat sha256 containedIn"""


@pytest.fixture(scope="module")
def found(content):
    return croissant(content.facts)


def test_what_it_is(found):
    assert found["@type"] == "sc:Dataset"
    assert "http://mlcommons.org/croissant/1.0" in found["conformsTo"]
    assert (found["name"], found["datePublished"], found["inLanguage"]) == (
        found["name"],
        "2026-03-04",
        ["en", "de"],
    )
    assert "left out" in found["rai:dataPreprocessingProtocol"]
    assert "license" not in found
    json.dumps(found, allow_nan=False)


def test_names_of_the_context_are_those_that_are_used(found):
    plain = set(PLAIN.split())

    def names(value):
        if isinstance(value, dict):
            for name, item in value.items():
                yield name
                yield from names(item)
        if isinstance(value, list):
            for item in value:
                yield from names(item)

    used = {name for name in names({k: v for k, v in found.items() if k != "@context"})}
    assert {name for name in used if name[0] != "@" and ":" not in name} <= plain | set(found["@context"])


def test_files_are_told_with_their_checksums(found, work):
    tars = [part for part in found["distribution"] if part["@type"] == "cr:FileObject"]
    assert [tar["contentUrl"] for tar in tars] == ["work/shards/00000.tar", "work/shards/00001.tar"]
    for tar in tars:
        data = (work.parent / tar["contentUrl"]).read_bytes()
        assert tar["sha256"] == hashlib.sha256(data).hexdigest()
        assert tar["contentSize"] == f"{len(data)} B"
    sets = {part["@id"]: part for part in found["distribution"] if part["@type"] == "cr:FileSet"}
    assert sets["images"]["containedIn"] == [{"@id": "00000.tar"}, {"@id": "00001.tar"}]
    assert sets["images"]["encodingFormat"] == "image/jpeg"
    assert sets["tables"]["includes"] == "work/shards/[0-9]*.parquet"


def test_fields_are_the_columns_of_the_shards(found):
    samples, pictures = found["recordSet"]
    fields = {field["name"]: field for field in samples["field"]}
    assert list(fields) == SHARD.names
    assert {name for name, field in fields.items() if field.get("repeated")} == {
        "uids", "texts", "keep_probabilities", "opt_outs"}  # fmt: skip
    assert [fields[name]["dataType"] for name in ("key", "width", "keep_probabilities", "size_bytes")] == [
        "sc:Text", "sc:Integer", "sc:Float", "sc:Integer"]  # fmt: skip
    assert all(field["source"]["extract"]["column"] == name for name, field in fields.items())
    assert [field["@id"] for field in pictures["field"]] == ["pictures/key", "pictures/image"]


def test_every_reference_leads_somewhere(found):
    ids, references = set(), set()

    def walk(value, parent=None):
        if isinstance(value, dict):
            if set(value) == {"@id"}:
                references.add(value["@id"])
            elif "@id" in value:
                ids.add(value["@id"])
            for item in value.values():
                walk(item)
        if isinstance(value, list):
            for item in value:
                walk(item)

    walk({name: value for name, value in found.items() if name != "@context"})
    assert references <= ids


def test_many_shards_are_told_by_their_pattern(content, monkeypatch):
    monkeypatch.setattr(module, "TOLD", 1)
    parts = croissant(content.facts)["distribution"]
    assert [part["@id"] for part in parts] == ["tars", "tables", "images"]
    assert parts[2]["containedIn"] == [{"@id": "tars"}]
    assert parts[0]["includes"] == "work/shards/[0-9]*.tar"


def test_what_the_author_gives(work):
    given = {"licence": "CC-BY-4.0", "url": "https://x.example", "citation": "Me", "version": "2.1.0"}
    told = croissant(gather(Run.open(str(work)), given, work.parent))
    assert [told[name] for name in ("license", "url", "citeAs", "version")] == [
        "CC-BY-4.0", "https://x.example", "Me", "2.1.0"]  # fmt: skip


def test_without_shards_there_is_nothing_to_distribute(tmp_path):
    make_pool(tmp_path / "work" / "pool")
    told = croissant(gather(Run.open(str(tmp_path / "work")), {}, tmp_path))
    assert "distribution" not in told
    assert "recordSet" not in told


def test_mlcroissant_accepts_and_loads_it(found, work, tmp_path, monkeypatch):
    library = pytest.importorskip("mlcroissant", reason="no mlcroissant: pip install 'mlcroissant[parquet]'")
    monkeypatch.setenv("HOME", str(tmp_path))  # where it keeps what it has read, by name
    path = work.parent / "card.croissant.json"
    path.write_text(json.dumps(found))
    data = library.Dataset(str(path))
    assert list(data.metadata.ctx.issues.errors) == []
    assert len(list(data.records("samples"))) == 80
