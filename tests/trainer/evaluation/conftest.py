"""What tests of evaluation share: a tiny model, and data sets in CLIP_benchmark's layout."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.trainer.conftest import photograph

if TYPE_CHECKING:
    from curation.trainer.evaluation.features import Encoder
    from curation.trainer.models import Model

TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> "Model":
    """A small ViT with random weights."""
    from curation.trainer.models import create

    path = tmp_path_factory.mktemp("model") / "small.json"
    path.write_text(json.dumps(TINY))
    created = create(str(path), seed=3)
    created.module.eval()
    return created


@pytest.fixture(scope="session")
def encoder(model: "Model") -> "Encoder":
    from curation.trainer.evaluation.features import Encoder

    return Encoder(model, batch_size=7)


def write_tar(path: Path, samples: Sequence[tuple[str, Mapping[str, bytes]]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for key, members in samples:
            for suffix, data in members.items():
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def npy(values: Sequence[int]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(values))
    return stream.getvalue()


def write_dataset(
    folder: Path,
    *tars: Sequence[Mapping[str, bytes]],
    split: str = "test",
    classnames: Sequence[str] | None = None,
    templates: Sequence[str] | None = None,
    kind: str | None = None,
) -> Path:
    """A data set of samples that are members by suffix; an image for each that has none."""
    number = 0
    for index, samples in enumerate(tars):
        named = []
        for members in samples:
            image = {} if {"jpg", "png", "webp"} & members.keys() else {"jpg": photograph(number)}
            named.append((f"s{number:07d}", {**image, **members}))
            number += 1
        write_tar(folder / split / f"{index}.tar", named)
    (folder / split / "nshards.txt").write_text(f"{len(tars)}\n")
    for name, lines in {
        "classnames.txt": classnames,
        "zeroshot_classification_templates.txt": templates,
        "dataset_type.txt": [kind] if kind else None,
    }.items():
        if lines is not None:
            (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def labelled(labels: Sequence[int]) -> list[dict[str, bytes]]:
    return [{"cls": str(label).encode()} for label in labels]
