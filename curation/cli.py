"""The command line that all jobs share: flags from a configuration class, one line for an error."""

import errno
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console, RenderableType

from curation import io
from curation.errors import InputError
from curation.log import log_file, logger
from curation.record import RunRecord
from curation.report.inert import inert
from curation.report.summary import summarise

if TYPE_CHECKING:
    from curation.spark import Session

Run = Callable[["Session", Any], list[RunRecord]]

Tell = Callable[[Sequence[RunRecord], Path], RenderableType]

LOG = "_log"

_NO_SPACE = "No space left on device"
_NO_JVM = ("Py4JNetworkError", "Py4JError")  # names, for what needs no Spark starts without it
_AGAIN = "run the same command again, and what is finished is kept"

_TRAIN = ("torch", "torchvision", "open_clip", "safetensors")  # modules that the extra brings


def main(run: Run, config_class: type[Any], tell: Tell = summarise) -> None:
    """Run a job from `sys.argv` and exit: 0 done, 1 failed, 2 not usable as given, 130 interrupted.

    Args:
        run: the step; takes a session and a configuration, gives the records of what it made.
        config_class: class of the configuration; its fields are the flags, its docstring the help.
        tell: makes what is printed at the end from the records and the path of the log.
    """

    def job(config: Any, master: str | None = None) -> int:
        return _run(run, config, master, tell)

    job.__annotations__["master"] = Annotated[
        str | None,
        Parameter(help="Spark master, such as local[4]; overriding spark-submit's; local[*] by default."),
    ]
    _call(job, config_class)


def answer(question: Callable[[Any], RenderableType | None], config_class: type[Any]) -> None:
    """Run a job that needs no Spark, and exit as `main` does.

    Args:
        question: takes a configuration, gives what is printed, if anything is.
        config_class: as for `main`.
    """

    def job(config: Any) -> int:
        try:
            told = question(config)
        except KeyboardInterrupt:
            return _interrupted()
        if told is not None:
            Console().print(told)
        return 0

    _call(job, config_class)


def later(run: str, tell: str) -> Callable[[Any], RenderableType | None]:
    """A question that imports what answers it when it is asked: --help is quick, and needs no extra.

    Args:
        run: `module:function`, takes a configuration; what it gives is told, unless that is None.
        tell: `module:function`, makes of that what is printed.
    """

    def question(config: Any) -> RenderableType | None:
        found = _imported(run)(config)
        return None if found is None else _imported(tell)(found)

    return question


def _imported(name: str) -> Callable[[Any], Any]:
    module, _, function = name.partition(":")
    imported: Callable[[Any], Any] = getattr(import_module(module), function)
    return imported


def _call(job: Callable[..., int], config_class: type[Any]) -> None:
    app = App(
        name=_name(),
        help=config_class.__doc__,
        version_flags=(),
        default_parameter=Parameter(consume_multiple=True, negative=()),
        result_action="return_value",
    )
    job.__annotations__["config"] = Annotated[config_class, Parameter(name="*")]
    app.default(job)
    try:
        _refuse_unknown_flags(app)
        _refuse_fractions(app)
        sys.exit(app(sys.argv[1:], exit_on_error=False, print_error=False))
    except CycloptsError as error:
        _complain(f"{error} See --help.")
        sys.exit(2)
    except InputError as error:
        _complain(str(error))
        sys.exit(2)
    except ModuleNotFoundError as error:
        if error.name not in _TRAIN:
            raise
        _complain(f"{error.name} is not installed; make trainer brings it, or pip install 'curation[train]'")
        sys.exit(2)
    except Exception as error:  # noqa: BLE001 (the last resort of what writes no log)
        if isinstance(error, OSError) and error.filename and error.errno != errno.ENOSPC:
            _complain(f"{error.filename}: {error.strerror}")
            sys.exit(2)
        with tempfile.NamedTemporaryFile("w", prefix="curation-", suffix=".log", delete=False) as log:
            traceback.print_exc(file=log)
        place = Path(getattr(error, "filename", None) or Path.cwd())
        _complain(f"{_gist(error, place)} (all of it in {log.name})")
        sys.exit(1)


def _name() -> str:
    """What the user has typed: `match.py`, or `-m curation.demo`."""
    path = Path(sys.argv[0])
    return f"-m curation.{path.parent.name}" if path.name == "__main__.py" else path.name


def _refuse_unknown_flags(app: App) -> None:
    """Name a mistyped flag: the parser would rather complain of the required one that it stood for."""
    known = {name for argument in app.assemble_argument_collection() for name in argument.names}
    known.update(app.help_flags)
    for flag in (token.split("=")[0] for token in sys.argv[1:] if token.startswith("--")):
        if flag not in known:
            raise InputError(f"Unknown flag {flag}. See --help.")


def _refuse_fractions(app: App) -> None:
    """Name a number that should be whole: the parser would round it."""
    arguments = app.assemble_argument_collection()
    whole = {
        name
        for argument in arguments
        if int in (argument.hint, *get_args(argument.hint))
        for name in argument.names
    }
    flag = ""
    for word in sys.argv[1:]:
        if word.startswith("--"):
            flag, _, word = word.partition("=")
        if flag in whole and _is_fraction(word):
            raise InputError(f"{flag} {word}: it must be a whole number. See --help.")


def _is_fraction(word: str) -> bool:
    try:
        return isfinite(number := float(word)) and not number.is_integer()
    except ValueError:
        return False  # the parser says what it is


def _run(run: Run, config: Any, master: str | None, tell: Tell) -> int:
    from curation.spark import Session  # jobs without Spark start without it

    log = io.local_folder(config.output, "--output") / LOG
    with _log_of_a_run(log):
        session = Session(run.__name__, master=master, log=log)
        try:
            records = run(session, config)
        except InputError as error:
            logger.error("%s", error)
            raise
        except KeyboardInterrupt:
            return _interrupted()
        except Exception as error:  # noqa: BLE001 (the last resort: whatever it is, the log has it)
            gist = _gist(error, log.parent)
            logger.exception("%s", gist)
            _complain(f"{gist} (all of it in {log})")
            return 1
        finally:
            _stop(session)
    Console().print(tell(records, log))
    return 0


@contextmanager
def _log_of_a_run(log: Path) -> Iterator[None]:
    """Log to a file in the output folder; a run that could not begin leaves neither behind."""
    folder_existed, log_existed = log.parent.exists(), log.exists()
    try:
        with log_file(log):
            yield
    except InputError:
        if not log_existed:
            log.unlink()
        if not folder_existed and not any(log.parent.iterdir()):
            log.parent.rmdir()
        raise


def _stop(session: "Session") -> None:
    try:
        session.stop()
    except Exception:  # noqa: BLE001 - its JVM was killed; the run's own end says so
        logger.exception("Spark did not stop")


def _gist(error: Exception, output: Path) -> str:
    """The line that says what happened: of a worker's traceback the last, else the first."""
    text = str(error)
    if _NO_SPACE in text:
        return f"{_NO_SPACE}: {_full_disk(text, output)}; make room and {_AGAIN}"
    if isinstance(error, ConnectionError) or type(error).__name__ in _NO_JVM:
        return f"Spark's JVM has ended, or was killed, perhaps for want of memory; {_AGAIN}"
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    raised = [line for line in lines if re.match(r"(: )?(\w+\.)*\w+(Error|Exception): ", line)]
    return f"{type(error).__name__}: {(raised or lines[:1])[-1].removeprefix(': ')[:300]}"


def _full_disk(text: str, output: Path) -> str:
    """Which disk it is: the messages do not say, but the traceback tells who was writing."""
    if not re.search(r"ShuffleMapTask|[Ss]pill|DiskStore|DiskBlock|draft\.py", text):
        return f"the disk of {output} is full"
    host = re.search(r"\((\S+) executor \w+\)", text)
    return f"the disk for what is passing (spark.local.dir, TMPDIR) is full{f' on {host[1]}' if host else ''}"


def _interrupted() -> int:
    _complain(f"interrupted; {_AGAIN}")
    return 130


def _complain(message: str) -> None:
    sys.stderr.write(f"error: {inert(message)}\n")
