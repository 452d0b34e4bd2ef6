"""What a run left behind, read without Spark: records and tables that the vocabulary bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curation import io
from curation.core.lists import ENGLISH
from curation.errors import InputError
from curation.record import RECORD, RunRecord, read_record

STEPS = {"pool": "extract", "matches": "match", "curated": "balance", "shards": "download"}
"""The folders of a run, in their order, and the jobs that make them."""


@dataclass(frozen=True)
class Run:
    """A folder with the outputs of the steps, as `jobs/curate.py` leaves it, or what was copied of it.

    Everything is read when it is first asked for. Pairs are never read: who copies a run may leave them out,
    and the shards as well.

    Attributes:
        folder: with `pool`, `matches`, `curated`, `shards` in it, or some of them.
    """

    folder: Path

    @classmethod
    def open(cls, work: str) -> "Run":
        """Look into a folder.

        Args:
            work: its path.

        Raises:
            InputError: there is no such folder, or no finished step in it.
        """
        run = cls(io.local_folder(work, "WORK"))
        if not run.folder.is_dir():
            raise InputError(f"{run.folder} does not exist; name the folder of a run, such as demo/work")
        if not run.records():
            raise InputError(
                f"{run.folder} holds no finished step; name the folder that has {', '.join(STEPS)} in it"
            )
        return run

    @cached_property
    def pool(self) -> RunRecord | None:
        """The record of extract; None if there is none."""
        return self._record("pool")

    @cached_property
    def matches(self) -> RunRecord | None:
        """The record of match; None if there is none."""
        return self._record("matches")

    @cached_property
    def curated(self) -> RunRecord | None:
        """The record of balance; None if there is none."""
        return self._record("curated")

    @cached_property
    def shards(self) -> RunRecord | None:
        """The record of download; None if there is none."""
        return self._record("shards")

    def records(self) -> list[RunRecord]:
        """The records that there are, in the order of the steps."""
        found = [getattr(self, step) for step in STEPS]
        return [record for record in found if record is not None]

    def need(self, step: str) -> RunRecord:
        """The record of a step.

        Args:
            step: one of `STEPS`.

        Raises:
            InputError: it is not there.
        """
        record: RunRecord | None = getattr(self, step)
        return record if record is not None else read_record(self.folder / step, STEPS[step])

    def counts(self) -> pa.Table:
        """Columns of `CURATED_COUNTS`, in id order; of `MATCH_COUNTS` where nothing is balanced yet.

        Raises:
            InputError: neither is there.
        """
        return self._table("matches" if self.curated is None else "curated", "counts")

    def vocabulary(self) -> pa.Table:
        """Columns of `ENTRIES`, in id order: the vocabulary that the matches index.

        Raises:
            InputError: it is not there.
        """
        return self._table("matches", "vocabulary")

    def size_curve(self) -> pa.Table:
        """Columns of `SIZE_CURVE`.

        Raises:
            InputError: it is not there.
        """
        return self._table("curated", "size_curve")

    def duplicates(self) -> pa.Table:
        """Columns of `DUPLICATES`; the one table here that grows with the images.

        Raises:
            InputError: it is not there.
        """
        return self._table("shards", "duplicates")

    def profile(self, step: str) -> pa.Table:
        """What a step's rows are like: columns of `PROFILE`.

        Args:
            step: one of `STEPS`.

        Raises:
            InputError: the step is not there, or is older than profiles.
        """
        record = self.need(step)
        if not (record.folder / "profile").is_dir():
            raise InputError(
                f"{record.folder} was made before profiles were written, or was copied without profile/; "
                f"run jobs/{record.job}.py again into a new folder to have one"
            )
        return self._table(step, "profile")

    def profiles(self) -> dict[str, pa.Table]:
        """The profiles of the pairs, by step, of the steps that have one.

        Raises:
            InputError: no step has one.
        """
        found = {}
        for step in ("pool", "matches", "curated"):
            if (self.folder / step / "profile").is_dir() and getattr(self, step) is not None:
                found[step] = self.profile(step)
        if not found:
            raise InputError(
                f"{self.folder} was made before profiles were written, or was copied without them; run the "
                "steps again into a new folder to have them"
            )
        return found

    def t(self) -> Mapping[str, float]:
        """The t of each list; empty where nothing is balanced yet."""
        return {} if self.curated is None else dict(self.curated.facts["t"])

    def _record(self, step: str) -> RunRecord | None:
        folder = self.folder / step
        return read_record(folder, STEPS[step]) if (folder / RECORD).is_file() else None

    def _table(self, step: str, name: str) -> pa.Table:
        folder = self.need(step).folder / name
        if not folder.is_dir() or not any(folder.glob("*.parquet")):
            raise InputError(f"{folder} is missing; copy it too, it is small")
        return io.read_table(folder)


def languages_of(counts: pa.Table) -> list[str]:
    """The lists of a vocabulary: English first, as the one that t is of, then by matches.

    Args:
        counts: columns of `MATCH_COUNTS`.
    """
    sums = counts.group_by("language").aggregate([("count", "sum")]).to_pylist()
    ordered = sorted(sums, key=lambda row: (row["language"] != ENGLISH, -row["count_sum"], row["language"]))
    return [row["language"] for row in ordered]


def of_language(table: pa.Table, language: str) -> pa.Table:
    """The rows of one list."""
    return table.filter(pc.equal(table["language"], language))
