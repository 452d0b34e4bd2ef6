import csv
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from curation.trainer.evaluation import metrics, retrieval
from curation.trainer.evaluation.datasets import TEST, find_datasets, read_samples
from curation.trainer.evaluation.features import Encoder, encode_images
from tests.trainer.evaluation.conftest import write_dataset


def features(rows: int, seed: int) -> torch.Tensor:
    return torch.nn.functional.normalize(
        torch.randn(rows, 8, generator=torch.Generator().manual_seed(seed)), dim=-1
    )


@pytest.mark.parametrize("rows", [3, 1024])
def test_ranks_equal_those_of_a_full_sort(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "_ROWS_AT_ONCE", rows)
    images, texts = features(10, 0), features(25, 1)
    owner = np.repeat(np.arange(10), [1, 2, 3, 4, 5, 1, 2, 2, 4, 1]).astype(np.int32)
    outcomes = retrieval.ranked(images, texts, owner)
    scores = (images @ texts.T).numpy()
    for image in range(10):
        order = np.argsort(-scores[image], kind="stable")
        assert outcomes.text_ranks[image] == np.flatnonzero(owner[order] == image)[0]
    for text in range(25):
        order = np.argsort(-scores[:, text], kind="stable")
        assert outcomes.image_ranks[text] == np.flatnonzero(order == owner[text])[0]
    assert len(set(outcomes.text_ranks.tolist())) > 3


def test_a_model_that_gives_all_the_same_finds_nothing() -> None:
    owner = np.repeat(np.arange(5), 2).astype(np.int32)
    outcomes = retrieval.ranked(torch.ones(5, 4), torch.ones(10, 4), owner)
    assert outcomes.text_ranks.tolist() == [0, 2, 4, 6, 8]
    assert outcomes.image_ranks.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_recalls_equal_clip_benchmarks_on_real_captions(
    encoder: Encoder, shared_data: Path, tmp_path: Path
) -> None:
    zeroshot_retrieval = pytest.importorskip("clip_benchmark.metrics.zeroshot_retrieval")
    folder = shared_data / "images" / "coco-mini"
    captions: dict[str, list[str]] = {}
    with (folder / "captions.tsv").open(newline="") as stream:
        for name, caption in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            captions.setdefault(name, []).append(caption)
    names = sorted(captions)[:60]
    samples = [
        {"jpg": (folder / name).read_bytes(), "txt": "\n".join(captions[name][: 1 + at % 5]).encode()}
        for at, name in enumerate(names)
    ]
    (dataset,), _ = find_datasets([str(write_dataset(tmp_path / "coco", samples, kind="retrieval"))])
    read = read_samples(dataset, TEST)
    outcomes = retrieval.retrieve(encoder, read, encode_images(encoder, read).features)

    transform = open_clip.image_transform(32, is_train=False)
    batches = [
        (torch.stack([transform(Image.open(folder / name)) for name in names[at : at + 16]]),
         [read[index].captions for index in range(at, min(at + 16, 60))])
        for at in range(0, 60, 16)
    ]  # fmt: skip
    theirs = zeroshot_retrieval.evaluate(
        encoder.model.module, batches, encoder.model.tokenizer, "cpu", amp=False, recall_k_list=[1, 5, 10]
    )
    once = np.ones((1, 60))
    for k in retrieval.RECALLS:
        assert metrics.text_recall(once, outcomes, k)[0] == pytest.approx(
            theirs[f"text_retrieval_recall@{k}"]
        )
        assert metrics.image_recall(once, outcomes, k)[0] == pytest.approx(
            theirs[f"image_retrieval_recall@{k}"]
        )
    assert theirs["image_retrieval_recall@10"] > theirs["image_retrieval_recall@1"] > 0
