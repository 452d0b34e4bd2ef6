"""The data sets that are known by name: what each is measured with, and DataComp's 38."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curation.trainer.evaluation.metrics import (
    ACCURACY,
    JACCARD,
    MACRO_F1,
    MEAN_PER_CLASS,
    RETRIEVAL,
    WORST_GROUP,
    WORST_GROUP_TOP5,
)

SHIFTS = "ImageNet shifts"
VTAB = "VTAB"
RETRIEVALS = "retrieval"

_NO_SIGNAL = "at DataComp's small scale this set carries no signal: differences are noise"


@dataclass(frozen=True)
class Task:
    """A data set that is known by name.

    Attributes:
        key: name in DataComp's list of tasks or among CLIP_benchmark's data sets, without their prefixes.
        name: as published tables write it.
        metric: what its value is, one of `metrics.METRICS`.
        family: the mean that it is part of, if any.
        datacomp: whether it is one of DataComp's 38.
        group_column: for worst groups, the column of the sample's `.npy` that names its group.
        notes: what a reader of its value should know.
    """

    key: str
    name: str
    metric: str = ACCURACY
    family: str | None = None
    datacomp: bool = True
    group_column: int = 0
    notes: tuple[str, ...] = ()


TASKS = (
    Task("imagenet1k", "ImageNet 1k"),
    Task("imagenetv2", "ImageNet v2", family=SHIFTS),
    Task("imagenet_sketch", "ImageNet Sketch", family=SHIFTS),
    Task("imagenet_a", "ImageNet-A", family=SHIFTS),
    Task("imagenet_o", "ImageNet-O", family=SHIFTS),
    Task("imagenet_r", "ImageNet-R", family=SHIFTS),
    Task("objectnet", "ObjectNet", family=SHIFTS),
    Task("caltech101", "Caltech-101", MEAN_PER_CLASS, VTAB),
    Task("cifar100", "CIFAR-100", family=VTAB),
    Task("clevr_count_all", "CLEVR Counts", family=VTAB),
    Task("clevr_closest_object_distance", "CLEVR Distance", family=VTAB),
    Task("dtd", "Describable Textures", family=VTAB),
    Task("eurosat", "EuroSAT", family=VTAB),
    Task("kitti_closest_vehicle_distance", "KITTI Vehicle Distance", family=VTAB),
    Task("flowers", "Oxford Flowers-102", MEAN_PER_CLASS, VTAB),
    Task("pets", "Oxford-IIIT Pet", MEAN_PER_CLASS, VTAB),
    Task("pcam", "PatchCamelyon", family=VTAB),
    Task("resisc45", "RESISC45", family=VTAB),
    Task("sun397", "SUN397", family=VTAB),
    Task("svhn", "SVHN", family=VTAB),
    Task("cifar10", "CIFAR-10"),
    Task("country211", "Country211"),
    Task("fgvc_aircraft", "FGVC Aircraft", MEAN_PER_CLASS),
    Task("food101", "Food-101"),
    Task("gtsrb", "GTSRB"),
    Task("mnist", "MNIST", notes=(_NO_SIGNAL,)),
    Task("voc2007", "Pascal VOC 2007"),
    Task("renderedsst2", "Rendered SST2", notes=(_NO_SIGNAL,)),
    Task("cars", "Stanford Cars"),
    Task("stl10", "STL-10"),
    Task("iwildcam", "iWildCam", MACRO_F1),
    Task("camelyon17", "Camelyon17"),
    Task(
        "fmow",
        "FMoW",
        WORST_GROUP,
        notes=(
            "the worst of all regions, as in DataComp's code: its region of a handful of images counts too, "
            "so published values are often 0",
        ),
    ),
    Task("dollar_street", "Dollar Street", WORST_GROUP_TOP5),
    Task("geode", "GeoDE", WORST_GROUP),
    Task("flickr30k", "Flickr", RETRIEVAL, RETRIEVALS),
    Task("mscoco_captions", "MSCOCO", RETRIEVAL, RETRIEVALS),
    Task("winogavil", "WinoGAViL", JACCARD, RETRIEVALS),
    Task("imagenette", "Imagenette", datacomp=False),
)
"""DataComp's 38 and what is known beyond them.

Source: `tasklist.yml` and `eval_utils/` of mlfoundations/datacomp, its main metrics;
`benchmark/webdatasets.txt` of LAION-AI/CLIP_benchmark. FairFace and UTKFace have no main metric there.
"""

_OTHER_NAMES = {
    "flickr_1k_test_image_text_retrieval": "flickr30k",
    "mscoco_2014_5k_test_image_text_retrieval": "mscoco_captions",
    "rendered_sst2": "renderedsst2",
    "imagenet_v2": "imagenetv2",
    "imagenetsketch": "imagenet_sketch",
    "coco": "mscoco_captions",
    "mscoco": "mscoco_captions",
    "imagenet": "imagenet1k",
}
_COLLECTIONS = ("vtab_", "wilds_", "fairness_", "retrieval_", "misc_")
_BY_KEY = {task.key: task for task in TASKS}
DATACOMP = tuple(task for task in TASKS if task.datacomp)


def find_task(folder_name: str) -> Task | None:
    """The data set that a folder holds, by its name.

    Args:
        folder_name: such as `wds_vtab-caltech101_test`, `wds_imagenet1k` or `imagenet-a`.
    """
    key = folder_name.lower().removeprefix("wds_").removesuffix("_test").replace("-", "_")
    for collection in _COLLECTIONS:
        key = key.removeprefix(collection)
    return _BY_KEY.get(_OTHER_NAMES.get(key, key))


@dataclass(frozen=True)
class Mean:
    """A mean over data sets, each with the same weight.

    Attributes:
        name: "average of 38" only when all 38 are there, else "average of k of 38".
        value: a share; None of none.
        of: names of the data sets in it.
        missing: names of those that are not.
    """

    name: str
    value: float | None
    of: tuple[str, ...]
    missing: tuple[str, ...]


def average(values: Mapping[str, float]) -> Mean:
    """DataComp's average: the mean of the main metrics of its 38 data sets.

    Args:
        values: by `Task.key`.

    Source: `aggregate_scores.py` of mlfoundations/datacomp.
    """
    mean = _mean("", DATACOMP, values)
    count = str(len(DATACOMP)) if not mean.missing else f"{len(mean.of)} of {len(DATACOMP)}"
    return Mean(f"average of {count}", mean.value, mean.of, mean.missing)


def families(values: Mapping[str, float]) -> list[Mean]:
    """The means of DataComp's families whose data sets are all there.

    Args:
        values: by `Task.key`.
    """
    means = (
        _mean(family, [task for task in DATACOMP if task.family == family], values)
        for family in (SHIFTS, VTAB, RETRIEVALS)
    )
    return [mean for mean in means if not mean.missing]


def _mean(name: str, tasks: Sequence[Task], values: Mapping[str, float]) -> Mean:
    here = [task for task in tasks if task.key in values]
    return Mean(
        name,
        float(np.mean([values[task.key] for task in here])) if here else None,
        tuple(task.name for task in here),
        tuple(task.name for task in tasks if task.key not in values),
    )
