import gzip
import hashlib
import json
import pickle
from functools import partial
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.matcher import OTHER
from curation.errors import InputError
from curation.schemas import ENTRIES
from curation.vocabulary.vocabulary import (
    Vocabulary,
    one_list,
    read_manifest,
    read_vocabulary,
    write_vocabulary,
)

packed = partial(gzip.compress, mtime=0)  # or names of tests would have the time in them

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")
LISTS = st.lists(st.text(CHARACTERS, min_size=1), min_size=1, unique=True)


def vocabulary(lists: dict[str, list[str]]) -> Vocabulary:
    rows = [(entry, language) for language, entries in lists.items() for entry in entries]
    columns = {
        "entry_id": range(len(rows)),
        "entry": [entry for entry, _ in rows],
        "language": [language for _, language in rows],
        "sources": [["a", "b"]] * len(rows),
        "count": [None if i % 2 else i for i in range(len(rows))],
    }
    return Vocabulary(pa.table(columns, schema=ENTRIES))


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def entries_of(path: str) -> list[str]:
    read = read_vocabulary(path)
    assert read.languages == (OTHER,)
    return read.entries(OTHER).to_pylist()


def test_each_language_is_one_range_of_ids() -> None:
    lists = {"en": ["red fox", "fox"], "de": ["Fuchs"], "zh-min-nan": ["狐狸", "fox", "x"]}
    built = vocabulary(lists)
    assert len(built) == 6
    assert built.languages == ("en", "de", "zh-min-nan")
    assert {language: built.entries(language).to_pylist() for language in built.languages} == lists
    assert isinstance(built.entries("de"), pa.StringArray)
    with pytest.raises(KeyError):
        built.entries("fr")


def test_a_table_in_chunks_is_the_same_vocabulary() -> None:
    whole = vocabulary({"en": ["a", "b"], "de": ["c", "d"]})
    chunked = Vocabulary(
        pa.concat_tables([whole.table.slice(0, 1), whole.table.slice(1, 2), whole.table[3:]])
    )
    assert chunked.entries("de").to_pylist() == ["c", "d"]
    assert chunked == whole
    assert chunked.sha256 == whole.sha256


def test_sha256_is_that_of_the_length_prefixed_rows() -> None:
    built = vocabulary({"en": ["red fox"], "de": ["üb"]})
    assert built.sha256 == hashlib.sha256("2:en7:red fox2:de3:üb".encode()).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        {"en": ["a", "b", "c"]},
        {"en": ["b", "a"], "de": ["c"]},
        {"en": ["a"], "de": ["b", "c"]},
        {"de": ["a", "b"], "en": ["c"]},
        {"en": ["ab"], "de": ["c"]},
        {"en": ["a2:en1:b"], "de": ["c"]},
    ],
)
def test_sha256_tells_vocabularies_apart(other: dict[str, list[str]]) -> None:
    assert vocabulary(other).sha256 != vocabulary({"en": ["a", "b"], "de": ["c"]}).sha256


def test_sha256_leaves_sources_and_counts_out() -> None:
    assert vocabulary({"en": ["a"]}).sha256 == one_list("en", {"a": ["elsewhere"]}).sha256


def test_pickles_cheaply() -> None:
    built = one_list("en", {f"entry {i}": [] for i in range(10_000)})
    data = pickle.dumps(built)
    assert len(data) < 2 * built.table.nbytes
    assert pickle.loads(data) == built
    assert pickle.loads(data).entries("en") == built.entries("en")


def test_one_list_pickles_without_the_others() -> None:
    built = vocabulary({"en": [f"entry {i}" for i in range(10_000)], "de": ["Fuchs"]})
    assert len(pickle.dumps(built.entries("de"))) < 1000


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"entry_id": [0, 2, 1]}, "does not count the rows"),
        ({"entry_id": [1, 2, 3]}, "does not count the rows"),
        ({"entry_id": [0, 1, None]}, "does not count the rows"),
        ({"entry": ["a", None, "c"]}, "without an entry"),
        ({"language": ["en", None, "de"]}, "without an entry or a language"),
        ({"language": ["en", "de", "en"]}, "do not lie together"),
        ({"language": ["en", "../x", "../x"]}, "no name of a language"),
        ({"entry": ["a", "a", "c"]}, "comes twice in the list of en"),
        ({"entry": ["a", "", "c"]}, "entry 1 is empty"),
        ({"entry": ["a", "b", "c\nd"]}, "entry 2 holds a line break"),
        ({"entry": ["a", "b\r", "c"]}, "entry 1 holds a line break"),
    ],
)
def test_refuses_tables_that_are_no_vocabulary(columns: dict[str, list[object]], message: str) -> None:
    good = {
        "entry_id": [0, 1, 2],
        "entry": ["a", "b", "a"],
        "language": ["en", "en", "de"],
        "sources": [["s"]] * 3,
        "count": [1, 2, 3],
    }
    Vocabulary(pa.table(good, schema=ENTRIES))
    with pytest.raises(InputError, match=message):
        Vocabulary(pa.table(good | columns, schema=ENTRIES))


def test_refuses_no_entries() -> None:
    with pytest.raises(InputError, match="no entries"):
        Vocabulary(ENTRIES.empty_table())


@settings(max_examples=60, deadline=None)
@given(lists=st.dictionaries(st.sampled_from(["en", "de", "zh-min-nan", OTHER]), LISTS, min_size=1))
def test_what_is_written_is_read(
    lists: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    built = vocabulary(lists)
    folder = tmp_path_factory.mktemp("vocabulary")  # exists, empty
    write_vocabulary(folder, built, {"sha256": built.sha256})
    assert read_vocabulary(str(folder)) == built
    assert read_vocabulary(str(folder / "entries.parquet")) == built
    assert json.loads((folder / "MANIFEST.json").read_text()) == {"sha256": built.sha256}
    for language, entries in lists.items():
        lines = gzip.decompress((folder / f"{language}.txt.gz").read_bytes()).decode()
        assert lines == "".join(f"{entry}\n" for entry in entries)
        if not entries[0].startswith("\ufeff"):  # at the start of a text file it is a byte order mark
            assert entries_of(str(folder / f"{language}.txt.gz")) == entries


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    lists = {"en": ["red fox", "fox"], "de": ["Fuchs"]}
    for name in ("one", "two"):
        write_vocabulary(tmp_path / name / "under", vocabulary(lists), {"k": "ü"})
    one, two = tmp_path / "one" / "under", tmp_path / "two" / "under"
    assert sorted(path.name for path in one.iterdir()) == [
        "MANIFEST.json",
        "de.txt.gz",
        "en.txt.gz",
        "entries.parquet",
    ]
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()
    # The header of gzip: no flags (so no name), time 0, system unknown.
    assert (one / "en.txt.gz").read_bytes()[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"


def test_the_table_has_the_columns_of_the_schema(tmp_path: Path) -> None:
    write_vocabulary(str(tmp_path / "v"), vocabulary({"en": ["a"]}), {})
    assert pq.read_table(tmp_path / "v" / "entries.parquet").cast(ENTRIES).to_pylist() == [
        {"entry_id": 0, "entry": "a", "language": "en", "sources": ["a", "b"], "count": 0}
    ]


def test_reads_tables_of_other_writers(tmp_path: Path) -> None:
    table = vocabulary({"en": ["a", "b"], "de": ["c"]}).table
    wide = pa.table(
        {
            "count": table["count"].cast(pa.int32()),
            "more": ["x"] * 3,
            "language": table["language"].dictionary_encode(),
            "entry": table["entry"].cast(pa.large_string()),
            "sources": table["sources"].cast(pa.large_list(pa.string())),
            "entry_id": table["entry_id"].cast(pa.int64()),
        }
    )
    pq.write_table(wide, tmp_path / "entries.parquet", row_group_size=1)
    assert read_vocabulary(str(tmp_path)).table == table


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.txt", "fox\n\n red  fox \nFox\nfox\nüber\n".encode()),
        ("list", "fox\n\n red  fox \nFox\nfox\nüber".encode()),
        ("list.txt", "\ufefffox\r\n\r\n red  fox \r\nFox\r\nfox\r\nüber\r\n".encode()),
        ("list.txt.gz", packed("fox\n red  fox \nFox\nüber\n".encode())),
        ("metadata.json", json.dumps(["fox", "", " red  fox ", "Fox", "fox", "über"]).encode()),
        ("metadata.json.gz", packed(json.dumps(["fox", " red  fox ", "Fox", "über"]).encode())),
    ],
)
def test_a_list_is_taken_as_it_is_without_empty_and_repeated_entries(
    name: str, content: bytes, tmp_path: Path
) -> None:
    assert entries_of(write(tmp_path / name, content)) == ["fox", " red  fox ", "Fox", "über"]


def test_only_line_ends_end_an_entry(tmp_path: Path) -> None:
    entries = ["a\u2028b", "a\x0bb", "a\x85b", "a\tb", "a\x00b"]
    assert entries_of(write(tmp_path / "l.txt", "\n".join(entries).encode())) == entries


def test_reads_urls(tmp_path: Path) -> None:
    built = vocabulary({"en": ["a"], "de": ["b"]})
    write_vocabulary(tmp_path / "v", built, {})
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/v/entries.parquet", (tmp_path / "v" / "entries.parquet").read_bytes())
    memory.pipe_file("/list.txt", b"a\nb\n")
    assert read_vocabulary("memory://v") == built
    assert read_vocabulary("memory://v/") == built
    assert read_vocabulary(f"file://{tmp_path}/v") == built
    assert entries_of("memory://list.txt") == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.txt", b"", "holds no entries"),
        ("list.txt", b"\n\r\n\n", "holds no entries"),
        ("list.txt", b"fox\n\xff\xfe\n", "line 2 is not UTF-8"),
        ("list.txt", b"fox\rhare", "entry 0 holds a line break"),
        ("list.txt.gz", b"fox\n", "cannot be read"),
        ("list.txt.gz", packed(b"fox\n" * 1000)[:-12], "cannot be read"),
        ("list.json", b"[]", "holds no entries"),
        ("list.json", b'{"fox": 1}', "not a JSON list of strings"),
        ("list.json", b'["fox", 1]', "not a JSON list of strings"),
        ("list.json", b'["fox"', "not a JSON list of strings"),
        ("list.json", b'["\\ud800 half a pair"]', "not a JSON list of strings"),
        ("list.json", b'["\xff"]', "not a JSON list of strings"),
        ("list.json", b'["red\\nfox"]', "entry 0 holds a line break"),
        ("list.parquet", b"PAR1", "not the entries of a vocabulary"),
        ("entries.parquet", b"", "not the entries of a vocabulary"),
    ],
)
def test_what_cannot_be_read_says_so_in_one_line(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InputError, match=message) as caught:
        read_vocabulary(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["none.txt", "none.json", "none.parquet", "none/entries.parquet", "none/"])
def test_a_missing_file_says_so(path: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_vocabulary(str(tmp_path / path))


def test_other_faults_of_paths_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a folder without entries\.parquet"):
        read_vocabulary(str(tmp_path))
    with pytest.raises(InputError, match="cannot be read: Protocol not known"):
        read_vocabulary("nonsense://list.txt")
    with pytest.raises(InputError, match=r"list\.txt: "):
        read_vocabulary("http://127.0.0.1:9/list.txt")


@pytest.mark.parametrize("name", ENTRIES.names)
def test_a_table_that_lacks_a_column_names_it(name: str, tmp_path: Path) -> None:
    pq.write_table(vocabulary({"en": ["a"]}).table.drop_columns(name), tmp_path / "entries.parquet")
    with pytest.raises(InputError, match=rf"entries\.parquet: lacks the column {name}"):
        read_vocabulary(str(tmp_path))


def test_a_table_of_other_types_says_so(tmp_path: Path) -> None:
    table = vocabulary({"en": ["a"]}).table.set_column(0, "entry_id", [["first"]])
    pq.write_table(table, tmp_path / "entries.parquet")
    with pytest.raises(InputError, match="not the entries of a vocabulary"):
        read_vocabulary(str(tmp_path))


def test_never_overwrites(tmp_path: Path) -> None:
    built = vocabulary({"en": ["a"]})
    write_vocabulary(tmp_path / "v", built, {"first": True})
    (tmp_path / "file").write_text("x")
    for name in ("v", "file"):
        with pytest.raises(InputError, match="already exists"):
            write_vocabulary(tmp_path / name, vocabulary({"en": ["b"]}), {})
    assert read_vocabulary(str(tmp_path / "v")) == built
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "v"]


def test_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes = Path.write_bytes

    def full_disk(path: Path, data: bytes) -> int:
        if path.name == "MANIFEST.json":
            assert not (tmp_path / "v").exists()
            raise OSError(28, "No space left on device")
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        write_vocabulary(tmp_path / "v", vocabulary({"en": ["a"]}), {})
    assert not list(tmp_path.iterdir())


def test_the_manifest_of_a_folder(tmp_path):
    write_vocabulary(tmp_path / "v", one_list("en", {"cat": ["x"]}), {"licences": {"x": "free"}})
    assert read_manifest(str(tmp_path / "v")) == {"licences": {"x": "free"}}
    assert read_manifest(str(tmp_path)) is None
    (tmp_path / "v" / "MANIFEST.json").write_text("{")
    with pytest.raises(InputError, match=r"MANIFEST\.json: not JSON"):
        read_manifest(str(tmp_path / "v"))
