from collections.abc import Callable
from pathlib import Path

import pytest

from curation.errors import InputError
from curation.vocabulary.wordnet import DATA_FILES, notice, read_database, synset_names

WriteWndb = Callable[..., str]


def names(folder: Path) -> list[str]:
    return synset_names(read_database(str(folder)))


def test_names_are_first_lemmas_lower_case_cut_at_the_dot_and_sorted(
    write_wndb: WriteWndb, tmp_path: Path
) -> None:
    write_wndb(
        tmp_path,
        noun=[["thing"], ["physical_entity", "matter"], ["Ph.D.", "PhD"], ["St._Louis"], [".22_caliber"]],
        verb=[["run", "race"], ["run"]],
        adj=[["galore(ip)"], ["ready_to_hand(p)"], ["outback(a)"], ["Able"], ["24/7"], ["smile(y)"]],
        adv=[["ad_lib."]],
    )
    expected = ["thing", "physical entity", "ph", "st", "", "run", "galore", "ready to hand", "outback"]
    assert names(tmp_path) == sorted([*expected, "able", "24/7", "smile(y)", "ad lib"])


def test_names_do_not_depend_on_the_order_of_synsets(write_wndb: WriteWndb, tmp_path: Path) -> None:
    synsets = [["b"], ["a"], ["Z"], ["é"]]
    write_wndb(tmp_path / "one", noun=synsets)
    write_wndb(tmp_path / "two", noun=synsets[::-1])
    expected = ["a", "b", "high", "highly", "raise", "tall", "z", "é"]
    assert names(tmp_path / "one") == names(tmp_path / "two") == expected


def test_the_notice_comes_without_its_line_numbers(write_wndb: WriteWndb, tmp_path: Path) -> None:
    text = "You may.\n\nWordNet 3.0 Copyright 2006\n" + "".join(f"  line {i}\n" for i in range(9))
    write_wndb(tmp_path, notice=text)
    assert notice(read_database(str(tmp_path))) == text


def test_a_database_without_a_notice_has_an_empty_one(write_wndb: WriteWndb, tmp_path: Path) -> None:
    write_wndb(tmp_path, notice="")
    assert notice(read_database(str(tmp_path))) == ""
    assert "thing" in names(tmp_path)


@pytest.mark.parametrize("name", DATA_FILES)
def test_a_missing_file_is_named(name: str, write_wndb: WriteWndb, tmp_path: Path) -> None:
    write_wndb(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: no such file"):
        names(tmp_path)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "last newline lost": lambda data: data[:-1],
    "cut off": lambda data: data[:-20],
    "a byte of the notice lost": lambda data: data[:40] + data[41:],
    "a byte too many": lambda data: data.replace(b"entity", b"entiity").replace(b"thing ", b"things "),
    "a word lost": lambda data: data.replace(b" thing ", b" "),
    "line ends of Windows": lambda data: data.replace(b"\n", b"\r\n"),
    "an empty line": lambda data: data + b"\n",
    "another file": lambda _: b"<html>\n",
    "another encoding": lambda data: data.replace(b"thing", b"th\xffng"),
    "empty": lambda _: b"",
    "notice alone": lambda data: b"".join(line for line in data.splitlines(True) if line[:2] == b"  "),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_says_so_in_one_line(
    damage: Callable[[bytes], bytes], write_wndb: WriteWndb, tmp_path: Path
) -> None:
    write_wndb(tmp_path)
    path = tmp_path / "data.noun"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"data\.noun: ") as caught:
        names(tmp_path)
    assert "\n" not in str(caught.value)
