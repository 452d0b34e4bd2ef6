import hashlib
import io
import json
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import InputError
from curation.trainer.data.index import Index, build
from curation.trainer.data.samples import Reader
from tests.shards import read_members, read_rows
from tests.trainer.conftest import photograph, rows_of

ROOT = Path(__file__).parents[3]


def write_tar(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def everything(index):
    """All that an index leads to: image, ids, probabilities and texts of each sample."""
    reader = Reader(index)
    samples = []
    for sample in range(len(index)):
        texts = index.texts_of(sample)
        read = [reader.text(sample, number) for number in texts["number"].tolist()]
        samples.append((reader.image(sample), texts["id"].tolist(), texts["keep_probability"].tolist(), read))
    reader.close()
    return samples


def number(uid):
    return int(uid[:16], 16)


def of_rows(folder):
    """The same from the shards' own tables and `tarfile`."""
    images = {name.split(".")[0]: data for name, data in read_members(folder) if name.endswith("jpg")}
    return [
        (images[row["key"]], [number(uid) for uid in row["uids"]], row["keep_probabilities"], row["texts"])
        for row in read_rows(folder)
        if row["status"] == "success"
    ]


def test_our_layout(shards, tmp_path):
    index = build([shards], tmp_path / "index")
    assert everything(index) == of_rows(shards)
    assert len(index) == 49
    assert index.shards == [str(shards / "00000.tar"), str(shards / "00001.tar")]
    assert (index.dropped, index.online) == ({}, False)
    assert index.name_of(0) == f"{shards}/00000.tar, key 0000000"
    assert index.name_of(48) == f"{shards}/00001.tar, key 0000119"
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_open_and_pickle_map_the_files(shards, tmp_path):
    index = build([str(shards)], tmp_path / "index")
    for other in (Index.open(tmp_path / "index"), pickle.loads(pickle.dumps(index))):
        assert isinstance(other.samples, np.memmap)
        assert everything(other) == everything(index)
        assert (other.identity, other.sizes) == (index.identity, index.sizes)
    assert len(pickle.dumps(index)) < 500


def test_without_parquet_the_json_says_the_same(shards, tmp_path):
    for tar in shards.glob("*.tar"):
        (tmp_path / tar.name).write_bytes(tar.read_bytes())
    index, whole = build([tmp_path], tmp_path / "index"), build([shards], tmp_path / "whole")
    assert everything(index) == everything(whole)
    assert index.identity == whole.identity


def test_the_order_of_members_does_not_matter(shards, tmp_path):
    for tar in shards.glob("*.tar"):
        with tarfile.open(tar) as stream:
            members = [(member.name, stream.extractfile(member).read()) for member in stream]
        write_tar(tmp_path / tar.name, np.random.default_rng(0).permutation(np.array(members, object)))
    index, whole = build([tmp_path], tmp_path / "index"), build([shards], tmp_path / "whole")
    assert everything(index) == everything(whole)
    assert index.identity == whole.identity
    assert not np.array_equal(index.samples["image_offset"], whole.samples["image_offset"])


def test_neither_places_nor_the_order_of_arguments_matter(make_shards, tmp_path):
    a = make_shards(tmp_path / "a", rows_of(range(5)), rows_of(range(5, 9)))
    b = make_shards(tmp_path / "b", rows_of(range(9, 12)))  # another 00000.tar
    one = build([a, b], tmp_path / "one")
    samples = everything(one)
    b = b.rename(tmp_path / "0b")
    arguments = [b / "00000.tar", str(a / "0000[01].*"), a / "00000.tar", tmp_path / "a" / ".." / "a"]
    other = build(arguments, tmp_path / "other")
    assert samples == everything(other)
    assert len(one) == 12
    assert one.identity == other.identity


def test_another_content_is_another_identity(make_shards, tmp_path):
    rows = rows_of(range(5))
    seen = {build([make_shards(tmp_path / "a", rows)], tmp_path / "index").identity}
    changed = [dict(row) for row in rows]
    changed[0]["keep_probabilities"] = [0.7]
    seen.add(build([make_shards(tmp_path / "b", changed)], tmp_path / "index").identity)
    seen.add(build([make_shards(tmp_path / "c", rows[1:])], tmp_path / "index").identity)
    longer = {rows[0]["url"]: photograph(0) + b"\0"}
    folder = make_shards(tmp_path / "d", rows, images=longer)
    seen.add(build([folder], tmp_path / "index").identity)
    for path in folder.glob("00000.*"):
        path.rename(path.with_stem("00001"))
    seen.add(build([folder], tmp_path / "index").identity)
    assert len(seen) == 5


def test_datacomp_and_img2dataset(tmp_path):
    uid = hashlib.md5(b"x").hexdigest()
    write_tar(
        tmp_path / "0001.tar",
        [
            ("b.txt", "größer".encode()),
            ("b.json", json.dumps({"uid": uid, "caption": "no", "width": 1}).encode()),
            ("b.png", photograph(1)),
            ("d/a.webp", photograph(2)),
            ("d/a.txt", b"two"),
            ("d/a.cls", b"7"),
            ("c.jpg", photograph(3)),
            ("c.json", b'{"uid": null, "key": 3}'),
            ("c.txt", b"three"),
            ("e.jpeg", photograph(4)),
            ("e.txt", b"four"),
            ("e.json", b'{"uid": "not hexadecimal"}'),
        ],
    )
    pq.write_table(pa.table({"key": ["b", "c"], "caption": ["no", "no"]}), tmp_path / "0001.parquet")
    index = build([tmp_path], tmp_path / "index")
    names = ["0001.tar/c", "0001.tar/d/a", "not hexadecimal"]
    c, a, e = (number(hashlib.md5(name.encode()).hexdigest()) for name in names)
    samples = [(image, ids, texts) for image, ids, _, texts in everything(index)]
    assert samples == [
        (photograph(1), [number(uid)], ["größer"]),
        (photograph(3), [c], ["three"]),
        (photograph(2), [a], ["two"]),
        (photograph(4), [e], ["four"]),
    ]
    assert np.isnan(index.texts["keep_probability"]).all()


def test_what_is_left_out_is_counted(make_shards, tmp_path):
    rows = rows_of(range(6))
    folder = make_shards(tmp_path / "a", rows)
    with tarfile.open(folder / "00000.tar") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    del members["0000000.jpg"]  # but its row says that it came
    members["0000001.jpg"] = b""
    del members["0000002.json"], members["0000002.txt"]
    write_tar(folder / "00000.tar", list(members.items()))
    table = pq.read_table(folder / "00000.parquet").to_pylist()
    table[3]["status"] = "removed"  # but its image is there
    table[4]["uids"], table[4]["texts"] = [], []
    pq.write_table(
        pa.Table.from_pylist(table, pq.read_schema(folder / "00000.parquet")), folder / "00000.parquet"
    )
    good = [("k.jpg", photograph(1)), ("k.txt", b"x")]
    bad = [("l.jpg", photograph(1)), ("l.json", b"{"), ("m.jpg", photograph(1))]
    bad += [("n.jpg", photograph(1)), ("n.json", b'{"uids": ["a"], "texts": []}'), ("o.txt", b"x")]
    write_tar(tmp_path / "b" / "0.tar", good + bad)
    index = build([folder, tmp_path / "b"], tmp_path / "index")
    assert index.dropped == {"bad_json": 2, "no_image": 3, "no_text": 3, "not_a_success": 1}
    assert [texts for *_, texts in everything(index)] == [["x"], rows[5]["texts"]]


def test_the_name_of_a_sample(tmp_path):
    name = "d" * 60 + "/" + "k" * 60
    tar = tmp_path / "0.tar"
    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as stream:
        for suffix in ("jpg", "txt"):
            member = tarfile.TarInfo(f"{name}.{suffix}")
            member.size = 1
            stream.addfile(member, io.BytesIO(b"x"))
    index = build([tar], tmp_path / "index")
    assert index.name_of(0) == f"{tar}, key {name}"
    tar.write_bytes(b"")
    assert index.name_of(0) == f"{tar}, sample 0"
    tar.unlink()
    assert index.name_of(0) == f"{tar}, sample 0"


def write_list(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = pa.schema([("shard", pa.string()), ("key", pa.string()), ("uids", pa.list_(pa.string()))])
    pq.write_table(
        pa.Table.from_pylist([dict(zip(kind.names, row, strict=True)) for row in rows], kind), path
    )
    return path


def test_lists(shards, tmp_path, monkeypatch):
    monkeypatch.setattr("curation.trainer.data.sources._ROWS_AT_ONCE", 2)
    rows = {row["key"]: row for row in read_rows(shards)}
    first, second = str(shards / "00000.tar"), str(shards / "00001.tar")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "near").symlink_to(shards)
    one = write_list(
        tmp_path / "lists" / "one.parquet",
        [
            (second, "0000103", rows["0000103"]["uids"][-1:]),
            (first, "0000002", [uid[:16] for uid in rows["0000002"]["uids"][::2]]),
            (second, "0000101", None),
            (first, "0000005", ["f" * 32]),
            (first, "nothing", ["f" * 32]),
        ],
    )
    two = write_list(
        tmp_path / "lists" / "two.parquet",
        [("near/00000.tar", "0000002", rows["0000002"]["uids"][1:2]), ("near/00000.tar", "0000000", None)],
    )
    index = build([one, two], tmp_path / "index")
    texts = [rows[key]["texts"] for key in ("0000000", "0000002", "0000101")]
    assert [read for *_, read in everything(index)] == [*texts, rows["0000103"]["texts"][-1:]]
    assert index.dropped == {"no_image": 1, "no_listed_text": 1}
    assert index.identity == build([tmp_path / "lists" / "*.parquet"], tmp_path / "index").identity
    assert index.identity != build([one], tmp_path / "index").identity
    with pytest.raises(InputError, match=r"00000\.tar is given whole and in a list"):
        build([shards, two], tmp_path / "index")


def test_lists_that_cannot_be_used(shards, tmp_path):
    for rows, message in (
        ([("gone.tar", "k", ["a"])], r"0\.parquet names a shard that does not exist: .*gone\.tar"),
        ([(None, "k", ["a"])], r"0\.parquet: a row names no shard"),
        ([], "no shards are named"),
        ([(str(shards / "00000.tar"), "k", ["a"])], r"no samples in 1 shard.*\(1 no_image\)"),
    ):
        with pytest.raises(InputError, match=message):
            build([write_list(tmp_path / "0.parquet", rows)], tmp_path / "index")
    with pytest.raises(InputError, match=r"00000\.parquet is no list of samples: it has no column shard"):
        build([shards / "00000.parquet"], tmp_path / "index")
    (tmp_path / "1.parquet").write_bytes(b"x")
    with pytest.raises(InputError, match=r"1\.parquet cannot be read as Parquet"):
        build([tmp_path / "1.parquet"], tmp_path / "index")


def test_what_is_not_there(shards, tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    for shard, message in (
        (tmp_path / "gone.tar", r"gone\.tar does not exist"),
        (tmp_path / "gone-*.tar", r"gone-\*\.tar matches no shards"),
        (f"{shards}/*.parquet", r"\*\.parquet matches no shards"),
        (tmp_path / "empty", "empty holds no shards"),
        (tmp_path / "notes.txt", r"notes\.txt is neither a shard"),
        ("s3://bucket/00000.tar", r"s3://bucket/00000\.tar: .*copy them first"),
    ):
        with pytest.raises(InputError, match=message):
            build([shard], tmp_path / "index")
    write_tar(tmp_path / "empty" / "0.tar", [])
    with pytest.raises(InputError, match=r"no samples in 1 shard.*0\.tar.*\(empty\)"):
        build([tmp_path / "empty"], tmp_path / "index")


@pytest.mark.parametrize("processes", [1, 2])
def test_a_failed_build_leaves_nothing_and_takes_nothing(make_shards, tmp_path, processes):
    folder = make_shards(tmp_path / "a", rows_of(range(3)), rows_of(range(3, 6)))
    index = build([folder], tmp_path / "index", processes=processes)
    assert len(index) == 6
    tar = folder / "00001.tar"
    tar.write_bytes(tar.read_bytes()[:2000])
    for name in ("index", "other"):
        with pytest.raises(InputError, match=r"00001\.tar is cut off after 2000 bytes"):
            build([folder], tmp_path / name, processes=processes)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "index"}
    assert Index.open(tmp_path / "index").identity == index.identity
    (folder / "00000.parquet").write_bytes(b"x")
    with pytest.raises(InputError, match=r"00000\.parquet cannot be read"):
        build([folder / "00000.tar"], tmp_path / "index")


def test_what_a_killed_build_left_is_no_index_and_goes(shards, tmp_path):
    script = (
        "import os, pathlib, sys\n"
        "from curation.trainer.data import index\n"
        "index._facts = lambda parts: os.kill(os.getpid(), 9)\n"  # all arrays are written by then
        "index.build([sys.argv[1]], pathlib.Path(sys.argv[2]))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, shards, tmp_path / "index"], cwd=ROOT)
    assert killed.returncode == -9
    assert len(list(tmp_path.glob("_index-*/index/*.npy"))) == 2
    with pytest.raises(InputError, match="holds no index"):
        Index.open(tmp_path / "index")
    build([shards], tmp_path / "index")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_open_refuses_what_is_no_index(shards, tmp_path):
    with pytest.raises(InputError, match="holds no index"):
        Index.open(tmp_path)
    build([shards], tmp_path / "index")
    facts = tmp_path / "index" / "index.json"
    facts.write_text(facts.read_text().replace('"format": 1', '"format": 0'))
    with pytest.raises(InputError, match="of another version"):
        Index.open(tmp_path / "index")


def test_online(make_shards, tmp_path):
    a, b = make_shards(tmp_path / "a", rows_of([1])), make_shards(tmp_path / "b", rows_of([2]))
    (a / "_run.json").write_text('{"facts": {"online": true}}')
    assert build([a], tmp_path / "index").online
    assert not build([a, b], tmp_path / "index").online
    (b / "_run.json").write_text('{"facts": {"online": false}}')
    assert not build([b], tmp_path / "index").online
    assert not build([a, b], tmp_path / "index").online
    (b / "_run.json").write_text('{"facts": {"online": true}}')
    assert build([a, b], tmp_path / "index").online
    for broken in ("{", "[]", "{}", '{"facts": 1}'):
        (b / "_run.json").write_text(broken)
        with pytest.raises(InputError, match=r"b/_run\.json cannot be read"):
            build([a, b], tmp_path / "index")
