import io
import json
import os
import tarfile
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.config import HashImages
from curation.download.image import ImageOptions, process
from curation.download.overlap import read_sets
from curation.errors import InputError
from curation.runs import hash_images
from curation.schemas import HASHES
from tests.test_cli import assert_refused, run


def picture(number, form="PNG"):
    """Noise, each other."""
    pixels = np.random.default_rng(number).integers(0, 256, (9, 12, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((120, 90)).save(buffer, form)
    return buffer.getvalue()


def make_folder(path):
    """Images in folders, some with captions, one of which is none."""
    (path / "deep" / "er").mkdir(parents=True)
    (path / "1.JPEG").write_bytes(picture(1, "JPEG"))
    (path / "deep" / "2.png").write_bytes(picture(2))
    (path / "deep" / "2.txt").write_text("A  photo of a Cat!\n\na photo, of a cat\nDOGS\n")
    (path / "deep" / "er" / "3.webp").write_bytes(picture(3, "WEBP"))
    (path / "deep" / "er" / "3.json").write_text(json.dumps({"caption": "Three."}))
    (path / "broken.jpg").write_bytes(b"no image")
    (path / "cut.png").write_bytes(picture(4)[:2000])
    (path / "README.md").write_text("About")
    return path


def make_tar(path, mode="w"):
    """As CLIP_benchmark has them."""
    members = {
        "s0.webp": picture(1, "WEBP"), "s0.txt": b"one\nuno\n", "s0.cls": b"3",
        "s1.webp": picture(2, "WEBP"), "s1.json": b'{"caption": ["two", 2]}',
        "s2.0.png": picture(3), "s2.1.png": picture(4), "s2.json": b"[broken",
    }  # fmt: skip
    with tarfile.open(path, mode) as tar:
        tar.addfile(tarfile.TarInfo("images"))
        for name, data in members.items():
            member = tarfile.TarInfo(f"images/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def hashed(output, *datasets):
    (record,) = hash_images(None, HashImages(tuple(map(str, datasets)), output=str(output)))
    table = pq.read_table(record.folder / "images")
    assert table.schema.equals(HASHES)
    return record, {row["name"]: row for row in table.to_pylist()}


def looks_like(data):
    return process(data, ImageOptions()).perceptual_hash


def test_a_folder_of_images(tmp_path):
    record, rows = hashed(tmp_path / "hashes", make_folder(tmp_path / "flickr"))
    assert list(rows) == ["1.JPEG", "deep/2.png", "deep/er/3.webp"]
    assert {row["dataset"] for row in rows.values()} == {"flickr"}
    assert [row["captions"] for row in rows.values()] == [[], ["a photo of a cat", "dogs"], ["three"]]
    assert rows["deep/2.png"]["sha256"] == sha256(picture(2)).hexdigest()
    assert rows["deep/2.png"]["perceptual_hash"] == looks_like(picture(2))
    assert record.rows == {"in": 5, "out": 3}
    assert record.dropped == {"not_an_image": 1, "damaged_image": 1}
    assert record.facts == {"datasets": {"flickr": 3}}
    sets = read_sets([record.folder])
    assert sets.looks_like([looks_like(picture(2)), looks_like(picture(9))]) == ["flickr", None]
    assert sets.captions_in(["Dogs", "cats"]) == {"flickr": 1}


@pytest.mark.parametrize(("name", "mode"), [("coco.tar", "w"), ("coco.v2.tar.gz", "w:gz")])
def test_a_tar(tmp_path, name, mode):
    record, rows = hashed(tmp_path / "hashes", make_tar(tmp_path / name, mode))
    assert {name: row["captions"] for name, row in rows.items()} == {
        "images/s0.webp": ["one", "uno"],
        "images/s1.webp": ["two"],
        "images/s2.0.png": [],
        "images/s2.1.png": [],
    }
    assert record.facts == {"datasets": {"coco": 4}}


def test_parquet(tmp_path):
    pictures = [picture(n, "JPEG") for n in range(130)]
    structs = [{"bytes": data, "path": None} for data in pictures]
    captions = [[f"caption {n}", None] for n in range(130)]
    (tmp_path / "set").mkdir()
    pq.write_table(
        pa.table({"image": structs, "caption": captions, "label": [1] * 130}), tmp_path / "set/a.parquet"
    )
    pq.write_table(
        pa.table({"image": [*pictures[:2], None], "text": ["x", "y", "z"]}), tmp_path / "set/b.parquet"
    )
    record, rows = hashed(tmp_path / "hashes", tmp_path / "set")
    assert len(rows) == 132
    assert rows["a.parquet/129"]["captions"] == ["caption 129"]
    assert rows["a.parquet/129"]["perceptual_hash"] == looks_like(pictures[129])
    assert rows["b.parquet/1"]["captions"] == ["y"]
    assert record.dropped == {"not_an_image": 1}


def test_sets_together_are_named_and_sorted_and_the_same_every_time(tmp_path):
    folder, tar = make_folder(tmp_path / "val"), make_tar(tmp_path / "val.tar")
    record, _ = hashed(tmp_path / "hashes", f"zoo={folder}", f"art={tar}")
    names = pq.read_table(record.folder / "images").select(["dataset", "name"]).to_pylist()
    assert [tuple(row.values()) for row in names] == sorted(tuple(row.values()) for row in names)
    assert record.facts == {"datasets": {"art": 4, "zoo": 3}}
    again, _ = hashed(tmp_path / "again", f"art={tar}", f"zoo={folder}")
    assert again.run_id == record.run_id
    first, second = ((run.folder / "images" / "part-00000.parquet").read_bytes() for run in (record, again))
    assert first == second
    assert not hashed(tmp_path / "hashes", f"zoo={folder}", f"art={tar}")[0].fresh
    os.utime(folder / "1.JPEG", (1, 1))
    with pytest.raises(InputError, match="other or older inputs"):
        hashed(tmp_path / "hashes", f"zoo={folder}", f"art={tar}")


def test_what_is_no_set_is_named(tmp_path):
    folder = make_folder(tmp_path / "val")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "1.txt").write_text("a")
    (tmp_path / "bad.tar").write_bytes(b"no tar" * 200)
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    pq.write_table(pa.table({"picture": ["x"]}), tmp_path / "other.parquet")
    pq.write_table(pa.table({"image": ["x"]}), tmp_path / "paths.parquet")
    for datasets, complaint in {
        (tmp_path / "no",): "no does not exist",
        (tmp_path / "texts",): "holds no images",
        (folder, folder): "give the set a name of its own",
        (f"a,b={folder}",): "give the set a name of its own",
        (tmp_path / "bad.tar",): "bad.tar cannot be read",
        (tmp_path / "bad.parquet",): "bad.parquet cannot be read",
        (tmp_path / "other.parquet",): "no column image",
        (tmp_path / "paths.parquet",): "holds no bytes",
    }.items():
        with pytest.raises(InputError, match=complaint):
            hashed(tmp_path / "hashes", *datasets)
        assert not (tmp_path / "hashes").exists()


def test_the_job_takes_sets_as_they_come(tmp_path):
    folder, tar = make_folder(tmp_path / "val"), make_tar(tmp_path / "coco.tar")
    result = run("hash_images", folder, tar, "--output", tmp_path / "hashes", JAVA_HOME="/nowhere")
    assert result.returncode == 0, result.stderr
    assert "damaged_image 1" in result.stdout
    assert f"--exclude-hashes {tmp_path / 'hashes'}" in result.stdout
    result = run("hash_images", "--output", tmp_path / "hashes", "--dataset", folder, tar)
    assert "done before" in result.stdout, result.stderr
    assert_refused(run("hash_images", tmp_path / "no", "--output", tmp_path / "other"), "no does not exist")
    assert not (tmp_path / "other").exists()
