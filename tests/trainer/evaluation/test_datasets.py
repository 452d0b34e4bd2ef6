import importlib.util
from pathlib import Path

import numpy as np
import open_clip
import pytest
from PIL import Image

from curation.errors import InputError
from curation.trainer.evaluation.datasets import TEST, TRAIN, Dataset, find_datasets, read_samples
from tests.trainer.conftest import photograph
from tests.trainer.evaluation.conftest import labelled, npy, write_dataset, write_tar

ANIMALS = ["cat", "dog", "great auk"]


def only(folder: Path) -> Dataset:
    (found,), skipped = find_datasets([str(folder)])
    assert skipped == []
    return found


def test_samples_of_all_tars_in_order_with_images_left_on_the_disk(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "zoo", labelled([0, 1]), labelled([2]), classnames=ANIMALS)
    dataset = only(folder)
    samples = read_samples(dataset, TEST)
    assert (dataset.name, dataset.task, dataset.metric) == ("zoo", None, "accuracy")
    assert dataset.classnames == tuple(ANIMALS)
    assert dataset.templates == ("a photo of a {c}.",)
    assert [(sample.key, sample.tar.name, sample.label) for sample in samples] == [
        ("s0000000", "0.tar", 0),
        ("s0000001", "0.tar", 1),
        ("s0000002", "1.tar", 2),
    ]
    for number, sample in enumerate(samples):
        with sample.tar.open("rb") as stream:
            stream.seek(sample.offset)
            assert stream.read(sample.size) == photograph(number)


@pytest.mark.skipif(
    importlib.util.find_spec("clip_benchmark") is None, reason="clip-benchmark is not installed"
)
def test_reads_what_clip_benchmark_writes_as_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clip_benchmark import webdataset_builder
    from clip_benchmark.datasets.builder import build_wds_dataset
    from torch.utils.data import DataLoader

    class Pictures(list):
        classes = ANIMALS
        templates = ("a {c}.", "two {c}s.")

    files = []
    for number in range(5):
        files.append(tmp_path / f"{number}.jpeg")
        files[-1].write_bytes(photograph(number))
    monkeypatch.setattr(
        webdataset_builder.torch.utils.data,
        "DataLoader",
        lambda *a, **k: DataLoader(*a, **{**k, "num_workers": 0}),
    )
    pictures = Pictures((str(path), number % 3) for number, path in enumerate(files))
    webdataset_builder.convert_dataset(
        pictures,
        "test",
        str(tmp_path / "zoo"),
        transform=webdataset_builder.path_to_bytes,
        max_count=2,
        verbose=False,
    )
    dataset = only(tmp_path / "zoo")
    theirs = build_wds_dataset("wds/zoo", lambda image: image, data_dir=str(tmp_path / "zoo"))
    assert list(dataset.classnames) == theirs.classes
    assert list(dataset.templates) == theirs.templates
    samples = read_samples(dataset, TEST)
    assert [sample.label for sample in samples] == [label for _, label in theirs] == [0, 1, 2, 0, 1]
    assert [sample.tar.name for sample in samples] == ["0.tar", "0.tar", "1.tar", "1.tar", "2.tar"]


def test_retrieval_multilabel_and_groups(tmp_path: Path) -> None:
    captions = write_dataset(tmp_path / "r", [{"txt": b"a cat\ntwo cats"}], kind="retrieval")
    assert only(captions).metric == "mean recall at 1"
    assert read_samples(only(captions), TEST)[0].captions == ("a cat", "two cats")

    several = write_dataset(tmp_path / "m", [{"npy": npy([1, 0, 1])}], kind="multilabel", classnames=ANIMALS)
    assert only(several).metric == "mean average precision"
    assert np.array_equal(read_samples(only(several), TEST)[0].array, [1, 0, 1])

    regions = write_dataset(
        tmp_path / "wds_geode_test", [{"cls": b"2", "npy": npy([4, 7])}], classnames=ANIMALS
    )
    assert (only(regions).task.name, only(regions).metric) == ("GeoDE", "worst group")
    assert np.array_equal(read_samples(only(regions), TEST)[0].array, [4, 7])


def test_any_image_suffix_and_members_in_folders(tmp_path: Path) -> None:
    folder = tmp_path / "zoo"
    image = Image.new("RGB", (4, 4))
    image.save(tmp_path / "x.webp")
    write_tar(
        folder / "test" / "0.tar",
        [
            ("a/._001", {"jpg": b"not a member"}),
            ("a/001", {"cls": b"1", "webp": (tmp_path / "x.webp").read_bytes()}),
            ("b/001", {"PNG": b"x", "cls": b"2\n"}),
        ],
    )
    (folder / "test" / "nshards.txt").write_text("1")
    (folder / "classnames.txt").write_text("\n".join(ANIMALS) + "\n\n")
    assert only(folder).classnames == tuple(ANIMALS)
    assert [(sample.key, sample.label) for sample in read_samples(only(folder), TEST)] == [
        ("a/001", 1),
        ("b/001", 2),
    ]


def test_folders_of_folders_and_what_has_no_measure(tmp_path: Path) -> None:
    for name in ("b/zoo", "a/cars"):
        write_dataset(tmp_path / name, labelled([0]), classnames=ANIMALS)
    write_dataset(tmp_path / "wds_fairface_test", labelled([0]), classnames=ANIMALS)
    write_dataset(tmp_path / "_zoo2", labelled([0]), classnames=ANIMALS)
    found, skipped = find_datasets([str(tmp_path)])
    assert [dataset.name for dataset in found] == ["cars", "zoo"]
    assert skipped == ["wds_fairface_test"]
    assert found[0].has(TEST)
    assert not found[0].has(TRAIN)


def test_names_and_templates_that_a_known_data_set_need_not_bring(tmp_path: Path) -> None:
    imagenet = only(write_dataset(tmp_path / "wds_imagenetv2", labelled([999])))
    assert imagenet.classnames == tuple(open_clip.IMAGENET_CLASSNAMES)
    assert [text.replace("{c}", "cat") for text in imagenet.templates] == [
        template("cat") for template in open_clip.OPENAI_IMAGENET_TEMPLATES
    ]
    cifar = only(write_dataset(tmp_path / "cifar10", labelled([9])))
    assert cifar.classnames[9] == "truck"
    assert len(cifar.templates) == len(set(cifar.templates)) == 18
    hundred = only(write_dataset(tmp_path / "vtab-cifar100", labelled([9])))
    assert len(set(hundred.classnames)) == 100
    assert list(hundred.classnames) == sorted(hundred.classnames)
    own = write_dataset(tmp_path / "x" / "imagenet1k", labelled([0]), classnames=ANIMALS, templates=["{c}!"])
    assert (only(own).classnames, only(own).templates) == (tuple(ANIMALS), ("{c}!",))


def test_what_cannot_be_used(tmp_path: Path) -> None:
    def refused(words: str, folder: Path | str) -> None:
        with pytest.raises(InputError, match=words) as told:
            [read_samples(dataset, TEST) for dataset in find_datasets([str(folder)])[0]]
        assert "\n" not in str(told.value)

    refused("does not exist", tmp_path / "nowhere")
    refused(r"--datasets s3://bucket/sets: jobs keep folders", "s3://bucket/sets")
    (tmp_path / "empty").mkdir()
    refused("nshards.txt", tmp_path / "empty")
    refused("classnames.txt is missing", write_dataset(tmp_path / "imagenet-a", labelled([0])))
    refused("no {c}", write_dataset(tmp_path / "t", labelled([0]), classnames=ANIMALS, templates=["a cat"]))
    refused("says 'poem'", write_dataset(tmp_path / "k", labelled([0]), classnames=ANIMALS, kind="poem"))
    refused("class 3, but", write_dataset(tmp_path / "l", labelled([0, 3]), classnames=ANIMALS))
    refused("no .cls, but", write_dataset(tmp_path / "c", [{"txt": b"x"}], classnames=ANIMALS))
    refused("no .txt", write_dataset(tmp_path / "r", labelled([0]), kind="retrieval"))
    refused("no .npy", write_dataset(tmp_path / "fmow", labelled([0]), classnames=ANIMALS))
    refused(
        "each of the 3",
        write_dataset(tmp_path / "m", [{"npy": npy([1])}], kind="multilabel", classnames=ANIMALS),
    )
    refused("no samples", write_dataset(tmp_path / "n", [], classnames=ANIMALS))

    gap = write_dataset(tmp_path / "gap", labelled([0]), classnames=ANIMALS)
    (gap / "test" / "nshards.txt").write_text("2")
    refused("1.tar is missing", gap)
    (gap / "test" / "nshards.txt").write_text("two")
    refused("'two' is no number", gap)
    cut = write_dataset(tmp_path / "cut", labelled([0, 1, 2]), classnames=ANIMALS)
    tar = cut / "test" / "0.tar"
    tar.write_bytes(tar.read_bytes()[: 3 * 512 + 100])
    refused("0.tar", cut)
    write_tar(tmp_path / "i" / "test" / "0.tar", [("s0", {"cls": b"0"})])
    (tmp_path / "i" / "test" / "nshards.txt").write_text("1")
    (tmp_path / "i" / "classnames.txt").write_text("cat\n")
    refused("s0 has no image", tmp_path / "i")


def test_the_same_data_set_twice(tmp_path: Path) -> None:
    for name in ("wds_cifar10_test", "vtab-cifar10"):
        write_dataset(tmp_path / name, labelled([0]))
    with pytest.raises(InputError, match="are both cifar10"):
        find_datasets([str(tmp_path)])
