"""How an output folder is claimed, published, amended, and taken over."""

import errno
import subprocess
import sys

import pytest

from curation.claim import amend, claim
from curation.errors import InputError
from curation.record import Identity, read_record

IDENTITY = Identity(job="match", semantics=1, config={"t": 20.0}, inputs=["abc"])


def other(**changes):
    return Identity(**{**vars(IDENTITY), **changes})


def publish(attempt, text="rows"):
    attempt.begin()
    (attempt.folder / "pairs").mkdir()
    (attempt.folder / "pairs" / "part.parquet").write_text(text)
    (attempt.folder / "_rows").mkdir()
    return attempt.publish(rows={"in": 3, "out": 1}, dropped={"no_match": 2, "never": 0}, made={"at": "now"})


def test_a_finished_run_is_found_again(tmp_path):
    output = tmp_path / "out"
    with claim(output, IDENTITY) as attempt:
        assert attempt.finished is None
        record = publish(attempt)
    assert record.fresh
    assert sorted(path.name for path in output.iterdir()) == ["_run.json", "pairs"]
    with claim(output, IDENTITY) as attempt:
        assert attempt.finished == record
        assert not attempt.finished.fresh
    read = read_record(output, "match")
    assert (read.rows, read.dropped, read.run_id) == ({"in": 3, "out": 1}, {"no_match": 2}, IDENTITY.run_id)


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (other(config={"t": 30.0}), r"a run with t = 20.0 \(now 30.0\)"),
        (other(inputs=["new"]), "other or older inputs"),
        (other(job="balance"), "the output of jobs/match.py"),
    ],
)
def test_another_run_is_refused_and_harms_nothing(tmp_path, identity, words):
    with claim(tmp_path, IDENTITY) as attempt:
        publish(attempt)
    before = (tmp_path / "_run.json").read_text()
    with pytest.raises(InputError, match=words), claim(tmp_path, identity):
        pass
    assert (tmp_path / "_run.json").read_text() == before
    assert (tmp_path / "pairs" / "part.parquet").read_text() == "rows"


def test_a_killed_attempt_is_no_output_and_is_made_again(tmp_path):
    with pytest.raises(RuntimeError), claim(tmp_path, IDENTITY) as attempt:
        attempt.begin()
        (attempt.folder / "pairs").mkdir()
        raise RuntimeError("killed")
    with pytest.raises(InputError, match="no finished run"):
        read_record(tmp_path, "match")
    with (
        pytest.raises(InputError, match="unfinished run with other settings"),
        claim(tmp_path, other(inputs=[])),
    ):
        pass
    with claim(tmp_path, IDENTITY) as attempt:
        publish(attempt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_run.json", "pairs"]


def test_an_attempt_killed_while_publishing_is_published_again(tmp_path):
    with pytest.raises(RuntimeError), claim(tmp_path, IDENTITY) as attempt:
        attempt.begin()
        (tmp_path / "pairs").mkdir()  # moved, as publish does, but the record was never written
        (tmp_path / "pairs" / "old.parquet").write_text("half")
        raise RuntimeError("killed")
    with claim(tmp_path, IDENTITY) as attempt:
        publish(attempt)
    assert [path.name for path in (tmp_path / "pairs").iterdir()] == ["part.parquet"]


def test_an_attempt_killed_after_its_record_was_written_is_cleared_away(tmp_path):
    with claim(tmp_path, IDENTITY) as attempt:
        publish(attempt)
        attempt.scratch.mkdir(parents=True)
    with claim(tmp_path, IDENTITY) as attempt:
        assert attempt.finished is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_run.json", "pairs"]


def test_files_of_no_run_are_refused_and_kept(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"files of no run, such as thesis\.tex"), claim(tmp_path, IDENTITY):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_refused_run_leaves_nothing(tmp_path):
    output = tmp_path / "work" / "out"
    with pytest.raises(InputError, match="no text"), claim(output, IDENTITY) as attempt:
        attempt.begin()
        raise InputError("no text matches")
    assert not (tmp_path / "work").exists()


def test_of_two_drivers_the_later_is_refused(tmp_path):
    """The lock is the kernel's, so it is tried from another process, and it goes with its holder."""
    code = (
        "import sys; from pathlib import Path\n"
        "from curation.claim import claim; from curation.record import Identity\n"
        "with claim(Path(sys.argv[1]), Identity(job='match', semantics=1, config={}, inputs=[])):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another run is at work"), claim(tmp_path, IDENTITY):
            pass
        holder.kill()
    with claim(tmp_path, IDENTITY) as attempt:
        assert attempt.finished is None


def finished(output):
    with claim(output, IDENTITY) as attempt:
        return publish(attempt)


def test_a_finished_run_is_amended(tmp_path):
    before = finished(tmp_path)
    with amend(tmp_path, "match") as amendment:
        assert amendment.record == before
        (amendment.folder / "notes").mkdir()
        saved = amendment.save(rows={"in": 3, "out": 0}, dropped={"z": 1, "a": 2, "no": 0}, facts={"more": 1})
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["_run.json", "pairs"]
    after = read_record(tmp_path, "match")
    assert saved == after
    assert (after.rows, after.dropped, after.facts) == ({"in": 3, "out": 0}, {"a": 2, "z": 1}, {"more": 1})
    assert (after.run_id, after.made, after.seconds) == (before.run_id, before.made, before.seconds)
    with claim(tmp_path, IDENTITY) as attempt:
        assert attempt.finished == after


def test_what_a_stopped_amendment_wrote_is_there_until_one_is_saved(tmp_path):
    finished(tmp_path)
    with pytest.raises(RuntimeError), amend(tmp_path, "match") as amendment:
        (amendment.folder / "half").write_text("done")
        raise RuntimeError("killed")
    with amend(tmp_path, "match") as amendment:
        assert (amendment.folder / "half").read_text() == "done"
        folder = amendment.folder
        amendment.save(rows={}, dropped={}, facts={"changed": True})
        folder.mkdir()  # as if killed between the record and the last step
        (folder / "half").write_text("done")
    with amend(tmp_path, "match") as amendment:
        assert not list(amendment.folder.iterdir())
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["_run.json", "pairs"]


def test_an_amendment_that_changes_nothing_leaves_nothing(tmp_path):
    finished(tmp_path)
    before = (tmp_path / "_run.json").read_bytes()
    with amend(tmp_path, "match"):
        pass
    assert (tmp_path / "_run.json").read_bytes() == before
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["_run.json", "pairs"]


def test_only_a_finished_run_of_the_job_is_amended_and_by_one_driver(tmp_path):
    with pytest.raises(InputError, match="holds no finished run"), amend(tmp_path, "match"):
        pass
    finished(tmp_path)
    with pytest.raises(InputError, match=r"was made by jobs/match\.py"), amend(tmp_path, "download"):
        pass
    with (
        amend(tmp_path, "match"),
        pytest.raises(InputError, match="another run is at work"),
        amend(tmp_path, "match"),
    ):
        pass
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["_run.json", "pairs"]


def killed(output, identity=IDENTITY):
    """The folder of an attempt that was killed after it had written."""
    with pytest.raises(RuntimeError), claim(output, identity) as attempt:
        attempt.begin()
        (attempt.scratch / "done").write_text("so far")
        raise RuntimeError("killed")
    return attempt.folder


def test_what_a_killed_attempt_left_is_taken_over_under_another_name(tmp_path):
    """Its tasks may write for a while: they find no folder, or make one that nobody reads."""
    before = killed(tmp_path)
    with claim(tmp_path, IDENTITY) as attempt:
        assert attempt.folder != before
        assert not before.exists()
        assert (attempt.scratch / "done").read_text() == "so far"
        (before / "pairs").mkdir(parents=True)
        (before / "pairs" / "late.parquet").write_text("of a task that outlived its driver")
        publish(attempt)
    assert [path.name for path in (tmp_path / "pairs").iterdir()] == ["part.parquet"]
    with claim(tmp_path, IDENTITY) as attempt:
        assert attempt.finished is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_run.json", "pairs"]


def test_the_last_attempt_is_the_one_that_is_taken_over(tmp_path):
    before = [killed(tmp_path) for _ in range(10)]
    before[0].mkdir()
    (before[0] / "late").touch()
    with claim(tmp_path, IDENTITY) as attempt:
        assert (attempt.scratch / "done").exists()
        assert [path for path in tmp_path.iterdir() if path.name != "_lock"] == [attempt.folder]


@pytest.mark.parametrize("how", ["published", "at work"])
def test_of_two_drivers_that_cannot_lock_the_later_takes_over_and_the_earlier_fails(
    tmp_path, monkeypatch, how
):
    """Even if a task of the earlier one has made its folder anew."""
    monkeypatch.setattr("fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOLCK, "No locks")))

    def publish_late(earlier):
        (earlier.folder / "pairs").mkdir(parents=True)
        with pytest.raises(InputError, match=f"another run has taken over {tmp_path}"):
            earlier.publish(rows={"in": 0, "out": 0}, dropped={}, made={})

    with claim(tmp_path, IDENTITY) as earlier:
        earlier.begin()
        with claim(tmp_path, IDENTITY) as later:
            if how == "at work":
                publish_late(earlier)
            publish(later, text="of the later")
        if how == "published":
            publish_late(earlier)
    assert (tmp_path / "pairs" / "part.parquet").read_text() == "of the later"
    assert read_record(tmp_path, "match").rows == {"in": 3, "out": 1}


def test_a_run_that_goes_on_from_a_killed_one_owns_what_it_finds(tmp_path):
    killed(tmp_path)
    with claim(tmp_path, IDENTITY) as attempt:
        (attempt.folder / "pairs").mkdir()
        attempt.publish(rows={"in": 0, "out": 0}, dropped={}, made={})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_run.json", "pairs"]


def test_what_a_killed_attempt_left_outlives_a_run_that_cannot_begin(tmp_path):
    """Java may be missing this time: hours of downloads are not to go for that."""
    killed(tmp_path)
    with pytest.raises(InputError, match="no Java"), claim(tmp_path, IDENTITY):
        raise InputError("no Java")
    with claim(tmp_path, IDENTITY) as attempt:
        assert (attempt.scratch / "done").read_text() == "so far"
        assert attempt.inherited
        attempt.begin()
        assert not attempt.inherited


def test_a_file_system_that_does_not_lock_is_named(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOLCK, "No locks")))
    with claim(tmp_path, IDENTITY) as attempt:
        publish(attempt)
    assert f"{tmp_path} cannot be locked" in caplog.text


def test_what_a_late_task_left_in_a_table_is_not_published(tmp_path):
    with claim(tmp_path, IDENTITY) as attempt:
        attempt.begin()
        late = attempt.folder / "pairs" / "_temporary" / "0"
        late.mkdir(parents=True)
        (late / "part.parquet").touch()
        attempt.publish(rows={}, dropped={}, made={})
    assert not list((tmp_path / "pairs").iterdir())


def test_an_attempt_that_was_killed_before_it_began_is_in_nobodys_way(tmp_path):
    with claim(tmp_path, IDENTITY) as attempt:
        attempt.folder.joinpath("x").mkdir()  # so that it stays
    attempt.folder.joinpath("x").rmdir()
    with claim(tmp_path, other(inputs=[])) as attempt:
        publish(attempt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_run.json", "pairs"]


def test_a_stopped_amendment_is_taken_over_under_another_name(tmp_path):
    finished(tmp_path)
    with amend(tmp_path, "match") as first:
        (first.folder / "half").write_text("done")
    with amend(tmp_path, "match") as amendment:
        assert amendment.folder != first.folder
        assert (amendment.folder / "half").read_text() == "done"
        (first.folder / "late").mkdir(parents=True)
        amendment.save(rows={}, dropped={}, facts={})
    with amend(tmp_path, "match"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_run.json", "pairs"]
