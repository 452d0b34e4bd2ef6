import json

import pytest

from curation.report.card.facts import gather
from curation.report.tables import Run
from tests.report.card.runs import make_counts, make_curated, make_matches, make_pool, make_run


def facts(work, answers=None):
    return gather(Run.open(str(work)), answers or {}, work.parent)


def answer(found, name):
    return next(answer for _, answers in found.topics for answer in answers if answer.name == name)


@pytest.fixture(scope="module")
def found(work):
    return facts(work)


def test_figures(found):
    assert {figure.label: figure.value for figure in found.figures} == {
        "images": "72",
        "texts with their image": "150",
        "fetched": "12.3 MB",
        "pairs curated": "200",
        "t": "10",
        "entries matched": "17",
        "head entries": "5",
        "of all matches are of the tail": "19%",
    }
    assert found.figures[0].note == "90% of those tried"
    assert found.figures[-1].note == "4.4% before balancing"


def test_funnel_ends_with_the_download(found):
    assert [(step.name, step.rows_in, step.rows_out) for step in found.funnel] == [
        ("extract", 1400, 1000), ("match", 1000, 900), ("balance", 900, 200),
        ("download", 200, 150)]  # fmt: skip
    assert found.funnel[0].dropped == {"empty_text": 300, "duplicate": 100}


def test_languages_have_a_hundredth_of_the_pairs(found):
    assert list(found.languages) == ["en", "de"]


def test_what_only_the_author_knows_is_left_open(found):
    open_questions = {
        answer.name for _, answers in found.topics for answer in answers if answer.by == "nobody"
    }
    assert {"purpose", "funding", "review", "maintainer"} <= open_questions
    assert not {"instances", "size", "preprocessing", "limits", "third-parties"} & open_questions
    assert answer(found, "size").text == "72 images with 150 texts, in 2 shards."


def test_answers_of_the_author_come_first(work):
    given = {"size": "Enough.", "purpose": "Cats.", "name": "Cats\u202e", "summary": "All cats."}
    told = facts(work, given)
    assert (answer(told, "size").text, answer(told, "size").by) == ("Enough.", "author")
    assert (answer(told, "purpose").text, answer(told, "purpose").by) == ("Cats.", "author")
    assert (told.name, told.summary) == ("Cats\ufffd", "All cats.")


def test_answers_follow_the_records(found):
    policy = answer(found, "preprocessing").text
    assert "Pages that opt out (X-Robots-Tag, robots metas, TDMRep, Content-Usage) were left out." in policy
    assert "Images that opt out (X-Robots-Tag, robots metas, TDMRep, Content-Usage) were kept" in policy
    assert "phone numbers in texts were replaced" in policy
    assert "robots.txt was not asked" in policy
    assert "CC-MAIN-2024-51" in answer(found, "timeframe").text
    assert "2026-03-04" in answer(found, "timeframe").text
    assert "t = 10 (en)" in answer(found, "strategy").text
    assert "seed 7" in answer(found, "strategy").text
    assert "1 record passed over (malformed_json)" in answer(found, "acquisition").text
    assert "its shorter side at most 64 pixels" in answer(found, "content").text
    assert "8 of 80 images are not there: not_found 6" in answer(found, "missing").text
    assert "wordnet: Copyright 2006 Princeton" in answer(found, "third-parties").text
    assert answer(found, "offensive").text == "It may: nothing was filtered for it."
    assert "were not looked for" in answer(found, "identifiable").text


def test_other_settings_give_other_answers(tmp_path):
    work = make_run(tmp_path / "work")
    change(
        work / "pool", config={"opt_outs": "record", "redact": False, "block_terms": ["x"], "block": ["y"]}
    )
    change(work / "shards", config={"robots": True, "classifier": "mine:score", "blur_boxes": "b",
                                    "exclude_hashes": ["h"], "opt_outs": "respect"},
           facts={"takedowns": [{}, {}], "retries": [{"count": 8, "successes": 3}],
                  "captions_in_evaluation_sets": {"coco": 4}})  # fmt: skip
    change(work / "curated", config={"online": True, "texts_per_image": "one"})
    told = facts(work)
    assert "Pages that opt out (X-Robots-Tag, robots metas, TDMRep, Content-Usage) were kept" in (
        answer(told, "preprocessing").text)  # fmt: skip
    assert "Texts were taken as they are." in answer(told, "preprocessing").text
    assert "robots.txt was asked" in answer(told, "preprocessing").text
    assert "thinned" not in answer(told, "preprocessing").text
    assert answer(told, "offensive").text == (
        "It may. Against it, texts with terms of a list were dropped, hosts and URLs of a list were left out "
        "and images to which mine:score gave more than 0.5 were left out.")  # fmt: skip
    assert "were blurred" in answer(told, "identifiable").text
    assert "were left out" in answer(told, "splits").text
    assert "done 2 times" in answer(told, "revocation").text
    assert "fetched again 1 times, and 3 came" in answer(told, "updates").text
    assert "coco 4" in answer(told, "errors").text
    assert "Every match is in" in answer(told, "strategy").text
    assert "one was chosen first" in answer(told, "strategy").text


def change(folder, **parts):
    path = folder / "_run.json"
    record = json.loads(path.read_text())
    for name, values in parts.items():
        record[name] |= values
    path.write_text(json.dumps(record))


def test_nothing_is_missing_of_a_whole_run(found):
    assert list(found.missing) == []


def test_what_is_missing_is_told_with_how_to_make_it(tmp_path):
    counts = make_counts()
    pool = make_pool(tmp_path / "work" / "pool")
    first = facts(tmp_path / "work")
    assert [part.what for part in first.missing] == [
        f"the folder {n}" for n in ("matches", "curated", "shards")
    ]
    assert first.samples == 1000
    matches = make_matches(tmp_path / "work" / "matches", pool, counts, profiles=False)
    make_curated(tmp_path / "work" / "curated", matches, counts)
    then = facts(tmp_path / "work")
    assert [part.what for part in then.missing] == [
        "the folder shards",
        "languages, hosts, lengths and sizes of matches: there is no folder profile"]  # fmt: skip
    work = tmp_path / "work"
    assert then.missing[0].how == f"python jobs/download.py --curated {work}/curated --output {work}/shards"
    assert "jobs/match.py" in then.missing[1].how
    assert "have not been downloaded yet" in answer(then, "size").text
    assert [step.name for step in then.funnel] == ["extract", "match", "balance"]


def test_without_its_own_card_balancing_is_told_from_the_records(tmp_path):
    work = make_run(tmp_path / "work")
    (work / "curated" / "datacard.json").unlink()
    told = facts(work)
    assert [step.name for step in told.funnel] == ["extract", "match", "balance", "download"]


def test_several_lists(tmp_path):
    work = make_run(tmp_path / "work", languages=True, profiles=False)
    change(work / "curated", facts={"t": {"en": 10.0, "de": 20.0}})
    told = facts(work)
    assert list(told.languages) == ["en", "de"]
    assert {figure.label: figure.value for figure in told.figures}["t"] == "10 to 20"
    assert "a threshold for each language" in told.summary


def test_names(tmp_path):
    work = make_run(tmp_path / "my cats" / "work")
    assert facts(work).name == "my cats"
    assert facts(work).place == "work/shards"
    assert gather(Run.open(str(work)), {}, tmp_path / "elsewhere").place == "shards"
    assert gather(Run.open(str(work)), {}, work).place == "shards"


def test_settings_are_words(found):
    download = next(step for step in found.steps if step.name == "download")
    told = dict(download.settings)
    assert told["robots"] == "no"
    assert told["exclude_hashes"] == told["blur_boxes"] == "none"
    assert told["image_size"] == "64"
    assert dict(download.versions)["git commit"] == "abc"
