"""The training loop: batches in, steps, points of metrics and checkpoints out."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from curation.config.train import Train
from curation.errors import InputError
from curation.trainer import checkpoint
from curation.trainer.data.loader import MicroBatch, micro_batches
from curation.trainer.data.order import Order
from curation.trainer.models import Model
from curation.trainer.optimizer import adamw, clamp_scale, learning_rate
from curation.trainer.presets import Recipe
from curation.trainer.progress import LINES, Display, Meter, Metrics, Point
from curation.trainer.ranks import Ranks, workers
from curation.trainer.step import Step

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


class Run:
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
        recipe, speaks = self._recipe, self._ranks.is_first
        batches = self._batches(done)
        meter = Meter(self._ranks.ranks, time.monotonic())
        samples = self._steps * recipe.batch_size
        with Display(self._folder.name, samples, recipe.batch_size, shown=speaks) as display:
            for step in range(done, self._steps):
                begun = time.monotonic()
                batch = next(batches)
                waited = time.monotonic() - begun
                rate = learning_rate(
                    step, peak=recipe.learning_rate, warmup=recipe.warmup_steps, steps=self._steps
                )
                loss, norm = self._one_step(batch, step, rate)
                meter.add(loss=loss, norm=norm, batch=batch, waited=waited)
                saved = self._due(step, self._checkpoint_every)
                if saved or self._due(step, self._log_every):
                    metrics.add(self._point(meter, step, rate))
                    display.show(metrics.points)
                    meter = Meter(self._ranks.ranks, time.monotonic())
                if saved and speaks:
                    state = {"samples_seen": (step + 1) * recipe.batch_size}
                    checkpoint.save(self._folder, self._model, self._optimizer, state)

    def _due(self, step: int, every: int) -> bool:
        return (step + 1) % every == 0 or step + 1 == self._steps

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

    def _point(self, meter: Meter, step: int, rate: float) -> Point:
        """The metrics since the last point.

        Raises:
            InputError: the loss is not a number: before a checkpoint is made of such weights.
        """
        point = meter.point(
            step=step + 1,
            samples_seen=(step + 1) * self._recipe.batch_size,
            logit_scale=float(self._model.module.logit_scale.detach().exp()),
            learning_rate=rate,
            now=time.monotonic(),
        )
        if not math.isfinite(point.loss + point.gradient_norm):
            raise InputError(
                f"the loss is not a number at step {point.step}; checkpoints before are whole. Lower "
                "--learning-rate, raise --warmup-steps, or use --precision fp32"
            )
        return point


def _precision(config: Train, ranks: Ranks) -> str:
    if config.precision != "auto":
        return config.precision
    return "bf16" if ranks.device.type == "cuda" else "fp32"


def _workers(config: Train, ranks: Ranks) -> int:
    if ranks.device.type != "cuda":
        return workers(config.workers, most=1)
    return workers(config.workers, most=_GPU_WORKERS, sharing=torch.cuda.device_count())
