import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.config.evaluate import Evaluate
from curation.errors import InputError
from curation.schemas import CURATED_COUNTS
from curation.trainer import models
from curation.trainer.evaluation import bootstrap, metrics
from curation.trainer.evaluation.evaluate import evaluate
from curation.trainer.evaluation.features import Encoder
from curation.trainer.evaluation.result import (
    Result,
    outcomes_path,
    read_outcomes,
    read_result,
    rows,
)
from tests.trainer.conftest import photograph
from tests.trainer.evaluation.conftest import TINY, labelled, npy, write_dataset
from tests.trainer.evaluation.test_winogavil import cue, write_cues

ANIMALS = ["cat", "dog", "great auk"]
LABELS = [0, 1, 2, 0, 1, 2, 0, 1, 0, 0]


def colour(label: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), ("red", "green", "blue")[label]).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data set of each kind."""
    root = tmp_path_factory.mktemp("sets")
    coloured = [{"cls": str(label).encode(), "png": colour(label)} for label in LABELS * 3]
    spoilt = [*coloured[:4], {"cls": b"1", "jpg": b"no image"}, *coloured[5:10]]
    zoo = write_dataset(root / "zoo", spoilt, classnames=ANIMALS)
    write_dataset(zoo, coloured, split="train")
    write_dataset(root / "wds_mnist_test", labelled([*LABELS, 9]))
    write_dataset(root / "pets", labelled(LABELS), classnames=ANIMALS)
    write_dataset(root / "wds_wilds-iwildcam_test", labelled(LABELS), classnames=ANIMALS)
    grouped = [one | {"npy": npy([number % 2, 0])} for number, one in enumerate(labelled(LABELS))]
    write_dataset(root / "wds_geode_test", grouped, classnames=ANIMALS)
    write_dataset(root / "dollar_street", grouped, classnames=[*ANIMALS, "owl", "ant", "bee"])
    several = [{"npy": npy([number % 2, 1, 0])} for number in range(6)]
    write_dataset(root / "voc2007_multilabel", several, classnames=ANIMALS, kind="multilabel")
    captions = [{"txt": f"picture {number}\nimage {number}".encode()} for number in range(6)]
    write_dataset(root / "wds_flickr30k", captions, kind="retrieval")
    images = [photograph(number) for number in range(10)]
    write_cues(root / "winogavil", [cue("owl", images, [1, 2]), cue("ice", images, [5])])
    write_dataset(root / "wds_utkface_test", labelled([0]), classnames=["gender:man"])
    return root


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counts")
    named = [("en", 0, "Cat", 10, 1.0, 10), ("en", 1, "cat", 90, 1.0, 90), ("en", 2, "dog", 7, 0.5, 4)]
    table = pa.Table.from_pylist(
        [dict(zip(CURATED_COUNTS.names, row, strict=True)) for row in named], CURATED_COUNTS
    )
    pq.write_table(table, folder / "part-0.parquet")
    return folder


@pytest.fixture(scope="module")
def checkpoint(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("checkpoint")
    models.save(encoder.model, folder)
    return str(folder)


def configured(checkpoint: str, output: Path, *datasets: Path, **others: object) -> Evaluate:
    return Evaluate(
        checkpoint=checkpoint,
        datasets=tuple(map(str, datasets)),
        output=str(output),
        **{"workers": 0, "batch_size": 8, **others},
    )


@pytest.fixture(scope="module")
def written(checkpoint: str, folders: Path, counts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("out") / "deep" / "result.json"
    evaluate(configured(checkpoint, path, folders, counts=str(counts), probe=True))
    return path


@pytest.fixture(scope="module")
def result(written: Path) -> Result:
    return read_result(written)


def test_every_kind_has_its_measure_and_interval(result: Result) -> None:
    assert {one.name: (one.title, one.metric, one.n) for one in result.datasets} == {
        "dollar_street": ("Dollar Street", "worst group, top 5", 10),
        "pets": ("Oxford-IIIT Pet", "mean per class", 10),
        "voc2007_multilabel": ("voc2007_multilabel", "mean average precision", 6),
        "wds_flickr30k": ("Flickr", "mean recall at 1", 6),
        "wds_geode_test": ("GeoDE", "worst group", 10),
        "wds_mnist_test": ("MNIST", "accuracy", 11),
        "wds_wilds-iwildcam_test": ("iWildCam", "macro F1", 10),
        "winogavil": ("WinoGAViL", "Jaccard", 2),
        "zoo": ("zoo", "accuracy", 9),
    }
    for one in result.datasets:
        assert 0 <= one.interval[0] <= one.value <= one.interval[1] <= 1
    assert result.skipped == ("wds_utkface_test",)
    assert result.average.name == "average of 7 of 38"
    assert result.average.value == pytest.approx(np.mean([one.value for one in result.datasets if one.key]))
    assert result.families == ()
    assert (result.seed, result.resamples, result.precision) == (0, 1000, "fp32")
    assert {"torch", "open_clip_torch"} < result.versions.keys()


def test_a_data_set_in_full(result: Result) -> None:
    (zoo,) = [one for one in result.datasets if one.name == "zoo"]
    assert (zoo.corrupt_images, zoo.chance) == (1, pytest.approx(1 / 3))
    assert zoo.notes == ("images that could not be decoded and do not count: 1",)
    assert [(one.name, one.n, one.count) for one in zoo.classes] == [
        ("cat", 5, 100),
        ("dog", 2, 7),
        ("great auk", 2, None),
    ]
    assert sum(one.accuracy * one.n for one in zoo.classes) == pytest.approx(zoo.value * 9)
    assert zoo.against_counts.classes_with_entry == 2
    assert [one.name for one in zoo.against_counts.bins] == ["absent", "tail", "head"]
    assert zoo.probe.interval[0] <= zoo.probe.value <= zoo.probe.interval[1]
    assert zoo.probe.value > 5 / 9  # each class has a colour: more can be told than the commonest class
    flickr = next(one for one in result.datasets if one.key == "flickr30k")
    assert list(flickr.recalls) == [f"{way} recall at {k}" for way in ("text", "image") for k in (1, 5, 10)]
    assert flickr.value == pytest.approx(
        (flickr.recalls["text recall at 1"] + flickr.recalls["image recall at 1"]) / 2
    )
    mnist = next(one for one in result.datasets if one.key == "mnist")
    assert "no signal" in mnist.notes[0]
    assert "no linear probe" in mnist.notes[1]
    assert [one.accuracy for one in mnist.classes][3] is None


def test_outcomes_are_enough_to_compute_it_again(written: Path, result: Result) -> None:
    outcomes = read_outcomes(written)
    assert outcomes.keys() == {one.name for one in result.datasets}
    for one in result.datasets:
        assert metrics.value(one.metric, outcomes[one.name]) == one.value
        again = bootstrap.interval(bootstrap.distribution(one.metric, outcomes[one.name], seed=result.seed))
        assert again == pytest.approx(one.interval)


def test_the_same_twice_and_nothing_beside_it(
    written: Path, checkpoint: str, folders: Path, counts: Path, tmp_path: Path
) -> None:
    config = configured(checkpoint, tmp_path / "result.json", folders, counts=str(counts), probe=True)
    assert evaluate(config) == read_result(tmp_path / "result.json")
    assert (tmp_path / "result.json").read_bytes() == written.read_bytes()
    assert outcomes_path(tmp_path / "result.json").read_bytes() == outcomes_path(written).read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"result.json", "result.outcomes.npz"}


def test_rows_of_a_table(result: Result) -> None:
    table = rows(result)
    assert len(table) == len(result.datasets) + 1
    zoo = next(row for row in table if row[0] == "zoo")
    value = next(one for one in result.datasets if one.name == "zoo")
    assert zoo[1:3] == ("accuracy", f"{100 * value.value:.1f}")
    assert zoo[3] == f"{100 * value.interval[0]:.1f} to {100 * value.interval[1]:.1f}"
    assert (zoo[4], zoo[5]) == ("9", f"{100 * value.probe.value:.1f}")
    assert table[-1][0] == "average of 7 of 38"


def test_without_counts_and_probe(checkpoint: str, folders: Path, tmp_path: Path) -> None:
    config = configured(checkpoint, tmp_path / "r.json", folders / "zoo", folders / "pets", seed=3)
    result = evaluate(config)
    outcomes = read_outcomes(tmp_path / "r.json")["pets"]
    by_seed = [
        bootstrap.interval(bootstrap.distribution("mean per class", outcomes, seed=seed)) for seed in (0, 3)
    ]
    assert result.datasets[1].interval == by_seed[1] != by_seed[0]
    assert (result.datasets[0].probe, result.datasets[0].against_counts) == (None, None)
    assert result.datasets[0].classes[0].count is None
    assert [row[0] for row in rows(result)] == ["zoo", "Oxford-IIIT Pet", "average of 1 of 38"]


def test_batch_normalisation_is_not_of_the_batch(folders: Path, tmp_path: Path) -> None:
    vision = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64}
    (tmp_path / "resnet.json").write_text(json.dumps({**TINY, "vision_cfg": vision}))
    (tmp_path / "resnet").mkdir()
    models.save(models.create(str(tmp_path / "resnet.json")), tmp_path / "resnet")
    scores = []
    for batch_size in (3, 8):
        path = tmp_path / f"{batch_size}.json"
        evaluate(
            configured(str(tmp_path / "resnet"), path, folders / "voc2007_multilabel", batch_size=batch_size)
        )
        scores.append(read_outcomes(path)["voc2007_multilabel"].scores)
    assert np.allclose(*scores, atol=1e-3)
    assert scores[0].std() > 1e-2


def test_what_cannot_be_evaluated_leaves_nothing(checkpoint: str, folders: Path, tmp_path: Path) -> None:
    def refused(words: str, config: Evaluate) -> None:
        with pytest.raises(InputError, match=words):
            evaluate(config)

    out = tmp_path / "out" / "r.json"
    refused("nothing to measure in wds_utkface", configured(checkpoint, out, folders / "wds_utkface_test"))
    refused("must be a .json file", configured(checkpoint, tmp_path, folders / "zoo"))
    refused("--counts", configured(checkpoint, out, folders / "zoo", counts=str(tmp_path / "none")))
    dark = write_dataset(tmp_path / "dark", [{"cls": b"0", "jpg": b"x"}], classnames=ANIMALS)
    refused("no image in test/ can be decoded", configured(checkpoint, out, dark))
    few = write_cues(tmp_path / "few" / "winogavil", [cue("owl", [photograph(0)] * 5, [1])])
    refused("no cue with 10 images", configured(checkpoint, out, few))
    assert not out.parent.exists()
    for wrong in ({"batch_size": 0}, {"workers": -1}):
        with pytest.raises(InputError, match="must"):
            configured(checkpoint, out, dark, **wrong)


def test_results_and_outcomes_that_do_not_belong_together(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    with pytest.raises(InputError, match="no result"):
        read_result(path)
    path.write_text(json.dumps({"checkpoint": "x"}))
    with pytest.raises(InputError, match="no result"):
        read_result(path)
    path.write_bytes(written.read_bytes())
    with pytest.raises(InputError, match="does not belong"):
        read_outcomes(path)
    outcomes_path(path).write_bytes(outcomes_path(written).read_bytes()[:-1])
    with pytest.raises(InputError, match="does not belong"):
        read_outcomes(path)
