"""The peak memory of a local Spark session, by looking at /proc while it works."""

import os
import threading
from pathlib import Path
from types import TracebackType

_EVERY_SECONDS = 0.2
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Looks while a block runs.

    Attributes:
        jvm: most resident bytes of the JVM, which in local mode is driver and executor.
        workers: most resident bytes of its Python workers together; pages that they share count for each.
    """

    def __init__(self) -> None:
        self.jvm = self.workers = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            processes = _processes()
            below = _below(os.getpid(), processes)
            self.jvm = max(self.jvm, sum(processes[pid][2] for pid in below if processes[pid][0] == "java"))
            python = [pid for pid in below if processes[pid][0].startswith("python")]
            self.workers = max(self.workers, sum(processes[pid][2] for pid in python))


def _processes() -> dict[int, tuple[str, int, int]]:
    """Name, parent and resident bytes of each process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            front, _, rest = path.read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue  # gone meanwhile
        fields = rest.split()
        found[int(path.parent.name)] = (front.partition("(")[2], int(fields[1]), int(fields[21]) * _PAGE)
    return found


def _below(ancestor: int, processes: dict[int, tuple[str, int, int]]) -> set[int]:
    """The descendants of a process."""
    found: set[int] = set()
    level = {ancestor}
    while level:
        level = {pid for pid, (_, parent, _) in processes.items() if parent in level}
        found |= level
    return found
