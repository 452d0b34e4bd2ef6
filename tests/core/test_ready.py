"""Kernels compiled where an environment is made, in processes and folders of their own."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import curation

KERNELS = 3

AT_WORK = """
import numpy as np, pyarrow as pa
from curation.core import word_trie
from curation.core.expectation import Expectation
from curation.core.matcher import Matcher
print(word_trie.__file__)
found = Matcher(["cat", "hot dog"]).match(pa.array(["a hot dog"]))
expected = Expectation(np.array([5, 7]), np.zeros(2, np.int32), np.array([[2.0, 3.0]]))
expected.add(found)
print(found.to_pylist(), *(expected.sums[0] / 2**32).round(3))
"""


def told(path, *arguments):
    """What a process that sees only this copy of the library, and no home, tells of its cache."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    env |= {"PYTHONPATH": str(path), "HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}
    env["NUMBA_DEBUG_CACHE"] = "1"
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=env, cwd=path, capture_output=True, text=True, check=True).stdout


def at_work(path):
    said = told(path, "-c", AT_WORK)
    assert str(path) in said
    assert said.endswith("[[1]] 0.286 0.429\n")
    return said


def unpack(archive, folder):
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


def test_what_is_made_ready_travels_in_an_archive_and_nothing_is_compiled_there(tmp_path):
    """As in `spark-submit --archives`: unpacked elsewhere, with other times, where there is no home."""
    archive = tmp_path / "library.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(Path(curation.__file__).parent, "curation", filter=without_cache)
    built = unpack(archive, tmp_path / "built")
    assert told(built, "-m", "curation.core.ready").count("data saved") == KERNELS
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(built / "curation", "curation", filter=with_other_times)
    said = at_work(unpack(archive, tmp_path / "elsewhere"))
    assert said.count("data loaded") == KERNELS
    assert "data saved" not in said


def test_without_a_folder_for_compiled_code_it_is_compiled_each_time(tmp_path):
    archive = tmp_path / "library.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(Path(curation.__file__).parent, "curation", filter=without_cache)
    copy = unpack(archive, tmp_path / "copy")
    (copy / "curation" / "core" / "__pycache__").write_text("no folder")
    assert "[cache]" not in at_work(copy)


def without_cache(member):
    return None if "__pycache__" in member.name else member


def with_other_times(member):
    member.mtime = 1_000_000_000
    return member
