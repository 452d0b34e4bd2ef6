"""Compiles all kernels, where an environment is made: `python -m curation.core.ready`.

What is compiled lies beside the sources then, and goes where they go.
"""

import numpy as np
import pyarrow as pa

from curation.core.expectation import Expectation
from curation.core.matcher import Matcher


def compile_kernels() -> None:
    """Call each kernel once, with the types that it gets at work."""
    entry_ids = Matcher(["a"]).match(pa.array(["a"]))
    Expectation(np.ones(1, np.int64), np.zeros(1, np.int32), np.ones((1, 1))).add(entry_ids)


if __name__ == "__main__":
    compile_kernels()
