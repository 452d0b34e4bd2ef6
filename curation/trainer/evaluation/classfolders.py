"""Turns a folder of class folders into training shards and a data set to evaluate on."""

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.identity import image_id, pair_uid, uniform
from curation.errors import InputError
from curation.schemas import SHARD
from curation.trainer.evaluation.classimages import Images, Picture, look, md5
from curation.trainer.evaluation.datasets import IMAGE_SUFFIXES, TEST, TRAIN
from curation.trainer.evaluation.prompts import CLASS, fill

DEFAULT_TEMPLATES = (
    "a photo of a {c}.",
    "a blurry photo of a {c}.",
    "a low contrast photo of a {c}.",
    "a good photo of a {c}.",
    "a bad photo of a {c}.",
    "a photo of a small {c}.",
    "a photo of a big {c}.",
    "a photo of the {c}.",
)
SHARDS_FOLDER = "shards"


@dataclass(frozen=True)
class Converted:
    """What was made of a folder of class folders.

    Attributes:
        shards: folder of the training shards, in img2dataset's layout.
        dataset: folder of the data set: test/ is what was held out, train/ the rest, for a linear probe.
        classnames: in the order of the labels.
        train: images in the shards.
        test: images held out.
        skipped: files that are no images, by reason.
    """

    shards: Path
    dataset: Path
    classnames: tuple[str, ...]
    train: int
    test: int
    skipped: Mapping[str, int]


def convert_folder(config: Any) -> Converted:
    """Do what `convert` does.

    Args:
        config: `config.imagefolder.ImageFolder`, or what has its fields.

    Raises:
        InputError: as `convert` says.
    """
    sizes = {"test_share": config.test_share, "test_size": config.test_size}
    return convert(Path(config.source), Path(config.output), **sizes, seed=config.seed)


def convert(
    source: Path,
    output: Path,
    *,
    test_share: float = 0.2,
    test_size: int | None = None,
    templates: Sequence[str] = DEFAULT_TEMPLATES,
    texts: int = 3,
    shard_size: int = 1000,
    seed: int = 0,
) -> Converted:
    """Split images of classes by hash; write shards with captions of the one part, a data set of both.

    The same images, seed and templates give the same bytes. Equal images are held out together. A class is
    called as its folder, underscores being spaces; the data set SOURCE-held-out, as it is no published one.

    Args:
        source: folder, or uncompressed tar, of CLASS/IMAGE.
        output: folder to make: shards/ and SOURCE-held-out/.
        test_share: of the images that is held out, if `test_size` is not given.
        test_size: how many images are held out.
        templates: captions, with `{c}` where the class goes.
        texts: captions an image, chosen from the templates by hash.
        shard_size: images a shard.
        seed: of the split, the order and the choice of captions.

    Raises:
        InputError: no class folders are in it, the output is there already, or a number is out of range.
    """
    name = f"{source.name.removesuffix('.tar')}-held-out"
    with Images(source) as images:
        pictures, classes, skipped = look(images)
        _check(source, pictures, test_share, test_size, templates, texts)
        test, train = _split(pictures, test_share=test_share, test_size=test_size, seed=seed)
        classnames = tuple(name.replace("_", " ") for name in classes)
        captions = _captions(train, classnames, templates, texts, seed)
        with _published(output) as made:
            _write_dataset(made / name, images, (test, train), classnames, templates)
            _write_shards(made / SHARDS_FOLDER, images, train, captions, shard_size)
    return Converted(output / SHARDS_FOLDER, output / name, classnames, len(train), len(test), skipped)


@contextmanager
def _published(output: Path) -> Iterator[Path]:
    """A folder to write into that becomes the output when all went well."""
    if output.exists():
        raise InputError(f"{output} is there already; give a folder to be made")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"_{output.name}-", dir=output.parent) as draft:
        made = Path(draft, "made")
        made.mkdir()
        yield made
        made.rename(output)


def _check(
    source: Path,
    pictures: Sequence[Picture],
    test_share: float,
    test_size: int | None,
    templates: Sequence[str],
    texts: int,
) -> None:
    if not pictures:
        raise InputError(f"{source} holds no CLASS/IMAGE with .{', .'.join(IMAGE_SUFFIXES)}")
    size = round(test_share * len(pictures)) if test_size is None else test_size
    if not 0 < size < len(pictures):
        raise InputError(
            f"{source}: {size} of {len(pictures)} images cannot be held out; ask for some, not all"
        )
    if bad := [template for template in templates if CLASS not in template]:
        raise InputError(f"template {bad[0]!r} has no {CLASS} for the name of the class")
    if not 0 < texts <= len(templates):
        raise InputError(f"{texts} texts an image cannot be chosen from {len(templates)} templates")


def _split(
    pictures: Sequence[Picture], *, test_share: float, test_size: int | None, seed: int
) -> tuple[list[Picture], list[Picture]]:
    """What is held out and the rest, each in an order of its own by hash, so that classes are mixed."""
    draws = _draws([picture.md5 for picture in pictures], seed, "held-out")
    order = sorted(range(len(pictures)), key=lambda index: (draws[index], pictures[index].name))
    size = int((draws < test_share).sum()) if test_size is None else test_size
    ordered = [pictures[index] for index in order]
    return ordered[:size], ordered[size:]


def _captions(
    pictures: Sequence[Picture], classnames: Sequence[str], templates: Sequence[str], texts: int, seed: int
) -> list[list[str]]:
    """For each picture its captions, by hash of it and the template."""
    draws = np.stack(
        [_draws([md5(f"{picture.name} {number}".encode()) for picture in pictures], seed, "template")
         for number in range(len(templates))],
        axis=1,
    )  # fmt: skip
    chosen = np.argsort(draws, axis=1, kind="stable")[:, :texts]
    return [
        [fill(templates[number], classnames[picture.label]) for number in numbers]
        for picture, numbers in zip(pictures, chosen, strict=True)
    ]


def _write_dataset(
    folder: Path,
    images: Images,
    splits: tuple[Sequence[Picture], Sequence[Picture]],
    classnames: Sequence[str],
    templates: Sequence[str],
) -> None:
    for split, pictures in zip((TEST, TRAIN), splits, strict=True):
        (folder / split).mkdir(parents=True)
        (folder / split / "nshards.txt").write_text("1\n")
        _write_tar(
            folder / split / "0.tar",
            (
                (
                    f"s{position:07d}",
                    {picture.suffix: images.read(picture.name), "cls": b"%d" % picture.label},
                )
                for position, picture in enumerate(pictures)
            ),
        )
    for name, lines in {
        "classnames.txt": classnames,
        "zeroshot_classification_templates.txt": templates,
        "dataset_type.txt": ["classification"],
    }.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_shards(
    folder: Path,
    images: Images,
    pictures: Sequence[Picture],
    captions: Sequence[list[str]],
    shard_size: int,
) -> None:
    folder.mkdir(parents=True)
    digits = len(str(shard_size - 1))
    for number, start in enumerate(range(0, len(pictures), shard_size)):
        part = pictures[start : start + shard_size]
        rows = [
            _row(f"{number:05d}{position:0{digits}d}", images, picture, texts)
            for position, (picture, texts) in enumerate(zip(part, captions[start:], strict=False))
        ]
        _write_tar(folder / f"{number:05d}.tar", _members(images, part, rows))
        pq.write_table(
            pa.Table.from_pylist(rows, SHARD), folder / f"{number:05d}.parquet", compression="zstd"
        )
        statistics = {"count": len(rows), "successes": len(rows), "status_dict": {"success": len(rows)}}
        (folder / f"{number:05d}_stats.json").write_text(json.dumps(statistics, indent=4) + "\n")


def _row(key: str, images: Images, picture: Picture, texts: list[str]) -> dict[str, Any]:
    data = images.read(picture.name)
    nothing = dict.fromkeys(SHARD.names)
    return nothing | {
        "key": key,
        "caption": texts[0],
        "url": picture.name,
        "image_id": image_id(pa.array([picture.name]))[0].as_py(),
        "uids": pair_uid(pa.array([picture.name] * len(texts)), pa.array(texts)).to_pylist(),
        "texts": texts,
        "keep_probabilities": [1.0] * len(texts),
        "status": "success",
        "width": picture.width,
        "height": picture.height,
        "original_width": picture.width,
        "original_height": picture.height,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "opt_outs": [],
    }


def _members(
    images: Images, pictures: Sequence[Picture], rows: Sequence[dict[str, Any]]
) -> Iterator[tuple[str, dict[str, bytes]]]:
    for picture, row in zip(pictures, rows, strict=True):
        told = json.dumps(row, ensure_ascii=False).encode()
        yield (
            row["key"],
            {picture.suffix: images.read(picture.name), "json": told, "txt": row["caption"].encode()},
        )


def _write_tar(path: Path, samples: Iterable[tuple[str, Mapping[str, bytes]]]) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, members in samples:
            for suffix, data in members.items():
                member = tarfile.TarInfo(f"{key}.{suffix}")  # without a time, a user or a group
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def _draws(ids: Sequence[str], seed: int, salt: str) -> np.ndarray:
    return uniform(seed, pa.array(ids, pa.string()), salt)
