"""What a cluster loses in the middle of a step is done again: the same result, and nothing beside it."""

import contextlib
import os
from collections.abc import Callable

import pytest

from tests.cluster.conftest import STEPS, WITH_PYTHON, Run, complaints
from tests.cluster.standalone import descendants, freeze, kill, runs, thaw, until

pytestmark = pytest.mark.timeout(900)
long, short = pytest.mark.long, pytest.mark.short


def busy_executor(run: Run) -> int:
    """One that has a file of the output open, or that has Python at work."""
    found = [each for each in run.cluster.executors() if _has_open(each, run.output)]
    return (found or [each for each in run.cluster.executors() if descendants(each)])[0]


def _has_open(process: int, below) -> bool:
    with contextlib.suppress(OSError):
        for link in os.scandir(f"/proc/{process}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(link.path).startswith(str(below)):  # noqa: PTH115
                    return True
    return False


def kill_executor(run: Run) -> None:
    kill(busy_executor(run))


def kill_python_workers(run: Run) -> None:
    for process in run.cluster.python_workers():
        kill(process)


def lose_worker(run: Run) -> None:
    executor = busy_executor(run)
    run.cluster.lose_worker(next(n for n in run.cluster.working() if executor in run.cluster.executors(n)))


FAULTS: list[tuple[Callable[[Run], None], str, list[str]]] = [
    (kill_executor, "Lost executor", list(STEPS)),
    (kill_python_workers, "Lost task", WITH_PYTHON),
    (lose_worker, "Lost executor", list(STEPS)),
]
SHORT = {(kill_executor, "match")}
CASES = [
    pytest.param(
        fault, words, step, marks=short if (fault, step) in SHORT else long, id=f"{fault.__name__}-{step}"
    )
    for fault, words, steps in FAULTS
    for step in steps
]


@pytest.mark.parametrize(("fault", "words", "step"), CASES)
def test_what_is_lost_with_a_process_is_done_again(begin, fault, words, step):
    run = begin(step)
    job = run.start_and_reach()
    fault(run)
    job.finish()
    assert words in job.told.read_text()
    run.check()


@pytest.mark.parametrize(
    "step", [pytest.param(name, marks=short if name == "download" else long) for name in STEPS]
)
def test_a_driver_that_was_killed_goes_on_when_it_is_started_again(begin, step):
    run = begin(step)
    job = run.start()
    kept = {path.stat().st_ino for path in run.reach(job)} if step == "download" else set()
    job.kill()
    assert not (run.output / "_run.json").exists()
    run.start().finish()
    run.check()
    assert kept <= {path.stat().st_ino for path in run.output.iterdir()}  # the files themselves


@long
def test_a_driver_whose_python_is_killed_leaves_nothing_running(begin):
    run = begin("download")
    job = run.start_and_reach()
    kill(job.python())
    code, _, _ = job.wait()
    assert code not in (0, None)
    until(lambda: not run.cluster.executors())
    run.start().finish()
    run.check()


@long
def test_a_driver_whose_jvm_is_killed_ends_and_says_so_in_its_log(begin):
    run = begin("download")
    job = run.start_and_reach()
    python = job.python()
    kill(job.process.pid)
    until(lambda: not runs(python))
    assert "Spark's JVM has ended" in (run.output / "_log").read_text()  # its terminal was the JVM's
    until(lambda: not run.cluster.executors())
    run.start().finish()
    run.check()


@long
@pytest.mark.parametrize("step", ["match", "download"])
def test_of_two_drivers_on_one_output_the_later_is_refused(begin, step):
    run = begin(step)
    first = run.start_and_reach()
    frozen = [each for number in run.cluster.working() for each in run.cluster.freeze_worker(number)]
    code, out, _ = run.start().wait()
    thaw(frozen)
    assert (code, complaints(out)) == (
        2,
        [f"error: another run is at work on {run.output}; wait for it or name another --output"],
    )
    first.finish()
    run.check()


def freeze_worker(run: Run) -> tuple[int, list[int]]:
    """Cut a worker that is at work off, as when its machine's network fails; gives its number too."""
    executor = busy_executor(run)
    number = next(n for n in run.cluster.working() if executor in run.cluster.executors(n))
    return number, run.cluster.freeze_worker(number)


@long
@pytest.mark.parametrize("step", ["extract", "match", "download"])
def test_tasks_that_outlive_their_driver_do_no_harm(begin, step):
    """They are cut off, and come back while the next driver is in the middle of the same step."""
    run = begin(step)
    first = run.start_and_reach()
    number, frozen = freeze_worker(run)
    executors = run.cluster.executors(number)
    first.kill()
    second = run.start()
    until(lambda: [path for path in run.output.glob("_attempt-*") if path.name.endswith("-2")])
    run.reach(second)
    thaw(frozen)
    second.finish()
    until(lambda: not any(map(runs, executors)))
    run.check()


def cut_off(run: Run) -> list[int]:
    return freeze_worker(run)[1]


def stall(run: Run) -> list[int]:
    """Let a task be slow: its Python stands still. Its executor answers, or the others would wait for it."""
    return freeze(descendants(busy_executor(run)))


_SPECULATION = {
    "speculation": "true",
    "speculation_interval": "100ms",
    "speculation_minTaskRuntime": "1ms",
    "speculation_task_duration_threshold": "1s",
}
_SHORT_PATIENCE = {
    "network_timeout": "20s",
    "network_timeoutInterval": "5s",
    "executor_heartbeatInterval": "2s",
}
_DONE = {"match": "_attempt-*/pairs/_temporary/0/task_*", "download": "_attempt-*/_sealed/[0-9]*"}


@long
@pytest.mark.parametrize("step", list(_DONE))
@pytest.mark.parametrize(
    ("conf", "hold", "words"),
    [(_SPECULATION, stall, ""), (_SHORT_PATIENCE, cut_off, "Lost executor")],
    ids=["slow", "believed-dead"],
)
def test_of_two_tasks_that_do_the_same_one_counts(begin, conf, hold, words, step):
    """One is held up, another one does its work, and then the first one is back."""
    run = begin(step)
    job = run.start_and_reach(**conf)
    frozen = hold(run)
    # All of it, or what the first one fetches in vain after its pause might be the first of its shard.
    pieces = 1 if step == "match" else len(list((run.material.local / "shards").glob("*.tar")))
    until(lambda: len(list(run.output.glob(_DONE[step]))) >= pieces or _is_gathered(run))
    thaw(frozen)
    job.finish()
    assert words in job.told.read_text()
    run.check()


def _is_gathered(run: Run) -> bool:
    return bool([*run.output.glob("_run.json"), *run.output.glob("_attempt-*/profile")])
