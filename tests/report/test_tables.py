import shutil

import pytest

from curation.errors import InputError
from curation.report.tables import Run, languages_of, of_language
from tests.report.card.runs import COUNTS, HEAD, T, make_counts, make_run


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run") / "work", languages=True)


@pytest.fixture
def copied(work, tmp_path):
    """The run, to be broken."""
    return shutil.copytree(work, tmp_path / "work")


def test_a_whole_run_is_read(work):
    run = Run.open(str(work))
    assert [record.job for record in run.records()] == ["extract", "match", "balance", "download"]
    assert run.counts()["count"].to_pylist() == COUNTS
    assert "kept_count" in run.counts().column_names
    assert len(run.vocabulary()) == len(COUNTS)
    assert run.size_curve()["t"].to_pylist() == [1, 10, 100]
    assert run.t() == {"en": T, "de": T}
    assert list(run.profiles()) == ["pool", "matches", "curated"]
    assert "status" in run.profile("shards")["facet"].to_pylist()
    assert run.duplicates().column_names[0] == "key"


def test_before_balancing_counts_are_those_of_the_matches(copied):
    shutil.rmtree(copied / "curated")
    run = Run.open(str(copied))
    assert run.counts()["count"].to_pylist() == COUNTS
    assert "kept_count" not in run.counts().column_names
    assert run.t() == {}
    assert run.curated is None
    with pytest.raises(InputError, match=r"curated does not exist; make it with jobs/balance\.py"):
        run.size_curve()


def test_pairs_and_shards_are_not_needed(copied):
    for path in [*copied.glob("*/pairs"), copied / "shards", copied / "pool"]:
        shutil.rmtree(path, ignore_errors=True)
    run = Run.open(str(copied))
    assert [record.job for record in run.records()] == ["match", "balance"]
    assert len(run.counts()) == len(run.vocabulary())


def test_what_was_not_copied_is_named(copied):
    shutil.rmtree(copied / "matches" / "vocabulary")
    with pytest.raises(InputError, match="vocabulary is missing; copy it too"):
        Run.open(str(copied)).vocabulary()
    (copied / "matches" / "vocabulary").mkdir()
    with pytest.raises(InputError, match="vocabulary is missing"):
        Run.open(str(copied)).vocabulary()


def test_runs_older_than_profiles_say_so(copied):
    shutil.rmtree(copied / "matches" / "profile")
    run = Run.open(str(copied))
    assert list(run.profiles()) == ["pool", "curated"]
    with pytest.raises(InputError, match=r"made before profiles were written.*jobs/match\.py again"):
        run.profile("matches")
    for step in ("pool", "curated"):
        shutil.rmtree(copied / step / "profile")
    with pytest.raises(InputError, match="made before profiles were written"):
        run.profiles()


def test_an_unfinished_step_is_no_step(copied):
    (copied / "curated" / "_run.json").unlink()
    run = Run.open(str(copied))
    assert run.curated is None
    with pytest.raises(InputError, match="holds no finished run"):
        run.need("curated")


def test_a_folder_of_another_job_is_refused(copied):
    shutil.rmtree(copied / "matches")
    shutil.copytree(copied / "pool", copied / "matches")
    with pytest.raises(InputError, match=r"made by jobs/extract\.py"):
        Run.open(str(copied))


def test_no_run_at_all(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        Run.open(str(tmp_path / "none"))
    with pytest.raises(InputError, match="holds no finished step"):
        Run.open(str(tmp_path))
    with pytest.raises(InputError, match="jobs keep folders on a local"):
        Run.open("s3://bucket/work")


def test_english_leads_whatever_it_matches():
    counts = make_counts(languages=True)
    assert languages_of(counts) == ["en", "de"]
    assert len(of_language(counts, "en")) == len(HEAD)
    assert languages_of(of_language(counts, "de")) == ["de"]
    swapped = counts.set_column(0, "language", [["fr"] * 3 + ["en"] * (len(counts) - 4) + ["de"]])
    assert languages_of(swapped) == ["en", "fr", "de"]
