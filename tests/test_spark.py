"""The session, in processes of its own: how it starts depends on who started the process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyspark import SparkConf

from curation import spark as library
from curation.config import Match
from curation.runs import match
from tests.conftest import ROOT
from tests.runs.conftest import make_pool, rows
from tests.stages.conftest import pairs

PRINT = """
import sys
from pathlib import Path
from curation.spark import Session
session = Session("test", master=sys.argv[2] or None, log=Path(sys.argv[1]))
spark = session()
assert session() is spark
keys = ("spark.master", "spark.sql.session.timeZone", "spark.driver.host", "spark.driver.memory")
import os
print(*(spark.conf.get(key, None) for key in keys), os.environ.get("SPARK_LOCAL_IP"))
session.stop()
"""


def settings(tmp_path, submit_args="", master="", command=(sys.executable, "-c", PRINT), **variables):
    environment = {name: value for name, value in os.environ.items() if name != "SPARK_LOCAL_IP"}
    result = subprocess.run(
        [*command, str(tmp_path / "log"), master],
        capture_output=True,
        text=True,
        env=environment | {"PYSPARK_SUBMIT_ARGS": submit_args or "pyspark-shell"} | variables,
        timeout=120,
        check=True,
    )
    return result.stdout.split(), result.stderr


def test_defaults_and_a_quiet_terminal(tmp_path):
    (master, zone, host, memory, address), stderr = settings(tmp_path)
    assert (master, zone, host, address) == ("local[*]", "UTC", "127.0.0.1", "127.0.0.1")
    assert memory.endswith("g")
    assert stderr == ""
    assert "WARNING" in (tmp_path / "log").read_text()  # what Spark says at its start


def test_the_users_settings_win(tmp_path):
    arguments = "--master local[1] --driver-memory 2g --conf spark.sql.session.timeZone=CET pyspark-shell"
    (master, zone, _, memory, _), _ = settings(tmp_path, arguments)
    assert (master, zone, memory) == ("local[1]", "CET", "2g")
    (master, *_), _ = settings(tmp_path, arguments, master="local[2]")
    assert master == "local[2]"


def defaults(job, **conf):
    given = SparkConf(loadDefaults=False)
    for key, value in conf.items():
        given.set(key.replace("_", "."), value)
    return library._defaults(job, given)


def test_python_has_its_memory_where_executors_are_bounded(spark):
    overhead = "spark.executor.memoryOverhead"
    on_yarn = {"spark_master": "yarn", "spark_executor_cores": "4", "spark_executor_memory": "20g"}
    assert defaults("match", **on_yarn)[overhead] == f"{2048 + 4 * 450}m"
    assert defaults("extract", spark_master="k8s://https://127.0.0.1:1")[overhead] == "684m"
    in_mib = on_yarn | {"spark_executor_memory": "20480"}
    assert defaults("match", **in_mib)[overhead] == f"{2048 + 4 * 450}m"
    assert overhead not in defaults("match", **on_yarn, spark_executor_memoryOverheadFactor="0.5")
    assert overhead not in defaults("match", spark_master="spark://127.0.0.1:7077")
    assert "spark.driver.host" not in defaults("match", **on_yarn)


@pytest.mark.parametrize(
    ("conf", "promised", "on_demand"),
    [
        ({}, 0, 0),
        ({"spark_cores_max": "12"}, 12, 0),
        ({"spark_executor_instances": "3", "spark_executor_cores": "4"}, 12, 0),
        ({"spark_executor_instances": "3"}, 3, 0),
        ({"spark_dynamicAllocation_enabled": "true", "spark_executor_instances": "3"}, 0, 0),
        ({"spark_dynamicAllocation_enabled": "true", "spark_dynamicAllocation_maxExecutors": "50"}, 0, 50),
        ({"spark_dynamicAllocation_maxExecutors": "50"}, 0, 0),
    ],
)
def test_the_cores_that_settings_promise(conf, promised, on_demand):
    given = SparkConf(loadDefaults=False)
    for key, value in conf.items():
        given.set(key.replace("_", "."), value)
    assert (library._promised_cores(given), library._cores_on_demand(given)) == (promised, on_demand)


def test_executors_that_are_yet_to_come_count(spark, monkeypatch):
    assert library.cores(spark) == library.executor_cores(spark) == 2
    monkeypatch.setattr(library, "_cores_on_demand", lambda conf: 12)
    assert library.cores(spark) == 12
    assert library.executor_cores(spark) == 2


def test_what_is_waited_for_is_said_if_it_takes_long(monkeypatch, capsys):
    monkeypatch.setattr(library, "_SILENT_SECONDS", 0.01)
    with library._saying_so("waiting for executors of spark://127.0.0.1:7077"):
        time.sleep(0.3)
    assert capsys.readouterr().err == "waiting for executors of spark://127.0.0.1:7077\n"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("pyspark-shell", {}),
        ("--master yarn pyspark-shell", {"spark.master": "yarn"}),
        ("--master=spark://127.0.0.1:1 --driver-memory=3g", {"spark.master": "spark://127.0.0.1:1"}),
        ("--conf spark.master=yarn --conf=a=b=c --name x", {"spark.master": "yarn", "a": "b=c"}),
    ],
)
def test_what_the_jvm_is_started_with_is_known(tmp_path, monkeypatch, arguments, found):
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", arguments)
    assert found.items() <= library._launch_settings().items()
    (tmp_path / "spark-defaults.conf").write_text("# mine\nspark.master   k8s://a:1\nx = y z \n\nd:e")
    here = {"spark.master": "k8s://a:1", "x": "y z", "d": "e"} | found
    assert here.items() <= library._launch_settings().items()


def test_the_memory_of_spark_defaults_wins(tmp_path):
    (tmp_path / "spark-defaults.conf").write_text("spark.driver.memory 3g\n")
    (_, _, _, memory, _), _ = settings(tmp_path, SPARK_CONF_DIR=str(tmp_path))
    assert memory == "3g"


@pytest.fixture
def small_run(session, tmp_path):
    pool = make_pool(tmp_path / "pool", pairs(["a cat", "a dog", "a bird"]))
    (tmp_path / "entries.txt").write_text("cat\ndog\n")
    arguments = {"pool": str(pool.folder), "vocabulary": str(tmp_path / "entries.txt")}
    return match(session, Match(**arguments, output=str(tmp_path / "expected")))[0], arguments


def test_spark_submit_does_what_python_does(tmp_path, small_run):
    """With the venv activated, as the README says: its bin/ first on PATH, nothing else."""
    expected, arguments = small_run
    flags = [word for name, value in arguments.items() for word in (f"--{name}", value)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYSPARK")}
    environment["SPARK_LOCAL_IP"] = "127.0.0.1"  # the JVM is there before we are, and would look itself up
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    command = ["spark-submit", "--master", "local[1]", str(ROOT / "jobs" / "match.py"), *flags]
    subprocess.run(
        [*command, "--output", str(tmp_path / "out")],
        env=environment,
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert rows(tmp_path / "out" / "pairs") == rows(expected.folder / "pairs")
