"""What a step asks of Spark: from the size of what it reads, and the cores that are there."""

from dataclasses import dataclass

MIB = 2**20

_TASKS_A_CORE = 3
"""So that a slow task is not all that a step waits for."""
_READ_BYTES = (16 * MIB, 512 * MIB)
"""Of Parquet that a task reads, and with that of the files that it writes: not so small that there are a
million of them, not so large that a lost one is much work."""
_SHUFFLED = 3
"""Bytes that a shuffle moves for each byte of Parquet: rows are not packed as well as columns."""
_SHUFFLE_BYTES = 256 * MIB
"""Of a partition of a shuffle, which is sorted in the memory of a core."""
_MOST_PARTITIONS = 50_000
"""Of a shuffle: each costs the driver a task, and a block of each task before; larger ones are spilled."""
_PYTHON_MIB = {"match": 450, "balance": 350, "download": 700, "curate": 700}
"""Memory of the Python processes of a core, where a job needs more than 300."""
_OVERHEAD_MIB, _OVERHEAD_SHARE = 384, 0.1
"""Spark's own, for the JVM."""


@dataclass(frozen=True)
class Sizing:
    """Settings for a step.

    Attributes:
        input_bytes: of Parquet.
        cores: of the cluster.
    """

    input_bytes: int
    cores: int

    @property
    def read_bytes(self) -> int:
        """Parquet that a task reads, at the most."""
        smallest, largest = _READ_BYTES
        return min(max(-(-self.input_bytes // (_TASKS_A_CORE * self.cores)), smallest), largest)

    @property
    def shuffle_partitions(self) -> int:
        """Partitions of a shuffle of all rows; Spark joins small ones by itself."""
        wanted = max(2 * self.cores, -(-self.input_bytes * _SHUFFLED // _SHUFFLE_BYTES))
        return min(wanted, _MOST_PARTITIONS)

    def settings(self) -> dict[str, str]:
        """As Spark names them."""
        return {
            "spark.sql.files.maxPartitionBytes": str(self.read_bytes),
            "spark.sql.shuffle.partitions": str(self.shuffle_partitions),
        }

    def __str__(self) -> str:
        return (
            f"{self.input_bytes / MIB:,.0f} MiB to read on {self.cores:,} cores: up to "
            f"{self.read_bytes / MIB:,.0f} MiB a task, shuffles in {self.shuffle_partitions:,} partitions"
        )


def memory_overhead(job: str, *, cores: int, heap_mib: int) -> str:
    """What an executor needs beside its heap, for YARN and Kubernetes, which kill what takes more.

    Args:
        job: whose Python processes there will be.
        cores: of an executor.
        heap_mib: of its JVM.

    Returns:
        A value for `spark.executor.memoryOverhead`.
    """
    of_jvm = max(_OVERHEAD_MIB, int(heap_mib * _OVERHEAD_SHARE))
    return f"{of_jvm + cores * _PYTHON_MIB.get(job, 300)}m"
