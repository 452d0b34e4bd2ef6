from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from curation.errors import InputError
from curation.trainer.evaluation import winogavil
from curation.trainer.evaluation.features import Encoder, encode_all_texts, encode_bytes
from tests.trainer.conftest import photograph


def cue(name: str, images: list[bytes], right: list[int]) -> dict:
    candidates = [f"c{number}" for number in range(len(images))]
    return {
        "cue": name,
        "candidates": candidates,
        "associations": [candidates[number] for number in right],
        "candidate_images": [{"bytes": data, "path": None} for data in images],
    }


def write_cues(folder: Path, *files: list[dict]) -> Path:
    (folder / "test").mkdir(parents=True)
    for number, rows in enumerate(files):
        pq.write_table(pa.Table.from_pylist(rows), folder / "test" / f"{number}.parquet")
    return folder


@pytest.mark.parametrize("at_once", [2, 64])
def test_the_most_similar_candidates_are_chosen(
    encoder: Encoder, tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    images = [photograph(number) for number in range(12)]
    spoilt = [*images[:5], b"no image"]
    folder = write_cues(
        tmp_path / "winogavil",
        [cue("Owl", images, [1, 5, 6, 11]), cue("x", spoilt, [0])],
        [cue(word, images[:5], [0, 3]) for word in ("tree", "ice", "sea", "run")],
    )
    monkeypatch.setattr(winogavil, "_CUES_AT_ONCE", at_once)
    outcomes, corrupt = winogavil.associate(encoder, folder)
    assert corrupt == 1
    assert outcomes.candidates.tolist() == [12, 5, 5, 5, 5]
    texts = ("An owl", "A tree", "An ice", "A sea", "A run")
    for score, text, count in zip(outcomes.scores, texts, (12, 5, 5, 5, 5), strict=True):
        right = [1, 5, 6, 11] if count == 12 else [0, 3]
        similar = encode_bytes(encoder, images[:count]).features @ encode_all_texts(encoder, [text])[0]
        chosen = np.isin(np.arange(count), torch.topk(similar, len(right)).indices)
        assert score == pytest.approx(sklearn.jaccard_score(np.isin(np.arange(count), right), chosen))


def test_cues_are_prompted_as_datacomp_does() -> None:
    assert [winogavil._prompt(name) for name in ("Owl", "tree", "ICE")] == ["An owl", "A tree", "An ice"]


def test_what_is_no_winogavil(tmp_path: Path) -> None:
    folder = tmp_path / "winogavil"
    (folder / "test").mkdir(parents=True)
    pq.write_table(pa.table({"cue": ["x"]}), folder / "test" / "0.parquet")
    with pytest.raises(InputError, match="no column candidates"):
        list(winogavil.read_cues(folder))
    (folder / "test" / "0.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="cannot be read"):
        list(winogavil.read_cues(folder))
