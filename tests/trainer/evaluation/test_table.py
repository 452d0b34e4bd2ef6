from collections import Counter

import pytest

from curation.trainer.evaluation.metrics import METRICS
from curation.trainer.evaluation.table import DATACOMP, TASKS, average, families, find_task


def test_datacomps_38_and_their_measures() -> None:
    assert len(DATACOMP) == 38
    assert len({task.key for task in TASKS}) == len({task.name for task in TASKS}) == len(TASKS) == 39
    assert {task.metric for task in TASKS} < METRICS.keys()
    assert Counter(task.family for task in DATACOMP) == {
        None: 16,
        "VTAB": 13,
        "ImageNet shifts": 6,
        "retrieval": 3,
    }
    special = {task.name: task.metric for task in TASKS if task.metric != "accuracy"}
    assert special == {
        **dict.fromkeys(
            ("Caltech-101", "Oxford Flowers-102", "Oxford-IIIT Pet", "FGVC Aircraft"), "mean per class"
        ),
        "iWildCam": "macro F1",
        **dict.fromkeys(("FMoW", "GeoDE"), "worst group"),
        "Dollar Street": "worst group, top 5",
        **dict.fromkeys(("Flickr", "MSCOCO"), "mean recall at 1"),
        "WinoGAViL": "Jaccard",
    }
    assert {task.name for task in TASKS if "no signal" in " ".join(task.notes)} == {"MNIST", "Rendered SST2"}


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("wds_imagenet1k_test", "ImageNet 1k"),
        ("wds_vtab-caltech101_test", "Caltech-101"),
        ("wds_wilds-iwildcam_test", "iWildCam"),
        ("wds_dollar_street_test", "Dollar Street"),
        ("fairness-geode", "GeoDE"),
        ("wds_imagenet-a", "ImageNet-A"),
        ("wds_cifar10_test", "CIFAR-10"),
        ("vtab-cifar10", "CIFAR-10"),
        ("wds_mscoco_captions", "MSCOCO"),
        ("retrieval-flickr_1k_test_image_text_retrieval", "Flickr"),
        ("wds_flickr30k_test", "Flickr"),
        ("winogavil", "WinoGAViL"),
        ("Imagenette", "Imagenette"),
        ("rendered-sst2", "Rendered SST2"),
        ("cifar10-10k-held-out", None),
        ("flickr8k", None),
    ],
)
def test_a_folders_name_says_what_it_is(folder: str, name: str | None) -> None:
    task = find_task(folder)
    assert (task.name if task else None) == name


def test_the_average_of_38_only_with_all_of_them() -> None:
    values = {task.key: number / 100 for number, task in enumerate(DATACOMP)}
    whole = average(values | {"imagenette": 1.0})
    assert (whole.name, whole.value, whole.missing) == ("average of 38", pytest.approx(0.185), ())
    del values["fmow"]
    del values["mnist"]
    part = average(values)
    assert part.name == "average of 36 of 38"
    assert part.value == pytest.approx(sum(values.values()) / 36)
    assert part.missing == ("MNIST", "FMoW")
    assert len(part.of) == 36
    assert average({"imagenette": 1.0}).value is None


def test_families_only_when_complete() -> None:
    shifts = dict.fromkeys(
        ("imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_o", "imagenet_r", "objectnet"), 0.5
    )
    assert families(shifts | {"flickr30k": 1.0})[0].value == 0.5
    assert [mean.name for mean in families(shifts | {"flickr30k": 1.0})] == ["ImageNet shifts"]
    every = {task.key: 0.25 for task in DATACOMP}
    assert [mean.name for mean in families(every)] == ["ImageNet shifts", "VTAB", "retrieval"]
