"""A Spark standalone cluster on loopback: a master and its workers, each a JVM of its own."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyspark

from tests.conftest import ROOT

ENVIRONMENT = ROOT / "dist" / "env.tar.gz"
HOST = "127.0.0.1"
PATIENCE_SECONDS = 240
_SPARK_HOME = Path(pyspark.__file__).parent


class Standalone:
    """Runs while a `with` block does.

    Attributes:
        folder: what the cluster writes: logs, and the folders of executors.
        workers: their processes, in the order in which they were started; lost ones too.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 2,
        cores: int = 1,
        memory: str = "2g",
        local: Path | None = None,
    ) -> None:
        self.folder = folder
        self.url = ""
        self.workers: list[subprocess.Popen[bytes]] = []
        self._first, self._cores, self._memory = workers, cores, memory
        self._local = {} if local is None else {"SPARK_LOCAL_DIRS": str(local)}
        self._master: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Standalone":
        (self.folder / "home").mkdir(parents=True)
        self._master, told = self._start("master", "master.Master", "--host", HOST, "--port", "0")
        self.url = until(lambda: re.search(rb"spark://127\.0\.0\.1:\d+", told.read_bytes()))[0].decode()
        for _ in range(self._first):
            self.start_worker()
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.workers, self._master]:
            if process is not None:
                _kill_group(process)

    def start_worker(self) -> None:
        """Add a worker, and wait until the master knows it."""
        name = f"worker-{len(self.workers)}"
        host = (
            f"127.0.0.{len(self.workers) + 2}"  # its own: of one host, Spark makes no second copy of a task
        )
        bounds = ("--host", host, "--cores", str(self._cores), "--memory", self._memory)
        process, told = self._start(
            name, "worker.Worker", *bounds, "-d", str(self.folder / name), self.url, host=host
        )
        self.workers.append(process)
        until(lambda: b"Successfully registered with master" in told.read_bytes())

    def lose_worker(self, number: int) -> None:
        """Kill a worker with its executors, for good."""
        below = descendants(self.workers[number].pid)
        _kill_group(self.workers[number])
        for process in below:
            kill(process)

    def freeze_worker(self, number: int) -> list[int]:
        """Stop a worker and all that it runs, as if its machine were cut off; gives what `thaw` takes."""
        return freeze([self.workers[number].pid])

    def executors(self, *numbers: int) -> list[int]:
        """The JVMs that run tasks, of all workers or of some."""
        workers = [self.workers[number] for number in numbers] or self.workers
        alive = [worker for worker in workers if worker.poll() is None]
        below = [process for worker in alive for process in descendants(worker.pid)]
        return [process for process in below if "CoarseGrainedExecutorBackend" in command(process)]

    def working(self) -> list[int]:
        """The numbers of the workers that run."""
        return [number for number, worker in enumerate(self.workers) if worker.poll() is None]

    def python_workers(self) -> list[int]:
        """The Python processes that run tasks: what the daemons have forked."""
        below = [process for executor in self.executors() for process in descendants(executor)]
        return [process for process in below if "pyspark.daemon" in command(process)]

    def submit(self, job: str | Path, *flags: object, conf: dict[str, object] | None = None) -> "Submitted":
        """Start a job as a user would: spark-submit, client mode, with the packed environment."""
        return Submitted(self, job, flags, {"spark.archives": f"{ENVIRONMENT}#env"} | (conf or {}))

    def run(self, job: str | Path, *flags: object, conf: dict[str, object] | None = None) -> str:
        """Run a job to its end, which must be a good one; gives what it printed."""
        return self.submit(job, *flags, conf=conf).finish()

    def unpacked(self) -> Path:
        """The environment in a folder that all workers see: executors come up without unpacking theirs."""
        folder = self.folder / "env"
        if not folder.exists():
            with tarfile.open(ENVIRONMENT) as archive:
                archive.extractall(folder, filter="fully_trusted")
        return folder

    def environment(self) -> dict[str, str]:
        """That of a fresh login: nothing of the checkout, and a home of its own for caches."""
        kept = {
            name: os.environ[name] for name in ("JAVA_HOME", "LANG", "LD_LIBRARY_PATH") if name in os.environ
        }
        java = Path(shutil.which("java") or "/usr/bin/java").parent
        return kept | {
            "PATH": f"{java}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "SPARK_LOCAL_IP": HOST,
            "SPARK_HOME": str(_SPARK_HOME),
            "NO_ALBUMENTATIONS_UPDATE": "1",
        }

    def _start(
        self, name: str, main: str, *arguments: str, host: str = HOST
    ) -> tuple[subprocess.Popen[bytes], Path]:
        told = self.folder / f"{name}.log"
        with told.open("wb") as log:
            process = subprocess.Popen(
                [
                    _SPARK_HOME / "bin" / "spark-class",
                    f"org.apache.spark.deploy.{main}",
                    "--webui-port",
                    "0",
                    *arguments,
                ],
                cwd=self.folder,
                env=self.environment()
                | self._local
                | {"SPARK_DAEMON_MEMORY": "256m", "SPARK_LOCAL_IP": host},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return process, told


class Submitted:
    """A job under way on a cluster.

    Attributes:
        process: spark-submit, and the JVM of the driver.
        told: what it says on stderr.
    """

    def __init__(
        self, cluster: Standalone, job: str | Path, flags: tuple[object, ...], conf: dict[str, object]
    ) -> None:
        settings = {
            "spark.pyspark.driver.python": sys.executable,
            "spark.pyspark.python": "./env/bin/python",
            "spark.executor.memory": "1g",
            "spark.driver.memory": "1g",
        } | conf
        words: list[object] = [_SPARK_HOME / "bin" / "spark-submit", "--master", cluster.url]
        if archives := settings.pop("spark.archives"):
            words += ["--archives", archives]
        words += [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
        words += [ROOT / "jobs" / f"{job}.py" if isinstance(job, str) else job, *flags]
        folder = Path(tempfile.mkdtemp(prefix=f"{Path(job).stem}-", dir=cluster.folder))
        self.told, self._out = folder / "stderr", folder / "stdout"
        with self.told.open("wb") as told, self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [str(word) for word in words],
                cwd=cluster.folder,
                env=cluster.environment(),
                stdout=out,
                stderr=told,
                start_new_session=True,
            )

    def wait(self) -> tuple[int, str, str]:
        """The exit code, and what was printed to both streams."""
        try:
            self.process.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return self.process.returncode, self._out.read_text(), self.told.read_text()

    def finish(self) -> str:
        """Wait for a good end."""
        code, out, error = self.wait()
        assert code == 0, f"exit code {code}\n{out}\n{error[-4000:]}"
        return out

    def kill(self) -> None:
        """Kill the driver: its JVM and its Python at once."""
        _kill_group(self.process)

    def python(self) -> int:
        """The driver's Python, below its JVM."""
        return next(each for each in descendants(self.process.pid) if "/jobs/" in command(each))


def until(found: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """What a question gives as soon as that is something."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return answer


def kill(process: int) -> None:
    """SIGKILL, to a process that may have ended meanwhile."""
    send(process, signal.SIGKILL)


def freeze(processes: list[int]) -> list[int]:
    """Stop processes and all that they have started; gives those, for `thaw`."""
    frozen: list[int] = []
    below = processes
    while more := [each for each in below if each not in frozen]:
        for each in more:
            send(each, signal.SIGSTOP)
        frozen += more
        below = [each for process in processes for each in descendants(process)]
    return frozen


def thaw(frozen: list[int]) -> None:
    """Let frozen processes go on."""
    for process in frozen:
        send(process, signal.SIGCONT)


def send(process: int, what: signal.Signals) -> None:
    """A signal, to a process that may have ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, what)


def runs(process: int) -> bool:
    """Whether a process is there, and no mere zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command(process: int) -> str:
    """The command line of a process, "" when it is gone."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def descendants(process: int) -> list[int]:
    """The processes below a process, whatever session they are in."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
    found, last = [], {process}
    while last:
        last = {child for child, parent in parents.items() if parent in last}
        found += sorted(last)
    return found


def _kill_group(process: subprocess.Popen[Any]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
