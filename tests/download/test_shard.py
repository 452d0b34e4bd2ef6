import hashlib
import json
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.download.shard import (
    FAILED_TO_DOWNLOAD,
    REMOVED,
    SUCCESS,
    Shard,
    gather,
    is_whole,
    read_images,
    read_statistics,
    sample_key,
    seal_shard,
    shard_files,
    shard_name,
    shard_number,
    shard_numbers,
    shard_statistics,
    whole_shard,
    write_shard,
)
from curation.schemas import SHARD


def rows(statuses, number=3, shard_size=100, **columns):
    """Rows of images that ended so."""
    n = len(statuses)
    made = {name: [None] * n for name in SHARD.names} | {
        "key": [sample_key(number, position, shard_size) for position in range(n)],
        "image_id": [f"{position:032x}" for position in range(n)],
        "url": [f"http://a.example/{position}.jpg" for position in range(n)],
        "uids": [[f"{position:032x}"] for position in range(n)],
        "texts": [[f"text {position}"] for position in range(n)],
        "keep_probabilities": [[0.5]] * n,
        "caption": [f"text {position}" for position in range(n)],
        "status": statuses,
        "error": [None if status == SUCCESS else "timeout" for status in statuses],
    }
    return pa.table(made | columns, schema=SHARD)


def image(position):
    return f"image {position}".encode()


STATUSES = [SUCCESS, FAILED_TO_DOWNLOAD, SUCCESS, REMOVED]


@pytest.fixture
def shard(tmp_path):
    write_shard(tmp_path, Shard(3, rows(STATUSES), image, encode_format="jpg", facts={"more": 1}))
    return tmp_path


def test_names_sort_like_numbers():
    assert [shard_name(number) for number in (0, 7, 99_999)] == ["00000", "00007", "99999"]
    assert shard_number("/a/shard=12") == 12


@pytest.mark.parametrize(
    ("position", "shard_size", "key"),
    [(5, 10_000, "000010005"), (5, 10, "000015"), (5, 11, "0000105"), (0, 1, "00001")],
)
def test_keys_are_img2datasets(position, shard_size, key):
    compute_key = pytest.importorskip("img2dataset.downloader").compute_key
    digits = len(str(shard_size - 1)) if shard_size > 1 else 0
    assert sample_key(1, position, shard_size) == key == compute_key(position, 1, digits, 5)


def test_the_tar_holds_the_samples_in_order_and_nothing_that_changes(shard):
    with tarfile.open(shard / "00003.tar") as tar:
        members = tar.getmembers()
        names = [member.name for member in members]
        assert names == [f"00003{n}.{suffix}" for n in ("00", "02") for suffix in ("jpg", "json", "txt")]
        assert {(member.mtime, member.uid, member.uname) for member in members} == {(0, 0, "")}
        about = json.load(tar.extractfile("0000302.json"))
        assert tar.extractfile("0000302.txt").read() == b"text 2"
    assert about["texts"] == ["text 2"]
    assert about == pq.read_table(shard / "00003.parquet").to_pylist()[2]
    assert list(read_images(shard / "00003.tar")) == [("0000300", b"image 0"), ("0000302", b"image 2")]


def test_the_statistics_count_and_name_the_checksums(shard):
    told = read_statistics(shard, 3)
    assert told == {
        "count": 4,
        "successes": 2,
        "failed_to_download": 1,
        "failed_to_resize": 0,
        "removed": 1,
        "status_dict": {"success": 2, "timeout": 2},
        "more": 1,
        "sha256": {
            part: hashlib.sha256((shard / f"00003.{part}").read_bytes()).hexdigest()
            for part in ("tar", "parquet")
        },
    }
    assert shard_numbers(shard) == [3]
    assert sorted(shard.iterdir()) == sorted(shard_files(shard, 3))


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("how", ["lost", "changed", "cut"])
def test_a_shard_is_whole_or_it_is_not(shard, part, how):
    assert is_whole(shard, 3)
    assert not is_whole(shard, 4)
    path = shard_files(shard, 3)[part]
    data = path.read_bytes()
    path.unlink()
    if how == "changed":
        path.write_bytes(data.replace(b'"tar": "', b'"tar": "0') if part == 2 else data[:-1] + b"x")
    elif how == "cut":
        path.write_bytes(data[: len(data) // 2])
    assert not is_whole(shard, 3)


def test_a_shard_without_a_success(tmp_path):
    write_shard(tmp_path, Shard(0, rows([FAILED_TO_DOWNLOAD], number=0), image, encode_format="png"))
    assert is_whole(tmp_path, 0)
    assert list(read_images(tmp_path / "00000.tar")) == []


def test_a_column_of_the_users_own(tmp_path):
    table = rows([SUCCESS]).append_column("nsfw", pa.array([0.25]))
    write_shard(tmp_path, Shard(3, table, image, encode_format="png"))
    with tarfile.open(tmp_path / "00003.tar") as tar:
        assert json.load(tar.extractfile("0000300.json"))["nsfw"] == 0.25
        assert tar.extractfile("0000300.png").read() == b"image 0"


def seal(output, statuses, number=3):
    seal_shard(output, Shard(number, rows(statuses, number=number), image, encode_format="jpg"))


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_of_two_tasks_with_one_shard_the_first_has_made_it(tmp_path, shard):
    """What they fetched need not be the same, and then no file of the one goes with one of the other."""
    output = tmp_path / "output"
    output.mkdir()
    assert whole_shard(output, 3) is None
    seal(output, STATUSES)
    first = whole_shard(output, 3)
    assert shard_statistics(output, 3)["successes"] == 2
    before = files(first)
    seal(output, [FAILED_TO_DOWNLOAD] * 4)
    assert files(first) == before
    assert not files(output)
    gather(output)
    assert whole_shard(output, 3) == output
    assert shard_statistics(output, 3)["successes"] == 2
    assert files(output) == before
    assert [path.name for path in output.iterdir() if path.is_dir()] == ["_sealed"]
    assert not list((output / "_sealed").iterdir())


def test_a_task_whose_output_was_taken_over_makes_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        seal(tmp_path / "gone", STATUSES)
    assert not list(tmp_path.iterdir())


def test_a_driver_killed_while_gathering_gathers_the_rest(tmp_path):
    seal(tmp_path, STATUSES)
    sealed = whole_shard(tmp_path, 3)
    (sealed / "00003.tar").rename(tmp_path / "00003.tar")
    assert whole_shard(tmp_path, 3) is None
    gather(tmp_path)
    assert whole_shard(tmp_path, 3) == tmp_path


def test_a_torn_shard_is_replaced_by_one_that_is_sealed(tmp_path):
    write_shard(tmp_path, Shard(3, rows([FAILED_TO_DOWNLOAD]), image, encode_format="jpg"))
    (tmp_path / "00003.tar").write_bytes(b"torn")
    assert whole_shard(tmp_path, 3) is None
    seal(tmp_path, STATUSES)
    assert shard_statistics(tmp_path, 3)["successes"] == 2
    gather(tmp_path)
    assert is_whole(tmp_path, 3)
    assert read_statistics(tmp_path, 3)["successes"] == 2


def test_a_torn_shard_that_was_sealed_is_replaced(tmp_path):
    """A machine went down before all of it was on its disk, and its task is tried again."""
    seal(tmp_path, [FAILED_TO_DOWNLOAD])
    (tmp_path / "_sealed" / "00003" / "00003.parquet").write_bytes(b"torn")
    assert whole_shard(tmp_path, 3) is None
    seal(tmp_path, STATUSES)
    assert whole_shard(tmp_path, 3) == tmp_path / "_sealed" / "00003"
    assert shard_statistics(tmp_path, 3)["successes"] == 2
    assert [path.name for path in (tmp_path / "_sealed").iterdir()] == ["00003"]


def test_what_hinders_a_rename_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.rename", lambda *_: (_ for _ in ()).throw(OSError(28, "no space")))
    with pytest.raises(OSError, match="no space"):
        seal(tmp_path, STATUSES)
