"""What is asked of Spark, for a laptop and for a cluster."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.sizing import MIB, Sizing, memory_overhead

GIB = 1024 * MIB


@pytest.mark.parametrize(
    ("input_bytes", "cores", "read_bytes", "shuffle_partitions"),
    [
        (0, 1, 16 * MIB, 2),
        (5 * MIB, 2, 16 * MIB, 4),  # a laptop's trial: Spark joins what is too small
        (6 * GIB, 16, 128 * MIB, 72),  # three tasks a core
        (240 * GIB, 16, 512 * MIB, 2880),  # more tasks, rather than larger ones
        (240 * GIB, 1000, 82 * MIB, 2880),
        (GIB, 1000, 16 * MIB, 2000),  # more cores than there is work for
        (100_000 * GIB, 4000, 512 * MIB, 50_000),  # as many as a driver bears
    ],
)
def test_tasks_are_neither_too_small_nor_too_large(input_bytes, cores, read_bytes, shuffle_partitions):
    sizing = Sizing(input_bytes=input_bytes, cores=cores)
    assert sizing.read_bytes == pytest.approx(read_bytes, abs=MIB)
    assert sizing.settings() == {
        "spark.sql.files.maxPartitionBytes": str(sizing.read_bytes),
        "spark.sql.shuffle.partitions": str(shuffle_partitions),
    }


@given(st.integers(0, 2**50), st.integers(1, 10**5))
def test_every_core_has_work_where_there_is_enough(input_bytes, cores):
    sizing = Sizing(input_bytes=input_bytes, cores=cores)
    tasks = -(-input_bytes // sizing.read_bytes)
    assert tasks >= min(3 * cores, input_bytes // (16 * MIB)) - 1
    assert sizing.shuffle_partitions >= min(2 * cores, 50_000)
    assert 3 * input_bytes <= sizing.shuffle_partitions * 256 * MIB or sizing.shuffle_partitions == 50_000
    assert (
        Sizing(input_bytes=2 * input_bytes, cores=cores).shuffle_partitions <= 2 * sizing.shuffle_partitions
    )


def test_what_is_said():
    told = "6,144 MiB to read on 16 cores: up to 128 MiB a task, shuffles in 72 partitions"
    assert str(Sizing(input_bytes=6 * GIB, cores=16)) == told


def test_the_memory_of_python_beside_the_heap():
    assert memory_overhead("extract", cores=1, heap_mib=1024) == "684m"
    assert memory_overhead("match", cores=4, heap_mib=20 * 1024) == f"{2048 + 4 * 450}m"
