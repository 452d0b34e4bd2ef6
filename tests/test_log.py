import logging
import threading
import time
from pathlib import Path

import pytest

from curation.log import _Tasks, counted, log_file, logger, progress


def test_the_log_takes_what_all_libraries_say_and_the_terminal_nothing(tmp_path, capfd):
    with log_file(tmp_path / "folder" / "_log"):
        logger.info("ours")
        logging.getLogger("py4j").warning("theirs")
    logger.info("too late")
    written = (tmp_path / "folder" / "_log").read_text()
    assert "INFO curation: ours" in written
    assert "WARNING py4j: theirs" in written
    assert "too late" not in written
    assert capfd.readouterr().err == ""


def test_progress_is_quiet_where_there_is_no_terminal(spark, tmp_path, capfd):
    capfd.readouterr()
    with log_file(tmp_path / "_log"):
        with progress(spark, "count"):
            assert spark.range(0, 100, 1, 4).count() == 100
        with pytest.raises(RuntimeError), progress(spark, "fail"):
            raise RuntimeError("stop")
    assert capfd.readouterr().err == ""
    assert (tmp_path / "_log").read_text().count(": over after") == 2


def test_tasks_are_counted_while_they_run(spark):
    tasks = _Tasks(spark)
    slow = spark.sparkContext.parallelize(range(10), 10).map(lambda _: time.sleep(0.4))
    job = threading.Thread(target=slow.count)
    job.start()
    seen = {tasks.count()}
    while job.is_alive():
        seen.add(tasks.count())
        time.sleep(0.05)
    job.join()
    assert {total for _, total in seen} <= {0, 10}
    assert any(0 < done < 10 for done, total in seen if total), seen


def test_items_are_passed_on_and_counted(capsys, monkeypatch):
    monkeypatch.setattr("curation.log._LINE_SECONDS", -1)
    assert list(counted("abc", "read", 3)) == ["a", "b", "c"]
    assert list(counted(iter("de"), "hash")) == ["d", "e"]
    assert capsys.readouterr().err.splitlines() == [
        "read: 1 of 3", "read: 2 of 3", "read: 3 of 3", "hash: 1", "hash: 2",
    ]  # fmt: skip


def test_a_log_whose_disk_is_full_says_nothing(capfd):
    logging.getLogger("curation").warning("before")  # what is on the terminal is what the log has not taken
    capfd.readouterr()
    with log_file(Path("/dev/full")):
        logger.info("lost")
    assert capfd.readouterr() == ("", "")


class _Gone:
    """A session whose JVM was killed meanwhile."""

    def statusTracker(self):
        return self

    def getActiveStageIds(self):
        raise ConnectionRefusedError

    sparkContext = property(lambda self: self)


def test_progress_that_cannot_be_told_hinders_nothing(capfd):
    with progress(_Gone(), "count"):
        (watcher,) = [thread for thread in threading.enumerate() if "_watch" in thread.name]
        watcher.join(60)
        assert not watcher.is_alive()
    assert capfd.readouterr().err == ""
