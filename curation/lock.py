"""A folder's lock: of two drivers on one output, the later is refused.

It is a `flock`. Local disks have it; so have NFS from version 4 on (and 3 with lockd), Lustre mounted with
`flock`, CephFS, GPFS and BeeGFS with locks turned on, between machines too. Lustre with `localflock` and NFS
with `nolock` lock within one machine alone. Where the lock does not tell, renames do (`curation.claim`):
the later driver takes the folder over, and the earlier one ends with an error.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from curation.errors import InputError

_LOCK = "_lock"
_logger = logging.getLogger("curation")


@contextmanager
def lock(output: Path) -> Iterator[None]:
    """Hold the folder's lock; the kernel lets go of it when the process ends, however it ends.

    Raises:
        InputError: another driver holds it.
    """
    output.mkdir(parents=True, exist_ok=True)
    path = output / _LOCK
    handle = _acquire(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        handle.close()


def _acquire(path: Path) -> IO[str]:
    while True:
        handle = path.open("w", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            handle.close()
            raise InputError(
                f"another run is at work on {path.parent}; wait for it or name another --output"
            ) from error
        except OSError as error:
            _logger.warning(
                "%s cannot be locked (%s): see to it that no other run writes there", path.parent, error
            )
        # Whoever held the lock may have unlinked the file between our open and our lock.
        if path.exists() and os.fstat(handle.fileno()).st_ino == path.stat().st_ino:
            return handle
        handle.close()
