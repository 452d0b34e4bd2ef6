"""What a run record says, and how it is read."""

import json

import pytest

from curation.claim import claim
from curation.errors import InputError
from curation.record import read_record
from tests.test_claim import IDENTITY, other, publish


def test_every_part_of_an_identity_changes_the_run_id():
    identities = [
        IDENTITY,
        other(job="x"),
        other(semantics=2),
        other(config={"t": 21.0}),
        other(inputs=["b"]),
    ]
    assert len({identity.run_id for identity in identities}) == len(identities)
    assert other(config={"t": 20.0}).run_id == IDENTITY.run_id


@pytest.mark.parametrize("content", ["", "{", '{"job": "match"}'])
def test_a_broken_record_is_named(tmp_path, content):
    (tmp_path / "_run.json").write_text(content)
    with pytest.raises(InputError, match=r"_run\.json cannot be read"):
        read_record(tmp_path, "match")


def test_readers_want_the_right_job(tmp_path):
    with claim(tmp_path, IDENTITY) as attempt:
        publish(attempt)
    with pytest.raises(
        InputError, match=r"was made by jobs/match\.py; give a folder made by jobs/extract\.py"
    ):
        read_record(tmp_path, "extract")
    with pytest.raises(InputError, match=r"does not exist; make it with jobs/match\.py"):
        read_record(tmp_path / "nope", "match")


def test_the_record_is_json_that_people_can_read(tmp_path):
    with claim(tmp_path, IDENTITY) as attempt:
        publish(attempt)
    written = json.loads((tmp_path / "_run.json").read_text())
    assert list(written)[:3] == ["job", "run_id", "semantics"]
    assert [path.name for path in (tmp_path / "pairs").iterdir()] == ["part.parquet"]
