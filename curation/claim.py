"""Claims: how a run comes to have its output folder, alone, and how what it wrote comes to be there.

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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from curation.errors import InputError
from curation.folders import discard, drop_if_empty, remove, take_over
from curation.lock import lock
from curation.record import RECORD, Identity, RunRecord, load_record, read_record, write_record

_ATTEMPT = "_attempt-"
_AMENDMENT = "_amend-"


class Attempt:
    """A claimed output folder, being filled.

    Attributes:
        output: the folder that the user named.
        folder: where the attempt writes until it publishes. What a killed attempt at the same run left is
            in it.
        scratch: a folder in it for what is not published.
        finished: the record of the same run, where it is done already.
        inherited: whether what a killed attempt left is still in the folder.
    """

    def __init__(self, output: Path, identity: Identity) -> None:
        self.output = output
        self.identity = identity
        self._token = uuid4().hex
        self.finished = load_record(output) if (output / RECORD).exists() else None
        _refuse_other_content(self)
        self.folder = output / f"{_attempt(identity)}0"
        if self.finished is None:
            self.folder = take_over(output, _attempt(identity))
        self.scratch = self.folder / "_scratch"
        self.inherited = self.finished is None and any(self.folder.iterdir())
        if self.inherited:
            self._sign()
        self._started = time.monotonic()

    def begin(self) -> None:
        """Empty the attempt's folder: what a killed attempt left is worth nothing."""
        shutil.rmtree(self.folder)
        self.scratch.mkdir(parents=True)
        self.inherited = False
        self._sign()

    def publish(
        self,
        *,
        rows: Mapping[str, int],
        dropped: Mapping[str, int],
        made: Mapping[str, Any],
        facts: Mapping[str, Any] | None = None,
    ) -> RunRecord:
        """Move what the attempt wrote into the output and seal it with the record.

        Raises:
            InputError: another driver has taken the output over, on a file system that does not lock.
        """
        if (self.output / RECORD).exists() or not self._is_ours():
            raise InputError(f"another run has taken over {self.output}; this one ends, and its work is lost")
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
        write_record(record)
        discard(self.folder)
        return record

    def _sign(self) -> None:
        """Tell the folder from one that Spark makes anew for a task when another driver has renamed it."""
        self._owner.write_text(self._token)

    def _is_ours(self) -> bool:
        return self._owner.exists() and self._owner.read_text() == self._token

    @property
    def _owner(self) -> Path:
        return self.folder / "_owner"


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
        write_record(record)
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
                if not attempt.inherited:  # hours of work: whatever is wrong now may be mended
                    discard(attempt.folder)
                raise
            finally:
                drop_if_empty(attempt.folder)
    finally:
        for path in new:
            drop_if_empty(path)


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
