"""The Spark session: started when a step first needs it, with settings that the user's own override."""

import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from curation.core.sizing import Sizing, memory_overhead
from curation.errors import InputError

_GIB = 2**30
_RESERVING = ("yarn", "k8s://")
"""Masters that give an executor a bound for all of its memory."""
_EXECUTORS_SECONDS = 30.0
_SETTLED_SECONDS = 2.0


class Session:
    """Starts Spark at the first call and gives the same session ever after.

    Steps take it in place of a session, so that bad input and finished work cost no start of Spark.

    Args:
        name: of the application: the job's, for the memory that its Python processes take.
        master: Spark master URL; None leaves it to spark-submit, or to all local cores.
        log: file that takes what the JVM and the workers print; None leaves it on the terminal.
    """

    def __init__(self, name: str, *, master: str | None = None, log: Path | None = None) -> None:
        self._name = name
        self._master = master
        self._log = log
        self._spark: SparkSession | None = None

    def __call__(self) -> SparkSession:
        """Give the session.

        Raises:
            InputError: Java is missing or too old, or Spark does not start.
        """
        if self._spark is None:
            self._spark = self._start()
        return self._spark

    def stop(self) -> None:
        """Stop Spark if it runs."""
        if self._spark is not None:
            self._spark.stop()
            self._spark = None

    def _start(self) -> SparkSession:
        # Executors start the python3 of PATH unless told before the first session.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        submitted = "PYSPARK_GATEWAY_PORT" in os.environ  # by spark-submit: the JVM is there already
        if not submitted:
            _require_java()
            if _is_local(self._master or _submitted_master()):
                # Else Spark asks the network for the name of this machine. Too late once the JVM runs.
                os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        with _stderr_to(None if submitted else self._log):
            SparkContext._ensure_initialized(conf=None if submitted else _launch_conf())
        conf = SparkConf()  # holds what spark-submit, PYSPARK_SUBMIT_ARGS and spark-defaults.conf say
        if self._master is not None:
            conf.setMaster(self._master)
        conf.setIfMissing("spark.master", "local[*]")
        for key, value in _defaults(self._name, conf).items():
            conf.setIfMissing(key, value)
        spark = SparkSession.builder.config(conf=conf).getOrCreate()
        _await_executors(spark)
        return spark


def is_local(spark: SparkSession) -> bool:
    """Whether the driver does all the work."""
    return _is_local(str(spark.sparkContext.master))


def cores(spark: SparkSession) -> int:
    """Cores that there are for tasks, or will be: executors that come when they are needed count."""
    return max(spark.sparkContext.defaultParallelism, _promised_cores(spark.sparkContext.getConf()))


def settings(spark: SparkSession) -> dict[str, str]:
    """The settings of a session that a run record keeps."""
    chosen = {key: spark.conf.get(key) or "" for key in Sizing(input_bytes=0, cores=1).settings()}
    return chosen | {
        key: value
        for key, value in sorted(spark.sparkContext.getConf().getAll())
        if key.startswith(("spark.master", "spark.sql.", "spark.executor.", "spark.driver.memory"))
        and not key.startswith("spark.executor.extraJava")
        and key != "spark.executor.id"
    }


def _defaults(name: str, conf: SparkConf) -> dict[str, str]:
    master = str(conf.get("spark.master"))
    special = {}
    if _is_local(master):
        # A driver that works alone has no business on the network, and laptops change their host names.
        special = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    elif master.startswith(_RESERVING) and not conf.contains("spark.executor.memoryOverheadFactor"):
        in_bytes = SparkContext._jvm.org.apache.spark.network.util.JavaUtils.byteStringAsBytes  # type: ignore
        special["spark.executor.memoryOverhead"] = memory_overhead(
            name,
            cores=int(str(conf.get("spark.executor.cores", "1"))),
            heap_bytes=int(in_bytes(conf.get("spark.executor.memory", "1g"))),
        )
    return special | {
        "spark.app.name": f"curation {name}",
        "spark.log.level": "WARN",
        "spark.ui.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "8192",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.session.timeZone": "UTC",
        "spark.speculation": "false",
    }


def _await_executors(spark: SparkSession) -> None:
    """Wait until the executors of a cluster have come, for steps are cut by their cores.

    Where nothing says how many there will be, until no more come.
    """
    context = spark.sparkContext
    if is_local(spark):
        return
    spark.range(1).count()  # the first one is there
    started = settled = time.monotonic()
    known, promised = context.defaultParallelism, _promised_cores(context.getConf())
    while known < promised or (not promised and time.monotonic() < settled + _SETTLED_SECONDS):
        if time.monotonic() > started + _EXECUTORS_SECONDS:
            return
        time.sleep(0.1)
        if context.defaultParallelism != known:
            known, settled = context.defaultParallelism, time.monotonic()


def _promised_cores(conf: SparkConf) -> int:
    """Cores that the settings ask the cluster for; 0 where they leave it to the cluster."""
    dynamic = conf.get("spark.dynamicAllocation.enabled") == "true"
    executors = conf.get("spark.dynamicAllocation.maxExecutors" if dynamic else "spark.executor.instances")
    if executors is None:
        return int(str(conf.get("spark.cores.max", "0")))
    return int(executors) * int(str(conf.get("spark.executor.cores", "1")))


def _is_local(master: str) -> bool:
    return master == "local" or master.startswith("local[")


def _submitted_master() -> str:
    """The master that PYSPARK_SUBMIT_ARGS names, which pyspark hands to spark-submit."""
    words = shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", ""))
    return dict(pairwise(words)).get("--master", "local[*]")


def _launch_conf() -> SparkConf:
    """What must be known before the JVM starts: in local mode the driver does all the work."""
    conf = SparkConf(loadDefaults=False)
    conf.set("spark.ui.showConsoleProgress", "false")  # the bar of `curation.log` is there instead
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    conf.set("spark.driver.memory", f"{max(1, min(16, memory // 4 // _GIB))}g")
    return conf  # PYSPARK_SUBMIT_ARGS comes after it, and wins


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else "java"
    if shutil.which(java) is None:
        where = f"in JAVA_HOME ({home})" if home else "on PATH"
        raise InputError(f"Java was not found {where}; install Java 17 or 21, or point JAVA_HOME at one")


@contextmanager
def _stderr_to(log: Path | None) -> Iterator[None]:
    """Let a child process that starts meanwhile inherit the log as its stderr."""
    if log is None:
        yield
        return
    sys.stderr.flush()
    terminal = os.dup(2)
    with log.open("ab") as sink:
        os.dup2(sink.fileno(), 2)
    try:
        yield
    except Exception as error:
        raise InputError(
            f"Spark did not start (Java 17 or 21 is needed); its words are in {_kept(log)}"
        ) from error
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def _kept(log: Path) -> Path:
    """A copy of the log that outlives the failed run's folder."""
    with tempfile.NamedTemporaryFile(prefix="curation-", suffix=".log", delete=False) as copy:
        copy.write(log.read_bytes())
        return Path(copy.name)
