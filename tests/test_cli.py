"""The jobs as a user types them; each in a process of its own, as exit codes are theirs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from py4j.protocol import Py4JError, Py4JNetworkError

from curation.cli import _gist
from tests.conftest import ROOT

JOBS = sorted(path.stem for path in (ROOT / "jobs").glob("*.py"))
FOLDER = {"explain": "--curated", "takedown": "--shards", "plan": "--crawls"}


def run(job, *arguments, **environment):
    return subprocess.run(
        [sys.executable, ROOT / "jobs" / f"{job}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", **environment},
        timeout=120,
    )


def assert_refused(result, words):
    """One clear line, exit code 2."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert re.fullmatch(rf"error: .*{words}.*\n", result.stderr), result.stderr


@pytest.mark.parametrize("job", JOBS)
def test_help_teaches_and_starts_no_spark(job):
    result = run(job, "--help", JAVA_HOME="/nowhere")
    assert result.returncode == 0
    assert f"Example: jobs/{job}.py" in result.stdout
    assert FOLDER.get(job, "--output") in result.stdout


@pytest.mark.parametrize("job", JOBS)
def test_an_unknown_flag(job, tmp_path):
    assert_refused(
        run(job, FOLDER.get(job, "--output"), tmp_path / "out", "--unheard-of", 1),
        "Unknown flag --unheard-of",
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("job", "arguments", "words"),
    [
        ("download", ("--shard-size", "1.5"), "--shard-size 1.5: it must be a whole number"),
        ("plan", ("--crawls=0.5", "--cores", "4"), "--crawls 0.5: it must be a whole number"),
        ("compare", ("--seeds", "0", "1.5"), "--seeds 1.5: it must be a whole number"),
        ("balance", ("--seed", "x"), "Invalid value for --seed"),
    ],
)
def test_a_fraction_where_a_whole_number_is_wanted(job, arguments, words):
    assert_refused(run(job, *arguments), words)


def vocabulary(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "entries.txt").write_text(text)
    return folder / "entries.txt"


def test_a_missing_file(tmp_path):
    result = run("extract", "--input", tmp_path / "no.wat.gz", "--output", tmp_path / "out")
    assert_refused(result, rf"no file matches {tmp_path}/no\.wat\.gz")
    assert not (tmp_path / "out").exists()


def test_a_missing_pool(tmp_path):
    entries = vocabulary(tmp_path, "cat\n")
    result = run("match", "--pool", tmp_path / "no", "--vocabulary", entries, "--output", tmp_path / "out")
    assert_refused(result, r"no does not exist; make it with jobs/extract\.py")
    assert not (tmp_path / "out").exists()


def test_a_bad_value(tmp_path):
    assert_refused(run("balance", "--matches", "m", "--t", "x", "--output", tmp_path / "out"), '--t.*"x"')
    assert_refused(run("balance", "--matches", "m", "--t", "0", "--output", tmp_path / "out"), "--t is 0.0")


def test_missing_java(tmp_path):
    (tmp_path / "a.wat").write_text("WARC/1.0\r\n")
    result = run("extract", "--input", tmp_path / "a.wat", "--output", tmp_path / "out", JAVA_HOME=tmp_path)
    assert_refused(result, r"Java was not found in JAVA_HOME .*; install Java 17 or 21")
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    entries = vocabulary(tmp_path, "cat\n")
    result = run("match", "--pool", tmp_path, "--vocabulary", entries, "--output", tmp_path / "file" / "out")
    assert_refused(result, "file")


def test_a_failure_is_told_in_a_line_and_logged_in_full(tmp_path):
    """A worker's traceback is for the log; its last line is for the user."""
    code = (
        "import sys; from curation.cli import main; from curation.config import Match\n"
        "def crash(session, config):\n"
        "    raise RuntimeError('An exception\\nTraceback:\\n  File x\\nValueError: no such colour\\n')\n"
        "main(crash, Match)"
    )
    flags = ["--pool", "p", "--vocabulary", "v", "--output", str(tmp_path / "out")]
    result = subprocess.run([sys.executable, "-c", code, *flags], capture_output=True, text=True)
    assert result.returncode == 1
    assert re.fullmatch(
        r"error: RuntimeError: ValueError: no such colour \(all of it in .*_log\)\n", result.stderr
    )
    assert "Traceback" in (tmp_path / "out" / "_log").read_text()


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        ("OSError('Corrupt snappy data')", 1, r"OSError: Corrupt snappy data \(all of it in (.*\.log)\)"),
        ("ValueError('no magic\\nbytes')", 1, r"ValueError: no magic \(all of it in (.*\.log)\)"),
        (
            "OSError(28, 'No space left on device', '/o')",
            1,
            r"No space .* /o is full.*all of it in (.*\.log)\)",
        ),
        ("FileNotFoundError(2, 'No such file or directory', '/x')", 2, "/x: No such file or directory"),
    ],
)
def test_a_failure_of_a_job_without_spark_is_told_in_a_line(error, code, line):
    text = (
        "from curation.cli import answer; from curation.config import Explain\n"
        "def crash(config):\n"
        f"    raise {error}\n"
        "answer(crash, Explain)"
    )
    flags = ["--curated", "c", "--uid", "u"]
    result = subprocess.run([sys.executable, "-c", text, *flags], capture_output=True, text=True)
    assert result.returncode == code
    told = re.fullmatch(f"error: {line}\n", result.stderr)
    assert told, result.stderr
    for log in map(Path, told.groups()):
        assert "Traceback" in log.read_text()
        log.unlink()


def test_a_java_that_spark_cannot_use(tmp_path):
    (tmp_path / "bin").mkdir()
    java = tmp_path / "bin" / "java"
    java.write_text("#!/bin/sh\necho 'class file version 61.0, this runtime knows up to 52.0' >&2\nexit 1\n")
    java.chmod(0o755)
    (tmp_path / "a.wat").write_text("WARC/1.0\r\n")
    result = run("extract", "--input", tmp_path / "a.wat", "--output", tmp_path / "out", JAVA_HOME=tmp_path)
    assert_refused(result, r"Spark did not start \(Java 17 or 21 is needed\); its words are in ")
    words = Path(result.stderr.split()[-1])
    assert "class file version 61.0" in words.read_text()
    words.unlink()
    assert not (tmp_path / "out").exists()


def test_a_job_of_the_trainer_without_torch(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ModuleNotFoundError('No module', name='torch')")
    result = run("train", "--shards", "x.tar", "--output", tmp_path / "run", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert_refused(result, "torch is not installed; make trainer brings it, or pip install 'curation.train.'")
    assert not (tmp_path / "run").exists()


SPARK = """Job aborted due to stage failure: Task 0 in stage 3.0 failed 4 times, most recent failure:
Lost task 0.3 in stage 3.0 (TID 9) (10.0.0.7 executor 1): java.io.IOException: No space left on device
\tat java.base/java.io.FileOutputStream.writeBytes(Native Method)
\tat {frame}
"""


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (OSError(28, "No space left on device", "/out/_run.json"), "the disk of /out is full"),
        (
            RuntimeError(SPARK.format(frame="ResultTask.runTask(ResultTask.scala)")),
            "the disk of /out is full",
        ),
        (RuntimeError(SPARK.format(frame="ShuffleMapTask.runTask(x.scala)")), "TMPDIR) is full on 10.0.0.7"),
        (RuntimeError(SPARK.format(frame="UnsafeSorterSpillWriter.write(x)")), "TMPDIR) is full on 10.0.0.7"),
        (RuntimeError('File "curation/download/draft.py": No space left on device'), "TMPDIR) is full;"),
    ],
)
def test_of_full_disks_it_is_said_which(error, place):
    told = _gist(error, Path("/out"))
    assert told.startswith("No space left on device: ")
    assert place in told
    assert told.endswith("make room and run the same command again, and what is finished is kept")
    assert "\n" not in told


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(111, "refused"), Py4JNetworkError("empty"), Py4JError("o1")]
)
def test_a_jvm_that_is_gone_is_named(error):
    assert _gist(error, Path("/out")).startswith("Spark's JVM has ended")


def test_what_java_complains_of_is_told():
    error = RuntimeError("An error occurred while calling o1.x.\n: java.io.IOException: too small\n\tat x\n")
    assert _gist(error, Path("/out")) == "RuntimeError: java.io.IOException: too small"
