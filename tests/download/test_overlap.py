import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.download.overlap import normal_caption, read_sets
from curation.errors import InputError
from curation.schemas import HASHES


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("A cat.", "a cat"),
        ("  A -- CAT!\n", "a cat"),
        ("Straße ﬁn", "strasse fin"),
        ("猫、の写真", "猫 の写真"),
        ("...", ""),
    ],
)
def test_captions_are_compared_by_their_words(text, normal):
    assert normal_caption(text) == normal


def write(folder, *rows):
    (folder / "images").mkdir(parents=True)
    names = ("dataset", "perceptual_hash", "captions")
    table = [{name: None for name in HASHES.names} | dict(zip(names, row, strict=True)) for row in rows]
    pq.write_table(pa.Table.from_pylist(table, schema=HASHES), folder / "images" / "part-0.parquet")
    return folder


def test_sets_of_several_folders(tmp_path):
    flat = "0" * 16
    one = write(
        tmp_path / "one",
        ("cats", "00000000000000ff", ["a cat", ""]),
        ("cats", flat, ["b"]),
        ("cats", None, None),
    )
    two = write(tmp_path / "two", ("birds", "00000000000000fe", ["a cat"]), ("birds", "00000000000000fe", []))
    sets = read_sets([one, two])
    assert sets.names == ("birds", "cats")
    assert sets.hashes.tolist() == [0xFE, 0xFF]
    assert sets.owners.tolist() == [0, 1]
    assert sets.captions == (frozenset({"a cat"}), frozenset({"a cat", "b"}))
    looks = sets.looks_like(
        ["00000000000000ff", None, flat, "ffffffffffffffff", "00000000000000f8", "00000000000000f0"]
    )
    assert looks == ["birds,cats", None, None, None, "birds,cats", "birds"]
    assert sets.looks_like([]) == []


def test_images_of_one_colour_look_like_nothing(tmp_path):
    nearly_flat = write(tmp_path / "one", ("cats", "0000000000000003", []))
    assert read_sets([nearly_flat]).looks_like(["0000000000000003", "0" * 16]) == ["cats", None]


def test_captions_are_counted_by_set(tmp_path):
    one = write(tmp_path / "one", ("cats", None, ["a cat", "b"]))
    two = write(tmp_path / "two", ("birds", None, ["a cat"]))
    sets = read_sets([one, two])
    assert sets.captions_in(["A cat!", "b", "c"]) == {"birds": 1, "cats": 2}


def test_what_is_no_table_of_hashes_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "images" / "x.parquet")
    with pytest.raises(InputError, match="no table of hashes"):
        read_sets([tmp_path])
