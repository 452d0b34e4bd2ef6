import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.identity import image_id, pair_uid
from curation.errors import InputError
from curation.schemas import SHARD
from curation.trainer.evaluation.classfolders import DEFAULT_TEMPLATES, convert
from curation.trainer.evaluation.datasets import TEST, TRAIN, find_datasets, read_samples
from tests.shards import read_members
from tests.trainer.conftest import photograph

TEMPLATES = ("a {c}.", "the {c}.", "one {c}.", "my {c}.")


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    folder = tmp_path / "zoo"
    for label, name in enumerate(("cat", "great_auk")):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            (folder / name / f"{number:02d}.jpg").write_bytes(photograph(100 * label + number))
    (folder / "cat" / "x.JPEG").write_bytes(photograph(100))  # that of great_auk/00.jpg again
    (folder / "cat" / "broken.png").write_bytes(b"no image")
    (folder / "cat" / "notes.txt").write_text("cats")
    (folder / "stray.jpg").write_bytes(photograph(1))
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_shards_and_data_set(classes: Path, tmp_path: Path) -> None:
    made = convert(classes, tmp_path / "out", test_size=11, templates=TEMPLATES, shard_size=12)
    assert (made.train, made.test, made.classnames) == (30, 11, ("cat", "great auk"))
    assert made.skipped == {"not an image in a class folder": 2, "cannot be decoded": 1}
    assert {path.name for path in tmp_path.iterdir()} == {"zoo", "out"}

    (dataset,), _ = find_datasets([str(made.dataset)])
    assert (dataset.name, dataset.classnames, dataset.templates) == (
        "zoo-held-out",
        ("cat", "great auk"),
        TEMPLATES,
    )
    test, train = read_samples(dataset, TEST), read_samples(dataset, TRAIN)
    assert (len(test), len(train)) == (11, 30)
    assert {sample.label for sample in test} == {0, 1}

    rows = [row for path in sorted(made.shards.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert pq.read_schema(made.shards / "00000.parquet").equals(SHARD)
    assert [len(list(made.shards.glob(f"*{part}"))) for part in (".tar", ".parquet", "_stats.json")] == [
        3,
        3,
        3,
    ]
    assert [row["key"] for row in rows[10:14]] == ["0000010", "0000011", "0000100", "0000101"]
    members = read_members(made.shards)
    assert [json.loads(data) for _, data in members[1::3]] == rows
    assert [data.decode() for _, data in members[2::3]] == [row["caption"] for row in rows]
    for row, (name, data) in zip(rows, members[::3], strict=True):
        assert name == f"{row['key']}.jpg"
        assert (classes / row["url"]).read_bytes() == data
        classname = row["url"].split("/")[0].replace("_", " ")
        assert len(set(row["texts"])) == 3
        assert set(row["texts"]) < {template.replace("{c}", classname) for template in TEMPLATES}
        assert row["caption"] == row["texts"][0]
    assert len({tuple(text.split()[0] for text in row["texts"]) for row in rows}) > 6
    assert len({row["url"].split("/")[0] for row in rows[:12]}) == 2


def test_ids_are_the_projects_own(classes: Path, tmp_path: Path) -> None:
    made = convert(classes, tmp_path / "out", test_share=0.3, texts=2, templates=TEMPLATES)
    table = pq.read_table(made.shards / "00000.parquet")
    assert table["image_id"].combine_chunks().equals(image_id(table["url"].combine_chunks()))
    first = table.slice(0, 1).to_pylist()[0]
    assert first["uids"] == pair_uid(pa.array([first["url"]] * 2), pa.array(first["texts"])).to_pylist()
    assert first["keep_probabilities"] == [1.0, 1.0]
    assert (first["width"], first["height"], first["status"]) == (48, 40, "success")


def test_the_trainer_reads_the_shards(classes: Path, tmp_path: Path) -> None:
    from curation.trainer.data.index import build

    made = convert(classes, tmp_path / "out", test_size=11, shard_size=12)
    index = build([made.shards], tmp_path / "index")
    assert len(index) == 30
    assert len(index.texts) == 90
    assert not index.online


def test_the_same_bytes_from_a_tar_and_another_split_by_another_seed(classes: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "zoo.tar", "w") as tar:
        for path in sorted(classes.rglob("*"), reverse=True):
            tar.add(path, path.relative_to(classes), recursive=False)
    made = convert(classes, tmp_path / "a", test_share=0.4)
    convert(tmp_path / "zoo.tar", tmp_path / "b", test_share=0.4)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    other = convert(classes, tmp_path / "c", test_share=0.4, seed=1)
    assert content(other.dataset / "test") != content(made.dataset / "test")
    assert 8 <= made.test <= 24


def test_equal_images_are_on_the_same_side(classes: Path, tmp_path: Path) -> None:
    for seed in range(6):
        made = convert(classes, tmp_path / str(seed), test_share=0.5, seed=seed)
        images = [data for name, data in read_members(made.shards) if name.endswith("jpg")]
        assert images.count(photograph(100)) in (0, 2)


def test_the_held_out_part_is_never_trained_on(classes: Path, tmp_path: Path) -> None:
    made = convert(classes, tmp_path / "out", test_share=0.4)
    trained = {data for name, data in read_members(made.shards) if name.endswith("jpg")}
    (dataset,), _ = find_datasets([str(made.dataset)])
    for sample in read_samples(dataset, TEST):
        data = sample.tar.read_bytes()[sample.offset : sample.offset + sample.size]
        assert data not in trained


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"test_size": 41}, "41 of 41 images"),
        ({"test_size": 0}, "0 of 41 images"),
        ({"test_share": 1.0}, "41 of 41 images"),
        ({"templates": ["a cat"]}, "no {c}"),
        ({"texts": len(DEFAULT_TEMPLATES) + 1}, "cannot be chosen"),
    ],
)
def test_settings_that_cannot_be(classes: Path, tmp_path: Path, settings: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        convert(classes, tmp_path / "out", **settings)
    assert {path.name for path in tmp_path.iterdir()} == {"zoo"}


def test_sources_and_outputs_that_cannot_be(classes: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="is there already"):
        convert(classes, tmp_path / "there")
    with pytest.raises(InputError, match="no CLASS/IMAGE"):
        convert(tmp_path / "there", tmp_path / "out")
    with pytest.raises(InputError, match="uncompressed tar"):
        convert(tmp_path / "nowhere", tmp_path / "out")
    with tarfile.open(tmp_path / "zoo.tar.gz", "w:gz") as tar:
        tar.add(classes, "zoo")
    with pytest.raises(InputError, match="uncompressed tar"):
        convert(tmp_path / "zoo.tar.gz", tmp_path / "out")
