"""Run records: what a folder was made from, and the protocol by which it comes to be there.

A run claims its output folder, writes its tables under an attempt's own name, and publishes them when
all are complete, `_run.json` last. So a folder with `_run.json` is whole, one without it is not there
as far as readers go, and the same run asked for again finds its `run_id` and has nothing to do.

A driver may die while its tasks live on for a while and write. So each attempt has a folder of a name of
its own: the next one takes what is there over by a rename, and whoever still writes under the old name
writes where nobody reads. That holds without the lock too, which is for telling two drivers apart early.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from curation import io
from curation.errors import InputError
from curation.folders import discard, drop_if_empty, remove, take_over
from curation.lock import lock

RECORD = "_run.json"
_ATTEMPT = "_attempt-"
_AMENDMENT = "_amend-"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What decides the rows of a run.

    Attributes:
        job: name of the step.
        semantics: version of what the step means; raised when the same input would give other rows.
        config: settings that affect rows, by name.
        inputs: what was read: `run_id`s, checksums, or path, size and time of raw files.
    """

    job: str
    semantics: int
    config: Mapping[str, Any]
    inputs: Sequence[Any]

    @property
    def run_id(self) -> str:
        """sha256 of the identity, in hex."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The content of `_run.json`.

    Attributes:
        job: name of the step.
        run_id: of the identity; everything after `inputs` is not part of it.
        semantics: see `Identity`.
        config: see `Identity`.
        inputs: see `Identity`.
        rows: rows by table or kind, `in` and `out` among them.
        dropped: rows that did not get through, by reason; `in` - `out` is their sum.
        facts: what later steps and readers want to know of this one.
        seconds: time the run took.
        made: when, by what, on what.
        folder: where the record lies (not written).
        fresh: whether this call made it, rather than having found it (not written).
    """

    job: str
    run_id: str
    semantics: int
    config: Mapping[str, Any]
    inputs: Sequence[Any]
    rows: Mapping[str, int]
    dropped: Mapping[str, int]
    facts: Mapping[str, Any]
    seconds: float
    made: Mapping[str, Any]
    folder: Path = field(compare=False)
    fresh: bool = field(compare=False, default=False)


def read_record(folder: Path, job: str, *others: str) -> RunRecord:
    """Read the record of a finished run.

    Args:
        folder: a run's output.
        job: the step that makes what is wanted.
        others: steps whose output will do.

    Raises:
        InputError: there is no finished run, or it is one of another job.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist; make it with jobs/{job}.py --output {folder}")
    if not (folder / RECORD).is_file():
        raise InputError(
            f"{folder} holds no finished run ({RECORD} is missing); "
            f"make it with jobs/{job}.py --output {folder}"
        )
    record = _load(folder)
    if record.job not in (job, *others):
        raise InputError(f"{folder} was made by jobs/{record.job}.py; give a folder made by jobs/{job}.py")
    return record


def _load(folder: Path) -> RunRecord:
    try:
        return RunRecord(**io.read_json(folder / RECORD), folder=folder)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{folder / RECORD} cannot be read ({error}); delete {folder} and run again"
        ) from error


class Attempt:
    """A claimed output folder, being filled.

    Attributes:
        output: the folder that the user named.
        folder: where the attempt writes until it publishes. What a killed attempt at the same run left is
            in it.
        scratch: a folder in it for what is not published.
        finished: the record of the same run, where it is done already.
    """

    def __init__(self, output: Path, identity: Identity) -> None:
        self.output = output
        self.identity = identity
        self.finished = _load(output) if (output / RECORD).exists() else None
        _refuse_other_content(self)
        self.folder = output / f"{_attempt(identity)}0"
        if self.finished is None:
            self.folder = take_over(output, _attempt(identity))
        self.scratch = self.folder / "_scratch"
        self._started = time.monotonic()

    def begin(self) -> None:
        """Empty the attempt's folder: what a killed attempt left is worth nothing."""
        shutil.rmtree(self.folder)
        self.scratch.mkdir(parents=True)

    def publish(
        self,
        *,
        rows: Mapping[str, int],
        dropped: Mapping[str, int],
        made: Mapping[str, Any],
        facts: Mapping[str, Any] | None = None,
    ) -> RunRecord:
        """Move what the attempt wrote into the output and seal it with the record."""
        for path in sorted(self.folder.iterdir()):
            if path.name.startswith("_"):
                continue  # scratch, and what a killed worker left of a file
            target = self.output / path.name
            remove(target)  # left by an attempt that was killed while publishing
            path.rename(target)
            # Of a task that was told to stop when another had done its work, and had to open its file first.
            shutil.rmtree(target / "_temporary", ignore_errors=True)
        record = RunRecord(
            **asdict(self.identity),
            run_id=self.identity.run_id,
            rows=dict(rows),
            dropped={reason: n for reason, n in sorted(dropped.items()) if n},
            facts=dict(facts or {}),
            seconds=round(time.monotonic() - self._started, 3),
            made=dict(made),
            folder=self.output,
            fresh=True,
        )
        _write(record)
        discard(self.folder)
        return record


class Amendment:
    """A finished run's folder, being changed.

    Attributes:
        record: of the run, as it was before.
        folder: for what a stopped amendment wants to find again; it is there until the change is saved.
    """

    def __init__(self, record: RunRecord) -> None:
        # Named after the record: what is left of a change that the record knows of is not taken up again.
        state = hashlib.sha256((record.folder / RECORD).read_bytes()).hexdigest()[:12]
        self.record = record
        self.folder = take_over(record.folder, f"{_AMENDMENT}{state}-")

    def save(
        self, *, rows: Mapping[str, int], dropped: Mapping[str, int], facts: Mapping[str, Any]
    ) -> RunRecord:
        """Write the record anew, whole, and let go of the folder."""
        record = replace(
            self.record,
            rows=dict(rows),
            dropped={reason: n for reason, n in sorted(dropped.items()) if n},
            facts=dict(facts),
            fresh=True,
        )
        _write(record)
        discard(self.folder)
        return record


@contextmanager
def amend(output: Path, job: str) -> Iterator[Amendment]:
    """Claim the folder of a finished run, alone, to change what is in it.

    Args:
        output: the run's folder.
        job: the step that must have made it.

    Raises:
        InputError: there is no finished run of that job, or another driver is at work on it.
    """
    read_record(output, job)  # before a lock is left in a folder that is none of ours
    with lock(output):
        amendment = Amendment(read_record(output, job))
        for left in set(output.glob(f"{_AMENDMENT}*")) - {amendment.folder}:
            discard(left)
        try:
            yield amendment
        finally:
            drop_if_empty(amendment.folder)


@contextmanager
def claim(output: Path, identity: Identity) -> Iterator[Attempt]:
    """Claim an output folder for one run, alone.

    Raises:
        InputError: another driver is at work on it; it holds another run's output; or it holds files that
            no run explains.
    """
    new = [path for path in (output, *output.parents) if not path.exists()]
    try:
        with lock(output):
            attempt = Attempt(output, identity)
            try:
                yield attempt
            except InputError:
                discard(attempt.folder)
                raise
            finally:
                drop_if_empty(attempt.folder)
    finally:
        for path in new:
            drop_if_empty(path)


def _write(record: RunRecord) -> None:
    written = {name: value for name, value in asdict(record).items() if name not in ("folder", "fresh")}
    io.write_json(record.folder / RECORD, written)


def _attempt(identity: Identity) -> str:
    """How the names of the folders of all attempts at one run begin; a number follows."""
    return f"{_ATTEMPT}{identity.job}-{identity.run_id[:12]}-"


def _refuse_other_content(attempt: Attempt) -> None:
    output, identity = attempt.output, attempt.identity
    advice = "name another --output, or delete it"
    if attempt.finished is not None:
        if attempt.finished.run_id != identity.run_id:
            raise InputError(f"{output} holds {_difference(attempt.finished, identity)}; {advice}")
        for left in output.glob(f"{_ATTEMPT}*"):
            discard(left)  # killed between the record and its last step, or a task has outlived its driver
        return
    attempts = {path for path in output.glob(f"{_ATTEMPT}*") if not drop_if_empty(path)}
    if attempts - set(output.glob(f"{_attempt(identity)}*")):
        raise InputError(f"{output} holds an unfinished run with other settings or inputs; {advice}")
    strangers = sorted(path.name for path in output.iterdir() if not path.name.startswith("_"))
    if strangers and not attempts:
        raise InputError(f"{output} holds files of no run, such as {strangers[0]}; {advice}")


def _difference(record: RunRecord, identity: Identity) -> str:
    if record.job != identity.job:
        return f"the output of jobs/{record.job}.py"
    theirs, ours = dict(record.config), json.loads(json.dumps(dict(identity.config)))
    for name in sorted(theirs.keys() | ours.keys()):
        if theirs.get(name) != ours.get(name):
            return f"a run with {name} = {theirs.get(name)} (now {ours.get(name)})"
    return "a run on other or older inputs"
