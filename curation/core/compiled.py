"""Compiling with numba, for loops over millions of rows that numpy has no word for."""

import contextlib
from collections.abc import Callable
from functools import cache, wraps
from typing import Any


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function when it is first called, and keep the machine code for other processes.

    Only then is numba loaded, which takes a third of a second and 200 MB.

    numba keeps the code in `__pycache__` beside the source, keyed on that file's content and on the
    processor, so that it travels in an archive of the environment; else in the user's cache folder; and
    where neither can be written, every process compiles for itself. `NUMBA_CACHE_DIR` overrides. The
    content of other files is not in the key, so what is inlined must be in the same file.
    """

    @cache
    def dispatcher() -> Callable[..., Any]:
        import numba

        made: Any = numba.njit(function)
        with contextlib.suppress(RuntimeError):  # no folder can be written
            made.enable_caching()
        return made  # type: ignore[no-any-return]

    @wraps(function)
    def call(*arguments: Any) -> Any:
        return dispatcher()(*arguments)

    return call
