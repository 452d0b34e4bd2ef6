"""Disks that fill up in the middle of a step: the run says which, and goes on when there is room."""

import contextlib
import subprocess
from pathlib import Path

import pytest

from tests.cluster.conftest import STEPS, Run, complaints
from tests.cluster.standalone import Standalone

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

NO_SPACE = "No space left on device"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own that is soon full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here, which root may do: {error}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Use up all room of a disk; gives the file that does."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


def assert_full(job, *words: str) -> None:
    code, out, told = job.wait()
    assert code == 1
    assert len(complaints(out)) == 1, f"{out}\n{told[-3000:]}"
    for word in (NO_SPACE, *words):
        assert word in complaints(out)[0]


@pytest.mark.parametrize("step", list(STEPS))
def test_a_disk_that_fills_up_is_named_and_with_room_the_run_goes_on(begin, small_disk, step):
    run = begin(step, small_disk)
    job = run.start()
    run.reach(job)
    ballast = fill(small_disk)
    assert_full(job, str(run.output))
    assert not (run.output / "_run.json").exists()
    ballast.unlink()
    run.start().finish()
    run.check()


def test_a_full_local_disk_of_an_executor_is_named(material, small_disk, tmp_path):
    """Shuffles are on it; the output is elsewhere."""
    with Standalone(tmp_path / "cluster", workers=1, cores=2, local=small_disk) as cluster:
        run = Run(cluster, material, tmp_path, "de-duplicate")
        with contextlib.closing(run):
            job = run.start()
            run.reach(job, "_attempt-*/_scratch/rows/_group=0")
            ballast = fill(small_disk)
            assert_full(job, "spark.local.dir", "127.0.0.2")
            ballast.unlink()
            run.start().finish()
            run.check()
