"""How a download goes while it goes: a line from what its tasks say."""

import time
from collections import Counter
from pathlib import Path

from curation import io

_COMMONEST = 2
_SUCCESS = "success"
_LOOK_SECONDS = 1.0
_LOOK_SHARE = 0.1
"""Of the time that is spent looking: thousands of tasks have as many reports, on a disk that all share."""


class Reports:
    """What the tasks of a download have said so far.

    Args:
        folder: of the reports.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = self._due = time.monotonic()
        self._line = ""

    def line(self) -> str:
        """Images a second, how many came, their bytes, the commonest errors; empty before there is any.

        As of a second ago at the most, or longer where looking takes long.
        """
        if (now := time.monotonic()) >= self._due:
            self._line = self._look()
            looked = time.monotonic()
            self._due = looked + max(_LOOK_SECONDS, (looked - now) / _LOOK_SHARE)
        return self._line

    def _look(self) -> str:
        ends: Counter[str] = Counter()
        size_bytes = 0
        for path in self._folder.glob("[0-9]*.json"):
            try:
                report = io.read_json(path)
            except (OSError, ValueError):
                continue  # gone, or of a file system that shows it late
            ends.update(report["ends"])
            size_bytes += report["bytes"]
        images = ends.total()
        if not images:
            return ""
        seconds = time.monotonic() - self._started
        errors = [f"{error} {n / images:.1%}" for error, n in ends.most_common() if error != _SUCCESS]
        return "  ".join(
            [
                f"{images / seconds:,.0f} images/s",
                f"{ends[_SUCCESS] / images:.1%} came",
                f"{size_bytes / 1e6:,.0f} MB",
                *errors[:_COMMONEST],
            ]
        )
