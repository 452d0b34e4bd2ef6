"""A training run: that everything fits together, before the loop begins."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curation.config.train import Train
from curation.errors import InputError
from curation.lock import lock
from curation.trainer import models
from curation.trainer import ranks as processes
from curation.trainer.data.index import Index, build
from curation.trainer.data.order import Order
from curation.trainer.loop import Run, Trained
from curation.trainer.models import Model
from curation.trainer.presets import Recipe, resolve
from curation.trainer.ranks import Ranks

CONFIG = "config.json"
INDEX = "index"


def train(config: Train) -> Trained | None:
    """Train a model, or go on with a run that was stopped.

    The same settings and shards give the same order, crops and texts on any number of ranks and workers;
    on CPUs a run that was stopped ends with the same bits as one that was not.

    Args:
        config: what to train on, and how.

    Returns:
        What the run came to; None on ranks other than the first.

    Raises:
        InputError: settings, shards or weights that do not fit, a RUN of other settings or that another
            process is at work on, a loss that is no number.
    """
    recipe = resolve(config.preset, config)
    ranks = processes.start()
    try:
        with _alone(Path(config.output), ranks):
            return _begin(config, recipe, ranks).to_the_end()
    finally:
        processes.stop(ranks)


def _begin(config: Train, recipe: Recipe, ranks: Ranks) -> Run:
    """See that everything fits together, and write down what the run is."""
    run = Path(config.output)
    micro = _micro_batch_size(config, recipe, ranks)
    model = _model(config, recipe, ranks)
    index = _index(config, run, ranks)
    if len(index) < recipe.batch_size:
        raise InputError(
            f"the shards hold {len(index):,} images, less than one batch of {recipe.batch_size:,}; "
            "lower --batch-size"
        )
    order = Order(index, seed=config.seed, online=config.online)
    if ranks.is_first:
        _claim(run, _identity(config, recipe, index))
    return Run(config, recipe, ranks, model, order, micro)


@contextmanager
def _alone(run: Path, ranks: Ranks) -> Iterator[None]:
    """Hold the folder's lock; leave no folder of a run that could not begin."""
    if not ranks.is_first:
        yield
        return
    try:
        with lock(run):
            try:
                yield
            except InputError:
                if not (run / CONFIG).is_file():
                    shutil.rmtree(run / INDEX, ignore_errors=True)
                raise
    finally:
        if run.is_dir() and not any(run.iterdir()):
            run.rmdir()


def _micro_batch_size(config: Train, recipe: Recipe, ranks: Ranks) -> int:
    part, uneven = divmod(recipe.batch_size, ranks.ranks)
    size = config.micro_batch_size or part
    if uneven or part % size:
        raise InputError(
            f"a batch of {recipe.batch_size} does not divide into {ranks.ranks} ranks and micro-batches "
            f"of {size}"
        )
    return size


def _model(config: Train, recipe: Recipe, ranks: Ranks) -> Model:
    sizes: dict[str, Any] = {
        "image_size": recipe.image_size,
        "context_length": recipe.context_length,
        "device": str(ranks.device),
    }
    if config.init is not None:
        return models.load(config.init, **sizes)
    return models.create(recipe.model, seed=config.seed, **sizes)


def _index(config: Train, run: Path, ranks: Ranks) -> Index:
    """The index of the shards; the first rank makes it and the others read it."""
    if ranks.is_first:
        build(config.shards, run / INDEX)
    ranks.barrier()
    return Index.open(run / INDEX)


def _identity(config: Train, recipe: Recipe, index: Index) -> dict[str, Any]:
    """What decides the weights that come out."""
    return {
        "recipe": asdict(recipe),
        "seed": config.seed,
        "online": config.online,
        "init": config.init,
        "shards": index.identity,
    }


def _claim(run: Path, identity: dict[str, Any]) -> None:
    """Write down what the run is, or see that it is the one that is there.

    Raises:
        InputError: the folder is of another run.
    """
    path = run / CONFIG
    identity = json.loads(json.dumps(identity))
    if path.is_file():
        there = json.loads(path.read_text())
        if other := [name for name in identity if there.get(name) != identity[name]]:
            raise InputError(
                f"{run} is a run with another {' and '.join(other)}; choose another --output, or remove it"
            )
        return
    draft = path.with_name(f"_{CONFIG}")
    draft.write_text(json.dumps(identity, indent=2) + "\n")
    draft.rename(path)
