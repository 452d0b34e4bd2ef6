"""The Spark session: started when a step first needs it, with settings that the user's own override."""

import os
import re
import shlex
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pyspark
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from curation.core.sizing import Sizing, memory_overhead
from curation.errors import InputError
from curation.log import announce

_GIB = 2**30
_RESERVING = ("yarn", "k8s://")
"""Masters that give an executor a bound for all of its memory."""
_EXECUTORS_SECONDS = 30.0
_SETTLED_SECONDS = 2.0
_SILENT_SECONDS = 10.0
_SUBMIT_FLAGS = {"--master": "spark.master", "--driver-memory": "spark.driver.memory"}
_PROPERTY = re.compile(r"\s*([^#\s=:][^\s=:]*)\s*[\s=:]\s*(.*?)\s*")


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
            if _is_local(self._master or _launch_settings().get("spark.master", "local")):
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
    context = spark.sparkContext
    return max(1, sum(_executors(context)), _cores_on_demand(context.getConf()))


def executor_cores(spark: SparkSession) -> int:
    """Cores of the largest executor."""
    return max(1, *_executors(spark.sparkContext))


def _executors(context: SparkContext) -> list[int]:
    """The cores of each executor; of a driver that works alone, its own."""
    found = context._jsc.sc().statusStore().executorList(True)
    return [0, *(found.apply(place).totalCores() for place in range(found.size()))]


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
        in_mib = SparkContext._jvm.org.apache.spark.network.util.JavaUtils.byteStringAsMb  # type: ignore
        special["spark.executor.memoryOverhead"] = memory_overhead(
            name,
            cores=int(str(conf.get("spark.executor.cores", "1"))),
            heap_mib=int(in_mib(conf.get("spark.executor.memory", "1g"))),
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
    context, promised = spark.sparkContext, 1
    if not is_local(spark):
        promised = _promised_cores(context.getConf())
        with _saying_so(f"waiting for executors of {context.master}"):
            spark.range(1).count()  # the first one is there
    started = settled = time.monotonic()
    known = sum(_executors(context))
    while known < promised or (not promised and time.monotonic() < settled + _SETTLED_SECONDS):
        if time.monotonic() > started + _EXECUTORS_SECONDS:
            return
        time.sleep(0.1 if known else 0.01)
        if sum(_executors(context)) != known:
            known, settled = sum(_executors(context)), time.monotonic()


@contextmanager
def _saying_so(words: str) -> Iterator[None]:
    """Say what is waited for, if it takes long: a cluster may be full, or unable to reach the driver."""
    timer = threading.Timer(_SILENT_SECONDS, announce, [words])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _promised_cores(conf: SparkConf) -> int:
    """Cores that the settings ask the cluster for from the start; 0 where they leave it to the cluster."""
    if _is_dynamic(conf):
        return 0
    executors = conf.get("spark.executor.instances")
    return int(str(conf.get("spark.cores.max", "0"))) if executors is None else _of_executors(conf, executors)


def _cores_on_demand(conf: SparkConf) -> int:
    """Cores of the executors that the cluster may start when there is work for them; 0: none."""
    most = conf.get("spark.dynamicAllocation.maxExecutors")
    return _of_executors(conf, most) if _is_dynamic(conf) and most is not None else 0


def _is_dynamic(conf: SparkConf) -> bool:
    return conf.get("spark.dynamicAllocation.enabled") == "true"


def _of_executors(conf: SparkConf, number: str) -> int:
    return int(number) * int(str(conf.get("spark.executor.cores", "1")))


def _is_local(master: str) -> bool:
    return master == "local" or master.startswith("local[")


def _launch_settings() -> dict[str, str]:
    """What the user has the JVM started with: by spark-defaults.conf, and over that PYSPARK_SUBMIT_ARGS."""
    home = os.environ.get("SPARK_HOME") or str(Path(pyspark.__file__).parent)
    defaults = Path(os.environ.get("SPARK_CONF_DIR") or Path(home, "conf"), "spark-defaults.conf")
    lines = defaults.read_text(encoding="utf-8").splitlines() if defaults.is_file() else []
    found = {line[1]: line[2] for line in map(_PROPERTY.fullmatch, lines) if line}
    words = shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", ""))
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for flag, value in pairwise(words):
        if flag in ("--conf", "-c"):
            key, _, value = value.partition("=")
            found[key] = value
        elif flag in _SUBMIT_FLAGS:
            found[_SUBMIT_FLAGS[flag]] = value
    return found


def _launch_conf() -> SparkConf:
    """What must be known before the JVM starts: in local mode the driver does all the work."""
    conf = SparkConf(loadDefaults=False)
    conf.set("spark.ui.showConsoleProgress", "false")  # the bar of `curation.log` is there instead
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if "spark.driver.memory" not in _launch_settings():
        conf.set("spark.driver.memory", f"{max(1, min(16, memory // 4 // _GIB))}g")
    return conf


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
