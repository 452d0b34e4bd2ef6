"""The training loop."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from curation.config.train import Train
from curation.errors import InputError
from curation.trainer import checkpoint, models
from curation.trainer import ranks as processes
from curation.trainer.data.index import Index, build
from curation.trainer.data.loader import MicroBatch, micro_batches
from curation.trainer.data.order import Order
from curation.trainer.models import Model
from curation.trainer.optimizer import adamw, clamp_scale, learning_rate
from curation.trainer.presets import Recipe, resolve
from curation.trainer.progress import LINES, Display, Meter, Metrics, Point
from curation.trainer.ranks import Ranks
from curation.trainer.step import Step

CONFIG = "config.json"
INDEX = "index"

_CHECKPOINTS = 10  # in a run, unless told otherwise
_GPU_WORKERS = 12
_BLOCK_ROWS = 2_048  # of a batch of 32,768: 256 MB of logits at a time
_BETA1, _EPS = 0.9, 1e-6  # MetaCLIP's and open_clip's for ViTs


@dataclass(frozen=True)
class Trained:
    """What a run came to.

    Attributes:
        run: the RUN folder.
        checkpoint: its last checkpoint.
        model: name of the model.
        recipe: what the model was trained with.
        images: in the shards, as far as they can be read.
        dropped: samples of the shards without an image or a text, by reason.
        points: metrics, from the first step to the last.
    """

    run: Path
    checkpoint: Path
    model: str
    recipe: Recipe
    images: int
    dropped: dict[str, int]
    points: Sequence[Point]


def train(config: Train) -> Trained | None:
    """Train a model, or go on with a run that was stopped.

    The same settings and shards give the same order, crops and texts on any number of ranks and workers;
    on CPUs a run that was stopped ends with the same bits as one that was not.

    Args:
        config: what to train on, and how.

    Returns:
        What the run came to; None on ranks other than the first.

    Raises:
        InputError: settings, shards or weights that do not fit, a RUN of other settings, a loss that is no
            number.
    """
    recipe = resolve(config.preset, config)
    ranks = processes.start()
    try:
        with _nothing_left(Path(config.output), ranks):
            return _begin(config, recipe, ranks).to_the_end()
    finally:
        processes.stop(ranks)


def _begin(config: Train, recipe: Recipe, ranks: Ranks) -> "_Run":
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
    return _Run(config, recipe, ranks, model, order, micro)


class _Run:
    """A run from where it stands to its end."""

    def __init__(
        self, config: Train, recipe: Recipe, ranks: Ranks, model: Model, order: Order, micro_batch_size: int
    ) -> None:
        self._config, self._recipe, self._ranks, self._model = config, recipe, ranks, model
        self._order, self._micro_batch_size = order, micro_batch_size
        self._folder = Path(config.output)
        self._optimizer = adamw(
            model.module,
            lr=recipe.learning_rate,
            beta1=_BETA1,
            beta2=recipe.beta2,
            eps=_EPS,
            weight_decay=recipe.weight_decay,
        )
        self._step = Step(
            model,
            ranks,
            precision=_precision(config, ranks),
            block_rows=_BLOCK_ROWS,
            compile=config.compile,
            checkpoint_activations=config.checkpoint_activations,
            seed=config.seed,
        )
        self._steps = recipe.samples_seen // recipe.batch_size
        self._log_every = max(1, self._steps // LINES)
        every = config.checkpoint_every or recipe.samples_seen // _CHECKPOINTS
        self._checkpoint_every = max(1, every // recipe.batch_size)

    def to_the_end(self) -> Trained | None:
        """Train what is left of the run."""
        last, done = checkpoint.latest(self._folder), 0
        if last is not None:
            state = checkpoint.restore(last, self._model, self._optimizer)
            done = state["samples_seen"] // self._recipe.batch_size
        metrics = Metrics(self._folder, done * self._recipe.batch_size, written=self._ranks.is_first)
        if done < self._steps:
            self._train(done, metrics)
        last = checkpoint.latest(self._folder)
        if not self._ranks.is_first or last is None:
            return None
        index = self._order.index
        return Trained(
            self._folder,
            last,
            self._model.name,
            self._recipe,
            len(index),
            dict(index.dropped),
            metrics.points,
        )

    def _train(self, done: int, metrics: Metrics) -> None:
        recipe, module = self._recipe, self._model.module
        title = self._folder.name
        batches = self._batches(done)
        meter = Meter(self._ranks.ranks, time.monotonic())
        with Display(
            title, self._steps * recipe.batch_size, recipe.batch_size, shown=self._ranks.is_first
        ) as shown:
            for number in range(done, self._steps):
                begun = time.monotonic()
                batch = next(batches)
                waited = time.monotonic() - begun
                rate = learning_rate(
                    number, peak=recipe.learning_rate, warmup=recipe.warmup_steps, steps=self._steps
                )
                loss, norm = self._one_step(batch, number, rate)
                meter.add(loss=loss, norm=norm, batch=batch, waited=waited)
                finished = number + 1 == self._steps
                if (number + 1) % self._log_every == 0 or finished:
                    metrics.add(
                        meter.point(
                            step=number + 1,
                            samples_seen=(number + 1) * recipe.batch_size,
                            logit_scale=float(module.logit_scale.detach().exp()),
                            learning_rate=rate,
                            now=time.monotonic(),
                        )
                    )
                    self._require_a_number(metrics.points[-1])
                    shown.show(metrics.points)
                    meter = Meter(self._ranks.ranks, time.monotonic())
                if (number + 1) % self._checkpoint_every == 0 or finished:
                    self._save((number + 1) * recipe.batch_size)

    def _one_step(
        self, batch: Sequence[MicroBatch], number: int, rate: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take one step; the loss and the norm of the gradients stay on the device."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        outcome = self._step(batch, number)
        norm = torch.nn.utils.clip_grad_norm_(
            self._model.module.parameters(), self._recipe.clip_norm or float("inf")
        )
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        clamp_scale(self._model.module)
        return outcome.loss, norm

    def _batches(self, done: int) -> Iterator[list[MicroBatch]]:
        """This rank's part of each batch, in micro-batches."""
        recipe, ranks = self._recipe, self._ranks
        source = micro_batches(
            self._order,
            model=self._model,
            start=done * recipe.batch_size,
            stop=self._steps * recipe.batch_size,
            batch_size=recipe.batch_size,
            micro_batch_size=self._micro_batch_size,
            rank=ranks.rank,
            ranks=ranks.ranks,
            workers=_workers(self._config, ranks),
            smallest_crop=recipe.smallest_crop,
        )
        pieces = recipe.batch_size // ranks.ranks // self._micro_batch_size
        while batch := list(islice(source, pieces)):
            yield batch

    def _save(self, samples_seen: int) -> None:
        if self._ranks.is_first:
            checkpoint.save(self._folder, self._model, self._optimizer, {"samples_seen": samples_seen})

    def _require_a_number(self, point: Point) -> None:
        if point.loss != point.loss:
            raise InputError(
                f"the loss is not a number at step {point.step}; checkpoints before are whole. Lower "
                "--learning-rate, raise --warmup-steps, or use --precision fp32"
            )


@contextmanager
def _nothing_left(run: Path, ranks: Ranks) -> Iterator[None]:
    """Leave no folder of a run that could not begin."""
    try:
        yield
    except InputError:
        if ranks.is_first and run.is_dir() and not (run / CONFIG).is_file():
            shutil.rmtree(run / INDEX, ignore_errors=True)
            if not any(run.iterdir()):
                run.rmdir()
        raise


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


def _precision(config: Train, ranks: Ranks) -> str:
    if config.precision != "auto":
        return config.precision
    return "bf16" if ranks.device.type == "cuda" else "fp32"


def _workers(config: Train, ranks: Ranks) -> int:
    if config.workers is not None:
        return config.workers
    if ranks.device.type != "cuda":
        return 1
    return max(1, min(_GPU_WORKERS, len(os.sched_getaffinity(0)) // max(1, torch.cuda.device_count())))
