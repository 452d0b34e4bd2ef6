"""Data sets in CLIP_benchmark's WebDataset layout: what they are, and where their samples lie."""

import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from curation.errors import InputError
from curation.io import local_folder
from curation.trainer.evaluation import prompts
from curation.trainer.evaluation.metrics import (
    ACCURACY,
    JACCARD,
    MEAN_AVERAGE_PRECISION,
    RETRIEVAL,
    WORST_GROUP,
    WORST_GROUP_TOP5,
)
from curation.trainer.evaluation.table import Task, find_task

TEST = "test"
TRAIN = "train"
IMAGE_SUFFIXES = ("webp", "png", "jpg", "jpeg")

_CLASSNAMES = "classnames.txt"
_TEMPLATES = "zeroshot_classification_templates.txt"
_TYPE = "dataset_type.txt"
_SHARDS = "nshards.txt"
_METRIC_OF_TYPE = {
    "classification": ACCURACY,
    "multilabel": MEAN_AVERAGE_PRECISION,
    "retrieval": RETRIEVAL,
}
_WITHOUT_MEASURE = ("fairface", "utkface")
_DEPTH = 3  # folders of folders of data sets


@dataclass(frozen=True)
class Dataset:
    """A folder with test images and what to ask about them.

    Attributes:
        folder: where it lies.
        name: of the folder.
        task: what the table says about it, if it is known by name.
        metric: what its value is, one of `metrics.METRICS`.
        classnames: in the order of the labels; none for retrieval.
        templates: with `{c}` where the class name goes.
    """

    folder: Path
    name: str
    task: Task | None
    metric: str
    classnames: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()

    def has(self, split: str) -> bool:
        """Whether it has a split."""
        return (self.folder / split / _SHARDS).is_file()


@dataclass(frozen=True)
class Sample:
    """One image, not read yet, and what belongs to it.

    Attributes:
        key: name of its members up to the first dot.
        tar: the file that it is in.
        offset: where its encoded bytes begin.
        size: how many they are.
        label: index of its class; -1 without `.cls`.
        captions: lines of its `.txt`.
        array: what its `.npy` holds: labels of several classes, or what groups it belongs to.
    """

    key: str
    tar: Path
    offset: int
    size: int
    label: int = -1
    captions: tuple[str, ...] = ()
    array: np.ndarray | None = field(default=None, compare=False)


def find_datasets(folders: Sequence[str]) -> tuple[list[Dataset], list[str]]:
    """The data sets in folders, each being one or holding several.

    Args:
        folders: in CLIP_benchmark's layout, or folders of such folders.

    Returns:
        The data sets, and the names of those that have no measure: FairFace and UTKFace, which DataComp's
        average leaves out and whose labels are of several kinds.

    Raises:
        InputError: a folder holds none, or two have the same name or are the same data set.
    """
    roots = [root for folder in folders for root in _find_roots(local_folder(folder, "--datasets"))]
    skipped = [root.name for root in roots if _without_measure(root)]
    found = [_open(root) for root in roots if not _without_measure(root)]
    seen: dict[str, Path] = {}
    for dataset in found:
        name = dataset.task.key if dataset.task else dataset.name
        if name in seen:
            raise InputError(
                f"--datasets: {seen[name]} and {dataset.folder} are both {name}; give one, or rename a folder"
            )
        seen[name] = dataset.folder
    return found, skipped


def read_samples(dataset: Dataset, split: str) -> list[Sample]:
    """The samples of a split in the order of its tars; images stay on the disk.

    Raises:
        InputError: a tar cannot be read, or a sample lacks its image, label or captions.
    """
    samples = [sample for tar in _tars(dataset.folder, split) for sample in _read_tar(tar)]
    if not samples:
        raise InputError(f"data set {dataset.folder}: no samples in {split}/; download it again")
    for sample in samples:
        _check(dataset, sample)
    return samples


def _find_roots(folder: Path) -> list[Path]:
    roots = _roots(folder, _DEPTH)
    if not roots:
        state = "has no such folder in it" if folder.is_dir() else "does not exist"
        raise InputError(
            f"--datasets {folder} {state}: a data set has test/{_SHARDS} and test/0.tar, as CLIP_benchmark's"
        )
    return roots


def _roots(folder: Path, depth: int) -> list[Path]:
    if (folder / TEST / _SHARDS).is_file() or _is_parquet(folder):
        return [folder]
    if depth == 0 or not folder.is_dir():
        return []
    inner = sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(("_", "."))
    )
    return [root for path in inner for root in _roots(path, depth - 1)]


def _is_parquet(folder: Path) -> bool:
    """WinoGAViL has no tars."""
    task = find_task(folder.resolve().name)
    return task is not None and task.metric == JACCARD and any(folder.glob(f"{TEST}/*.parquet"))


def _without_measure(folder: Path) -> bool:
    return any(known in folder.resolve().name.lower() for known in _WITHOUT_MEASURE)


def _open(folder: Path) -> Dataset:
    name = folder.resolve().name
    task = find_task(name)
    kind = _line(folder / _TYPE).lower() or "classification"
    if kind not in _METRIC_OF_TYPE:
        raise InputError(f"{folder / _TYPE} says {kind!r}; it may say {', '.join(sorted(_METRIC_OF_TYPE))}")
    metric = _METRIC_OF_TYPE[kind]
    if task is not None and metric == ACCURACY:
        metric = task.metric
    if metric in (RETRIEVAL, JACCARD):
        return Dataset(folder, name, task, metric)
    key = task.key if task else ""
    classnames = _lines(folder / _CLASSNAMES) or prompts.CLASSNAMES.get(key, ())
    if not classnames:
        raise InputError(
            f"data set {folder}: {_CLASSNAMES} is missing; write the name of each class on its line"
        )
    templates = _lines(folder / _TEMPLATES) or prompts.TEMPLATES.get(key, prompts.PLAIN)
    if bad := [template for template in templates if prompts.CLASS not in template]:
        raise InputError(
            f"{folder / _TEMPLATES}: {bad[0]!r} has no {prompts.CLASS} for the name of the class"
        )
    return Dataset(folder, name, task, metric, classnames, templates)


def _line(path: Path) -> str:
    return "".join(_lines(path)[:1])


def _lines(path: Path) -> tuple[str, ...]:
    """The lines of a file without spaces around them, but for blank ones at its end; none without file."""
    if not path.is_file():
        return ()
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def _tars(folder: Path, split: str) -> list[Path]:
    count = _line(folder / split / _SHARDS)
    if not count.isdigit() or int(count) == 0:
        raise InputError(
            f"{folder / split / _SHARDS}: {count!r} is no number of tars; download the data set again"
        )
    tars = [folder / split / f"{number}.tar" for number in range(int(count))]
    if missing := [tar for tar in tars if not tar.is_file()]:
        raise InputError(f"data set {folder}: {missing[0]} is missing of {count} tars; download it again")
    return tars


def _read_tar(tar: Path) -> Iterator[Sample]:
    """Members with the same key lie together, as WebDataset wants them."""
    key, parts = "", dict[str, Any]()
    try:
        with tarfile.open(tar, "r:") as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # or it would keep every header
                name, _, suffix = Path(member.name).name.partition(".")
                if not member.isfile() or not name:  # macOS's tar adds files called ._NAME
                    continue
                of_member = str(Path(member.name).with_name(name))
                if of_member != key and parts:
                    yield _sample(key, tar, parts)
                    parts = {}
                key = of_member
                _take(parts, suffix.lower(), archive, member)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise InputError(f"{tar} cannot be read ({error}); download it again") from None
    if parts:
        yield _sample(key, tar, parts)


def _take(parts: dict[str, Any], suffix: str, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    if suffix in IMAGE_SUFFIXES:
        parts |= {"offset": member.offset_data, "size": member.size}
    elif suffix in ("cls", "txt", "npy"):
        stream = archive.extractfile(member)
        data = stream.read() if stream else b""
        if suffix == "cls":
            parts["label"] = int(data)
        elif suffix == "txt":
            parts["captions"] = tuple(data.decode().splitlines())
        else:
            parts["array"] = np.load(io.BytesIO(data), allow_pickle=False).reshape(-1)


def _sample(key: str, tar: Path, parts: dict[str, Any]) -> Sample:
    if "offset" not in parts:
        raise InputError(f"{tar}: sample {key} has no image ({', '.join(IMAGE_SUFFIXES)})")
    return Sample(key, tar, **parts)


def _check(dataset: Dataset, sample: Sample) -> None:
    classes = len(dataset.classnames)
    where = f"{sample.tar}: sample {sample.key}"
    if dataset.metric == RETRIEVAL:
        if not sample.captions:
            raise InputError(f"{where} has no .txt with captions")
    elif dataset.metric == MEAN_AVERAGE_PRECISION:
        if sample.array is None or len(sample.array) != classes:
            raise InputError(f"{where} has no .npy with a label for each of the {classes} classes")
    elif not 0 <= sample.label < classes:
        got = "no .cls" if sample.label == -1 else f"class {sample.label}"
        raise InputError(f"{where} has {got}, but {dataset.folder.name} has classes 0 to {classes - 1}")
    elif dataset.metric in (WORST_GROUP, WORST_GROUP_TOP5):
        column = dataset.task.group_column if dataset.task else 0
        if sample.array is None or len(sample.array) <= column:
            raise InputError(f"{where} has no .npy that says what group it belongs to")
