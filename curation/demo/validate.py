"""Training on the demo's shards: `make validate`."""

import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.text import Text

from curation.cli import answer
from curation.config import Evaluate, Train
from curation.demo.pictures import COLOURS, Picture, draw
from curation.errors import InputError
from curation.report import evaluation, training
from curation.trainer.evaluation.classfolders import convert
from curation.trainer.evaluation.evaluate import evaluate
from curation.trainer.train import train

CLASSES = ("cat", "dog", "bird", "flower", "sunset", "star", "circle", "square")
PICTURES = 60
"""Drawn of each class; half of them are for the linear probe to learn from."""

SAMPLES_SEEN, BATCH_SIZE = 24_000, 120

READING = (
    "\nHow to read this: the model has seen nothing but the demo's pictures with the texts of their pages, "
    "and is asked which of eight names fits drawings that it never saw. Zero-shot is what it learnt from "
    "texts; the linear probe says how good its features are. Rare shapes come last: the rank correlation "
    "holds accuracy against how many texts name a class. Single runs tell nothing about small differences; "
    "jobs/compare.py trains several data sets with several seeds and says which differences are noise."
)


@dataclass(frozen=True, kw_only=True)
class Validate:
    """Train a tiny model on the demo's shards, and see what it has learnt.

    Example: make validate
    """

    output: Annotated[str, Parameter(help="The demo's folder.")]


def validate(config: Validate) -> RenderableType:
    """Draw an evaluation set, train, and evaluate. What is trained already is not trained again.

    Args:
        config: where the demo is.

    Raises:
        InputError: the demo has not been run.
    """
    work = Path(config.output) / "work"
    if not (work / "shards" / "_run.json").is_file():
        raise InputError(f"{work} holds no shards yet; run make demo first")
    folder = Path(config.output) / "validation"
    dataset = _evaluation_set(folder)
    trained = train(
        Train(
            shards=(str(work / "shards"),),
            output=str(folder / "run"),
            samples_seen=SAMPLES_SEEN,
            batch_size=BATCH_SIZE,
        )
    )
    if trained is None:
        raise InputError("run this without torchrun")
    result = evaluate(
        Evaluate(
            checkpoint=str(trained.run),
            datasets=(str(dataset),),
            output=str(folder / "result.json"),
            counts=str(work / "curated" / "counts"),
            probe=True,
            workers=1,
        )
    )
    return Group(training.tell(trained), Text(), evaluation.tell(result), Text(READING, style="dim"))


def _evaluation_set(folder: Path) -> Path:
    """Drawings that are not on the small web, in CLIP_benchmark's layout."""
    made, source = folder / "evaluation", folder / "drawings"
    if not made.exists():
        for name in CLASSES:
            (source / name).mkdir(parents=True, exist_ok=True)
            for number in range(PICTURES):
                (source / name / f"{number:03}.jpg").write_bytes(draw(_picture(name, number)))
        convert(source, made, test_share=0.5)
        shutil.rmtree(source)
    return made / f"{source.name}-held-out"


def _picture(name: str, number: int) -> Picture:
    colour, ground = random.Random(f"{name} {number}").sample(sorted(COLOURS), 2)
    return Picture(subject=name, colour=colour, ground=ground, seed=f"held out {number}")


if __name__ == "__main__":
    answer(validate, Validate)
