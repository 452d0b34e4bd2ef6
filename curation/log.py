"""What a run says while it works: a progress bar on the terminal, everything else in a file."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger("curation")

Item = TypeVar("Item")

_POLL_SECONDS = 0.2
_LINE_SECONDS = 60.0


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Write the log to a file while the block runs, that of other libraries included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _File(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.setLevel(logging.INFO)
    root = logging.getLogger()  # py4j, for one, tells of an interruption at length
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


class _File(logging.FileHandler):
    """A log that keeps quiet when its disk is full: the run will say so itself."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


def announce(text: str) -> None:
    """Say something that the user should read before the work goes on."""
    logger.info("%s", text)
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def progress(spark: "SparkSession", title: str, told: Callable[[], str] = str) -> Iterator[None]:
    """Show how many of Spark's tasks are done while the block runs.

    On a terminal a bar; where the output goes to a file or another program, a line a minute.

    Args:
        spark: the session that does the work.
        title: of the work.
        told: says more about how far it is.
    """
    logger.info("%s: started", title)
    started = time.monotonic()
    over, done = threading.Event(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(spark, title, told, over, done), daemon=True)
    watcher.start()
    try:
        yield
        done.set()
    finally:
        over.set()
        watcher.join()
        logger.info("%s: over after %.1f s", title, time.monotonic() - started)


def counted(items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
    """Pass items on, and show how many were dealt with, as `progress` shows tasks.

    Args:
        items: what is worked on.
        title: of the work.
        total: how many items there will be, where that is known.
    """
    console = Console(stderr=True)
    last_line, known = time.monotonic(), "" if total is None else f" of {total}"
    columns = TextColumn("[bold]{task.description:<16}"), BarColumn(bar_width=40), MofNCompleteColumn()
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as bar:
        row = bar.add_task(title, total=total)
        for number, item in enumerate(items, 1):
            yield item
            bar.update(row, completed=number)
            if not console.is_terminal and time.monotonic() - last_line > _LINE_SECONDS:
                last_line = time.monotonic()
                sys.stderr.write(f"{title}: {number}{known}\n")


def _watch(
    spark: "SparkSession",
    title: str,
    told: Callable[[], str],
    over: threading.Event,
    done: threading.Event,
) -> None:
    console = Console(stderr=True)
    tasks = _Tasks(spark)
    bar = Progress(
        TextColumn("[bold]{task.description:<16}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("tasks"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[told]}", markup=False),
        console=console,
        disable=not console.is_terminal,
    )
    last_line = time.monotonic()
    with suppress(Exception), bar:  # where Spark has gone, the work fails too and says so
        row = bar.add_task(title, total=None, told="")
        while not over.wait(_POLL_SECONDS):
            finished, total = tasks.count()
            bar.update(row, completed=finished, total=total or None, told=told())
            if not console.is_terminal and time.monotonic() - last_line > _LINE_SECONDS:
                last_line = time.monotonic()
                sys.stderr.write(f"{title}: {finished} of {total} tasks  {told()}".rstrip() + "\n")
        if done.is_set():
            _, total = tasks.count()
            bar.update(row, completed=max(total, 1), total=max(total, 1), told=told())


class _Tasks:
    """Counts the tasks of the stages that Spark has run since the counter was made."""

    def __init__(self, spark: "SparkSession") -> None:
        self._tracker = spark.sparkContext.statusTracker()
        self._stages: dict[int, tuple[int, int]] = {}
        self._running: set[int] = set()

    def count(self) -> tuple[int, int]:
        """Tasks done, and tasks known of."""
        active = set(self._tracker.getActiveStageIds())
        for stage in active | self._running:  # once more of those that have ended: hundreds may have
            info = self._tracker.getStageInfo(stage)
            if info is not None:
                self._stages[stage] = (info.numCompletedTasks, info.numTasks)
        self._running = active
        return sum(done for done, _ in self._stages.values()), sum(n for _, n in self._stages.values())
