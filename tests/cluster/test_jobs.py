"""Every job on a cluster, with what `make dist` made, as in local mode."""

import json
import re

import pytest

from curation.demo.__main__ import VOCABULARY
from tests.cluster.conftest import FOLDERS, T, assert_same
from tests.conftest import ROOT

PROBE = ROOT / "tests" / "cluster" / "probe.py"
JOBS = tuple(FOLDERS)
CHAIN = ("pool", "matches", "curated", "shards")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.mark.short
def test_the_chain_comes_to_the_same_as_in_local_mode(cluster, material, tmp_path):
    flags = ["--input", *material.wats, "--vocabulary", VOCABULARY, "--t", T, "--output", tmp_path]
    cluster.run("curate", *flags, *material.download_flags())
    for name in CHAIN:
        assert_same(tmp_path / name, material.local / name)


def test_workers_take_all_from_the_archive_and_nothing_from_the_checkout(cluster):
    out = cluster.run(PROBE)
    told = [json.loads(line) for line in re.findall(r"^told: (.*)$", out, re.MULTILINE)]
    assert len(told) == 2
    for worker in told:
        ours = [path for path in worker["files"] if "/curation/" in path]
        assert len(ours) > 5
        assert all(path.startswith(f"{cluster.folder}/worker-") and "/env/lib/" in path for path in ours)
        assert [
            path for path in worker["files"] + worker["path"] if path.startswith(f"{ROOT}/curation")
        ] == []
        assert str(ROOT) not in worker["path"]
        assert not [line for line in worker["cache"] if "data saved" in line]
        loaded = [line for line in worker["cache"] if "data loaded" in line]
        assert len(loaded) == 3
        assert all(f"from '{cluster.folder}/worker-" in line for line in loaded)


@pytest.mark.parametrize("job", JOBS)
def test_a_job_comes_to_the_same_as_in_local_mode(cluster, material, work, job):
    cluster.run(job, *material.flags(job, work))
    assert_same(work / FOLDERS[job], material.local / FOLDERS[job])
    record = json.loads((work / FOLDERS[job] / "_run.json").read_text())
    assert record["made"]["spark_settings"]["spark.master"] == cluster.url


def test_a_step_says_how_it_is_cut_and_what_the_user_has_set_stays(cluster, material, tmp_path):
    mine = {"spark.sql.shuffle.partitions": 5, "spark.cores.max": 1}
    out = cluster.run("match", *material.flags("match", tmp_path), conf=mine)
    assert re.search(r"match: 0 MiB to read on 1 cores: up to 16 MiB a task", out)
    assert "spark.sql.shuffle.partitions = 5, as you set it" in out
    chosen = json.loads((tmp_path / "matches" / "_run.json").read_text())["made"]["spark_settings"]
    assert chosen["spark.sql.shuffle.partitions"] == "5"
    assert chosen["spark.sql.files.maxPartitionBytes"] == str(16 * 2**20)
    assert_same(tmp_path / "matches", material.local / "matches")
