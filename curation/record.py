"""Run records: what a folder was made from, and what came of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curation import io
from curation.errors import InputError

RECORD = "_run.json"


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
    record = load_record(folder)
    if record.job not in (job, *others):
        raise InputError(f"{folder} was made by jobs/{record.job}.py; give a folder made by jobs/{job}.py")
    return record


def load_record(folder: Path) -> RunRecord:
    """The record that lies in a folder, whatever job has made it.

    Raises:
        InputError: it is no record.
    """
    try:
        return RunRecord(**io.read_json(folder / RECORD), folder=folder)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{folder / RECORD} cannot be read ({error}); delete {folder} and run again"
        ) from error


def write_record(record: RunRecord) -> None:
    """Write a record into its folder, which readers take for whole from then on."""
    written = {name: value for name, value in asdict(record).items() if name not in ("folder", "fresh")}
    io.write_json(record.folder / RECORD, written)
