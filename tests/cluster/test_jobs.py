"""Every job on a cluster, with what `make dist` made, as in local mode."""

import json

import pytest

from tests.cluster.conftest import FOLDERS, assert_same

JOBS = tuple(FOLDERS)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.mark.parametrize("job", JOBS)
def test_a_job_comes_to_the_same_as_in_local_mode(cluster, material, work, job):
    cluster.run(job, *material.flags(job, work))
    assert_same(work / FOLDERS[job], material.local / FOLDERS[job])
    record = json.loads((work / FOLDERS[job] / "_run.json").read_text())
    assert record["made"]["spark_settings"]["spark.master"] == cluster.url
