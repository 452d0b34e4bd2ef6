"""What a training run says while it works: a bar or lines, a line of JSON now and then, warnings."""

import json
import math
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from curation.trainer.data.loader import MicroBatch

METRICS = "metrics.jsonl"

LINES = 500  # of metrics in a run, about
_LINE_SECONDS = 60.0
_SETTLED = 20  # lines of metrics after which a loss that has not moved is worth a word
_STUCK = 0.01  # of ln(batch)
_STARVING = 0.2
_FALLING = 0.5
_IDENTICAL = 0.1


@dataclass(frozen=True, kw_only=True)
class Point:
    """One line of metrics: means over the steps since the line before.

    Attributes:
        step: steps done.
        samples_seen: images seen, of all ranks.
        loss: contrastive loss, in nats.
        logit_scale: factor of the cosines in the logits.
        learning_rate: of the last step.
        gradient_norm: of all gradients, before clipping.
        samples_per_second: of all ranks.
        waiting_share: share of the time in which the first rank waited for images.
        identical_texts: share of texts that repeat one of their batch (of the first rank's part).
        replaced: samples of the first rank that another stands in for, by reason.
    """

    step: int
    samples_seen: int
    loss: float
    logit_scale: float
    learning_rate: float
    gradient_norm: float
    samples_per_second: float
    waiting_share: float
    identical_texts: float
    replaced: Mapping[str, int]


class Metrics:
    """The file of metrics, as far as the run has got.

    Args:
        run: the RUN folder.
        samples_seen: where the run goes on; lines beyond are of work that is done again, and go.
        written: whether this process writes it.
    """

    def __init__(self, run: Path, samples_seen: int, *, written: bool) -> None:
        self._path = run / METRICS if written else None
        self.points = [point for point in read_metrics(run) if point.samples_seen <= samples_seen]
        if self._path is not None:
            self._path.write_text("".join(_line(point) for point in self.points))

    def add(self, point: Point) -> None:
        """Write a line."""
        self.points.append(point)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(_line(point))


def read_metrics(run: Path) -> list[Point]:
    """The lines of a run's metrics; a last one that is cut off is left out."""
    path = run / METRICS
    if not path.is_file():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [Point(**json.loads(line)) for line in lines if line.endswith("\n")]


def warnings(points: Sequence[Point], batch_size: int) -> dict[str, str]:
    """What looks like trouble, by its name.

    Args:
        points: metrics so far.
        batch_size: of all ranks together.
    """
    if not points:
        return {}
    last, found = points[-1], {}
    guessing = math.log(batch_size)
    recent = [point.loss for point in points[-_SETTLED:]]
    if len(points) >= _SETTLED and min(recent) > (1 - _STUCK) * guessing:
        found["stuck"] = (
            f"the loss stays at ln(batch) = {guessing:.2f}, which is guessing: do texts belong to their "
            "images, and is the learning rate sane?"
        )
    if last.logit_scale < _FALLING * points[0].logit_scale:
        found["scale"] = (
            f"the logit scale has fallen to {last.logit_scale:.1f}: the model gives up telling pairs apart; "
            "lower the learning rate, or look for texts that do not fit their images"
        )
    if len(points) > 1 and last.waiting_share > _STARVING:
        found["waiting"] = (
            f"{last.waiting_share:.0%} of the time goes by waiting for images: raise --workers, or bring the "
            "shards nearer"
        )
    if last.identical_texts > _IDENTICAL:
        found["identical"] = (
            f"{last.identical_texts:.0%} of the texts repeat one of their batch, whose images count as "
            "mismatches of one another: balance with a smaller t, or use a smaller batch"
        )
    return found


class Meter:
    """Gathers what steps come to and makes points of it.

    Args:
        ranks: processes that train.
        now: seconds of a clock that only goes forward.
    """

    def __init__(self, ranks: int, now: float) -> None:
        self._ranks = ranks
        self._begun = now
        self._losses: list[torch.Tensor] = []
        self._norms: list[torch.Tensor] = []
        self._samples = 0
        self._waited = 0.0
        self._identical = 0
        self._replaced: Counter[str] = Counter()

    def add(
        self, *, loss: torch.Tensor, norm: torch.Tensor, batch: Sequence[MicroBatch], waited: float
    ) -> None:
        """Take a step in, without waiting for the device.

        Args:
            loss: scalar, on the device.
            norm: scalar, on the device.
            batch: this rank's part of it.
            waited: seconds until it was there.
        """
        texts = [row.tobytes() for micro in batch for row in micro.tokens.numpy()]
        self._losses.append(loss)
        self._norms.append(norm)
        self._samples += len(texts)
        self._waited += waited
        self._identical += len(texts) - len(set(texts))
        for micro in batch:
            self._replaced.update(micro.faults)

    def point(
        self, *, step: int, samples_seen: int, logit_scale: float, learning_rate: float, now: float
    ) -> Point:
        """Make a point of what came in; the device is waited for here."""
        steps, seconds = len(self._losses), max(now - self._begun, 1e-9)
        return Point(
            step=step,
            samples_seen=samples_seen,
            loss=sum(float(loss) for loss in self._losses) / steps,
            logit_scale=logit_scale,
            learning_rate=learning_rate,
            gradient_norm=sum(float(norm) for norm in self._norms) / steps,
            samples_per_second=self._samples * self._ranks / seconds,
            waiting_share=min(1.0, self._waited / seconds),
            identical_texts=self._identical / max(1, self._samples),
            replaced=dict(self._replaced),
        )


class Display:
    """A bar on a terminal, else a line a minute; each warning once.

    Args:
        title: of the run.
        samples: that the run is to see.
        batch_size: of all ranks together.
        shown: whether this process is the one that speaks.
    """

    def __init__(self, title: str, samples: int, batch_size: int, *, shown: bool) -> None:
        self._title, self._samples, self._batch_size, self._shown = title, samples, batch_size, shown
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("[bold]{task.description:<16}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} samples  {task.fields[told]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not (shown and self._console.is_terminal),
        )
        self._row = self._bar.add_task(title, total=samples, told="")
        self._told: set[str] = set()
        self._last_line = time.monotonic()

    def __enter__(self) -> "Display":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, points: Sequence[Point]) -> None:
        """Show how far the run is."""
        if not self._shown:
            return
        point = points[-1]
        told = f"loss {point.loss:.3f}  {point.samples_per_second:,.0f}/s  waiting {point.waiting_share:.0%}"
        self._bar.update(self._row, completed=point.samples_seen, told=told)
        for name, text in warnings(points, self._batch_size).items():
            if name not in self._told:
                self._told.add(name)
                self._console.print(f"{self._title}: {text}", style="yellow", markup=False, highlight=False)
        if not self._console.is_terminal and time.monotonic() - self._last_line > _LINE_SECONDS:
            self._last_line = time.monotonic()
            seconds = (self._samples - point.samples_seen) / max(point.samples_per_second, 1e-9)
            sys.stderr.write(
                f"{self._title}: {point.samples_seen:,} of {self._samples:,} samples  {told}  "
                f"{seconds / 60:,.0f} min to go\n"
            )


def _line(point: Point) -> str:
    return json.dumps(asdict(point)) + "\n"
