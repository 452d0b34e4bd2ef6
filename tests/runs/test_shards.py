from pathlib import Path

import pytest

from curation.download.shard import FAILED_TO_DOWNLOAD, SUCCESS, Shard, write_shard
from curation.runs.shards import _decoders, _groups, latest, tally
from tests.download.test_shard import image, rows


@pytest.mark.parametrize(
    ("folders", "number", "groups"),
    [
        (["a"], 4, [["a"]]),
        (["a", "b", "c"], 2, [["a"], ["b", "c"]]),
        (["a", "b", "c", "d"], 4, [["a"], ["b"], ["c"], ["d"]]),
    ],
)
def test_groups_are_about_as_long_and_none_is_empty(folders, number, groups):
    assert _groups(folders, number) == groups


@pytest.mark.parametrize(
    ("tasks", "cores", "executor_cores", "decoders"),
    [(1, 2, 2, 2), (8, 8, 4, 1), (2, 8, 4, 4), (1, 4096, 4, 4), (3, 2, 2, 1)],
)
def test_idle_cores_decode_but_no_more_than_an_executor_has(tasks, cores, executor_cores, decoders):
    assert _decoders(tasks, cores=cores, executor_cores=executor_cores) == decoders


def test_of_an_image_that_was_fetched_again_the_last_row_counts(spark, tmp_path: Path):
    for number, statuses in (
        (7, [FAILED_TO_DOWNLOAD, SUCCESS]),
        (99_999, [FAILED_TO_DOWNLOAD]),
        (100_000, [SUCCESS]),
    ):
        write_shard(tmp_path, Shard(number, rows(statuses, number=number), image, encode_format="jpg"))
    last = latest(spark, tmp_path, again=True)
    assert {row["key"] for row in last.collect()} == {"10000000", "0000701"}
    counted = tally(last, tmp_path)
    assert counted.rows == {"in": 2, "out": 2}
    assert counted.facts["next_shard"] == 100_001
    assert counted.facts["shards"] == 3
