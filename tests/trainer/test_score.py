"""Scores of shards, against open_clip's own encoders."""

import csv
import io
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import open_clip
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from curation.config.score import Score
from curation.config.subset import Subset
from curation.errors import InputError
from curation.trainer import models, score, scores
from curation.trainer.subset import subset
from tests.shards import image_row


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An open_clip folder of a small model whose BatchNorms have statistics of their own."""
    folder = tmp_path_factory.mktemp("checkpoint")
    model = models.create("tiny", seed=3)
    with torch.no_grad():
        for module in model.module.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean += 0.01
                module.weight += 0.1
        model.module.logit_scale += 1
    models.save(model, folder)
    return folder


def run(checkpoint: Path, shards: Path, output: Path, **options) -> score.Scored:
    options = {"workers": 0, "batch_size": 16} | options
    return score.score(
        Score(checkpoint=str(checkpoint), shards=(str(shards),), output=str(output), **options)
    )


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("[0-9]*.parquet")) for row in pq.read_table(path).to_pylist()]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@torch.no_grad()
def by_open_clip(checkpoint: Path, data: bytes, text: str) -> tuple[torch.Tensor, torch.Tensor]:
    model, _, preprocess = by_open_clip.models.setdefault(
        checkpoint, open_clip.create_model_and_transforms(f"local-dir:{checkpoint}")
    )
    model.eval()
    image = model.encode_image(preprocess(Image.open(io.BytesIO(data)))[None], normalize=True)
    return image[0], model.encode_text(open_clip.tokenize([text]), normalize=True)[0]


by_open_clip.models = {}


def test_scores_of_photographs_are_open_clips(tmp_path, checkpoint, shared_data, make_shards) -> None:
    folder = shared_data / "images" / "coco-mini"
    with (folder / "captions.tsv").open(newline="") as stream:
        captions: dict[str, list[str]] = {}
        for name, caption in csv.reader(stream, delimiter="\t"):
            captions.setdefault(name, []).append(caption)
    names = sorted(captions)[:9]
    photographs = {f"http://c/{name}": (folder / name).read_bytes() for name in names}
    made = [image_row(f"http://c/{name}", [*captions[name], "a much longer text " * 12]) for name in names]
    shards = make_shards(tmp_path / "shards", made[:5], made[5:], images=photographs)
    done = run(checkpoint, shards, tmp_path / "scores", batch_size=3, embeddings=True)
    found = rows(tmp_path / "scores")
    expected = [(row, uid, text) for row in made for uid, text in zip(row["uids"], row["texts"], strict=True)]
    assert done.texts == len(found) == len(expected) > 9
    assert (done.shards, done.faults) == (2, {})
    for row, (image, uid, text) in zip(found, expected, strict=True):
        a, b = by_open_clip(checkpoint, photographs[image["url"]], text)
        assert row["similarity"] == pytest.approx(float(a @ b), abs=1e-5)
        assert row["uid"] == uid
        assert row["text_number"] == image["uids"].index(uid)
        assert np.allclose(row["image_embedding"], a, atol=1e-3)
        assert np.allclose(row["text_embedding"], b, atol=1e-3)
    table = pq.read_table(tmp_path / "scores" / "00001.parquet")
    assert table.schema.names == [
        "shard",
        "key",
        "uid",
        "text_number",
        "similarity",
        "image_embedding",
        "text_embedding",
    ]
    assert table.schema.types[3:5] == [pa.int32(), pa.float32()]
    assert table.schema.types[5:] == [pa.list_(pa.float16(), 128)] * 2
    assert set(table["shard"].to_pylist()) == {"../shards/00001.tar"}
    assert table["key"][0].as_py() == "0000100"
    assert {path.name for path in (tmp_path / "scores").iterdir()} == {
        "_scores.json",
        "00000.parquet",
        "00001.parquet",
    }


def test_what_was_stopped_goes_on_to_the_same_bytes(tmp_path, checkpoint, shards, monkeypatch) -> None:
    run(checkpoint, shards, tmp_path / "whole")
    write, written = pq.write_table, []

    def stopped(table, path, **options):
        written.append(path)
        if len(written) == 2:
            Path(path).write_bytes(b"half a table")
            raise KeyboardInterrupt
        write(table, path, **options)

    monkeypatch.setattr(scores.pq, "write_table", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, shards, tmp_path / "scores")
    assert sorted(path.name for path in (tmp_path / "scores").glob("[0-9]*")) == ["00000.parquet"]
    first = (tmp_path / "scores" / "00000.parquet").stat().st_ino
    done = run(checkpoint, shards, tmp_path / "scores")
    assert bytes_of(tmp_path / "scores") == bytes_of(tmp_path / "whole")
    assert (tmp_path / "scores" / "00000.parquet").stat().st_ino == first
    assert len(written) == 3
    assert run(checkpoint, shards, tmp_path / "scores") == done
    assert len(written) == 3
    assert done.texts == len(rows(tmp_path / "scores")) == 97


def test_workers_and_ranks_make_no_difference(tmp_path, checkpoint, shards, monkeypatch) -> None:
    run(checkpoint, shards, tmp_path / "a")
    run(checkpoint, shards, tmp_path / "b", workers=1)
    assert bytes_of(tmp_path / "b") == bytes_of(tmp_path / "a")
    order = []

    def rank(number: int) -> SimpleNamespace:
        return SimpleNamespace(
            rank=number,
            ranks=2,
            is_first=number == 0,
            device=torch.device("cpu"),
            barrier=lambda: order.append((number, sorted(path.name for path in (tmp_path / "c").iterdir()))),
        )

    def second_rank(seconds: float) -> None:
        """While the first waits, the second does its part."""
        monkeypatch.setattr(score.processes, "start", lambda: rank(1))
        assert run(checkpoint, shards, tmp_path / "c") is None

    monkeypatch.setattr(score.processes, "start", lambda: rank(0))
    monkeypatch.setattr(score.processes, "stop", lambda ranks: None)
    monkeypatch.setattr(score, "time", SimpleNamespace(sleep=second_rank))  # not the one of other threads
    assert run(checkpoint, shards, tmp_path / "c").shards == 2
    begun = ["_index", "_scores.json"]
    assert order == [(0, begun), (1, ["00000.parquet", *begun])]
    assert bytes_of(tmp_path / "c") == bytes_of(tmp_path / "a")


def test_the_size_of_batches_hardly_matters(tmp_path, checkpoint, shards) -> None:
    run(checkpoint, shards, tmp_path / "a", batch_size=50)
    run(checkpoint, shards, tmp_path / "b", batch_size=1)
    a, b = rows(tmp_path / "a"), rows(tmp_path / "b")
    assert [row | {"similarity": 0} for row in a] == [row | {"similarity": 0} for row in b]
    assert np.allclose([row["similarity"] for row in a], [row["similarity"] for row in b], atol=1e-6)


def test_a_folder_of_other_scores_is_refused(tmp_path, checkpoint, shards, make_shards) -> None:
    output = tmp_path / "scores"
    run(checkpoint, shards, output)
    before = bytes_of(output)
    other = tmp_path / "other"
    other.mkdir()
    models.save(models.create("tiny", seed=4), other)
    fewer = shards / "00000.tar"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in shards.glob("0*"):
        (elsewhere / path.name).write_bytes(path.read_bytes())
    for arguments, options, message in (
        ((other, shards), {}, "holds scores of another checkpoint; name another folder"),
        ((checkpoint, fewer), {}, "holds scores of other shards"),
        ((checkpoint, elsewhere), {}, "holds scores of shards in other places"),
        ((checkpoint, shards), {"embeddings": True}, "another choice of --embeddings"),
    ):
        with pytest.raises(InputError, match=message):
            run(*arguments, output, **options)
        assert bytes_of(output) == before
    with pytest.raises(InputError, match="holds other tables"):
        run(checkpoint, elsewhere, elsewhere)
    with pytest.raises(InputError, match="does not exist"):
        run(checkpoint, tmp_path / "nowhere.tar", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_read_costs_only_itself(tmp_path, checkpoint, make_shards) -> None:
    made = [image_row(f"http://x/{n}", [f"a {n}", f"b {n}"]) for n in range(6)]
    stream = io.BytesIO()
    Image.effect_noise((90, 80), 50).save(stream, "JPEG")
    broken = {"http://x/1": b"no image at all", "http://x/2": stream.getvalue()[:900]}
    failed = [image_row("http://x/9", ["c"], error="HTTP 404")]
    shards = make_shards(tmp_path / "shards", made, failed, images=broken)
    tar = (shards / "00000.tar").read_bytes()
    (shards / "00000.tar").write_bytes(tar.replace(b'"texts":["a 4"', b'"texts":[5    ', 1))
    done = run(checkpoint, shards, tmp_path / "scores", batch_size=4, embeddings=True)
    found = rows(tmp_path / "scores")
    nothing = {"00": False, "01": True, "02": True, "03": False, "04": True, "05": False}
    assert [row["similarity"] is None for row in found] == [nothing[row["key"][-2:]] for row in found]
    assert [row["image_embedding"] is None for row in found] == [
        row["key"][-2:] in ("01", "02") for row in found
    ]
    assert [row["text_embedding"] is None for row in found] == [row["key"][-2:] == "04" for row in found]
    assert done.faults == {"bad_image": 2, "bad_json": 2}
    assert done.texts == 6
    assert len(found) == 12
    assert done.shards == 2
    empty, full = (pq.read_table(tmp_path / "scores" / f"0000{n}.parquet") for n in (1, 0))
    assert len(empty) == 0
    assert empty.schema == full.schema
    whole = make_shards(tmp_path / "whole", made)
    run(checkpoint, whole, tmp_path / "expected", batch_size=4)
    expected = [row["similarity"] for row in rows(tmp_path / "expected")]
    for row, similarity in zip(found, expected, strict=True):
        assert row["similarity"] is None or row["similarity"] == pytest.approx(similarity, abs=1e-6)


def test_features_that_are_no_numbers_are_no_scores(tmp_path, shards) -> None:
    model = models.create("tiny")
    with torch.no_grad():
        model.module.visual.attnpool.c_proj.bias[0] = float("nan")
    (tmp_path / "checkpoint").mkdir()
    models.save(model, tmp_path / "checkpoint")
    done = run(tmp_path / "checkpoint", shards / "00001.tar", tmp_path / "scores")
    assert done.texts == 0
    assert done.faults == {"not_finite": 20}
    assert {row["similarity"] for row in rows(tmp_path / "scores")} == {None}


def test_shards_of_others_and_lists(tmp_path, checkpoint, make_shards) -> None:
    """Without uids the text is known by its number; of listed samples, listed texts are scored."""
    stream = io.BytesIO()
    Image.effect_noise((70, 90), 50).save(stream, "PNG")
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        for key in ("x/b", "x/a"):
            for suffix, data in (("png", stream.getvalue()), ("txt", f"a picture of {key}".encode())):
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    made = [image_row(f"http://x/{n}", [f"a {n}", f"b {n}"]) for n in range(3)]
    make_shards(tmp_path / "shards", made)
    listed = {
        "shard": ["b.tar", "shards/00000.tar"],
        "key": ["x/a", "0000001"],
        "uids": [None, made[1]["uids"][1:]],
    }
    pq.write_table(pa.table(listed), tmp_path / "list.parquet")
    run(checkpoint, tmp_path / "list.parquet", tmp_path / "of-list")
    places = [tuple(row.values())[:4] for row in rows(tmp_path / "of-list")]
    assert places == [
        ("../shards/00000.tar", "0000001", made[1]["uids"][1], 1),
        ("../b.tar", "x/a", None, 0),
    ]
    run(checkpoint, tmp_path / "b.tar", tmp_path / "scores")
    found = rows(tmp_path / "scores")
    assert [(row["key"], row["uid"], row["text_number"]) for row in found] == [
        ("x/a", None, 0),
        ("x/b", None, 0),
    ]
    image, text = by_open_clip(checkpoint, stream.getvalue(), "a picture of x/a")
    assert found[0]["similarity"] == pytest.approx(float(image @ text), abs=1e-5)
    assert found[0]["similarity"] == pytest.approx(rows(tmp_path / "of-list")[1]["similarity"], abs=1e-6)


def test_subset_reads_scores(tmp_path, checkpoint, shards) -> None:
    run(checkpoint, shards, tmp_path / "scores")
    found = rows(tmp_path / "scores")
    threshold = sorted(row["similarity"] for row in found)[50]
    counts = subset(
        Subset(
            shards=(str(shards),),
            scores=str(tmp_path / "scores"),
            min_similarity=threshold,
            output=str(tmp_path / "list.parquet"),
        )
    )
    expected = {(row["key"], row["uid"]) for row in found if row["similarity"] >= threshold}
    listed = pq.read_table(tmp_path / "list.parquet").to_pylist()
    assert {(row["key"], uid) for row in listed for uid in row["uids"]} == expected
    assert counts.texts == {"in": 97, "min_similarity": len(expected), "out": len(expected)}


def test_flags_that_make_no_sense() -> None:
    for name in ("batch_size", "workers"):
        with pytest.raises(InputError, match=f"--{name.replace('_', '-')} is -1"):
            Score(checkpoint="c", shards=("s",), output="o", **{name: -1})
