"""The preset `smoke` on real images, cut a little: the loss falls, and what is learnt is far from chance."""

from pathlib import Path

import pytest

from curation.config import Evaluate, Train
from curation.trainer.evaluation.classfolders import convert
from curation.trainer.evaluation.evaluate import evaluate
from curation.trainer.train import train


def test_smoke(shared_data: Path, tmp_path: Path) -> None:
    made = convert(shared_data / "images" / "cifar10-10k.tar", tmp_path / "cifar", test_size=2000)
    assert (made.train, made.test) == (8000, 2000)
    trained = train(
        Train(shards=(str(made.shards),), output=str(tmp_path / "run"), samples_seen=7_680, workers=0)
    )
    losses = [point.loss for point in trained.points]
    assert sum(losses[-10:]) / 10 < sum(losses[:10]) / 10 - 0.3, losses
    (dataset,) = evaluate(
        Evaluate(
            checkpoint=str(trained.run),
            datasets=(str(made.dataset),),
            output=str(tmp_path / "result.json"),
            workers=0,
        )
    ).datasets
    assert dataset.chance == pytest.approx(0.1)
    assert dataset.interval[0] > 0.18, dataset.interval
