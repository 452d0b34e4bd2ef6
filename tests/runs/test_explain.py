import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from curation.config import Explain
from curation.core.identity import pair_uid, uniform
from curation.errors import InputError
from curation.report.explanation import show
from curation.runs import balance
from curation.runs.explain import explain
from tests.runs.conftest import ENTRIES, rows
from tests.runs.test_balance import config, matched, multilingual, several_texts

__all__ = ["matched", "several_texts"]  # fixtures


@pytest.fixture
def curated(session, tmp_path, matched):
    return balance(session, config(matched, tmp_path / "curated", t=20, seed=4))[0]


def ask(curated, **question):
    return explain(Explain(curated=str(curated.folder), **question))


def test_every_matched_pair_is_explained_as_it_was_decided(curated, matched):
    kept = {row["uid"]: row for row in rows(curated.folder / "pairs")}
    counts = pq.read_table(curated.folder / "counts").to_pylist()
    for row in rows(matched.folder / "pairs")[:60]:
        told = ask(curated, uid=row["uid"])
        assert (told.drop_reason is None) == (row["uid"] in kept)
        assert told.drop_reason in (None, "not_drawn")
        assert (told.text, told.url) == (row["text"], row["url"])
        assert told.entries == [counts[number] for number in row["entry_ids"]]
        assert told.draw == uniform(4, pa.array([row["uid"]]))[0]
        if row["uid"] in kept:
            assert told.keep_probability == kept[row["uid"]]["keep_probability"]
    by_text = ask(curated, text=row["text"], url=row["url"])
    assert by_text == told


def test_a_text_alone_has_no_draw(curated):
    told = ask(curated, text="a hot dog, no. 7")
    assert [entry["entry"] for entry in told.entries] == ["dog", "hot dog", "no"]
    assert (told.uid, told.draw, told.drop_reason) == (None, None, None)
    assert "give --url too" in shown(told)


def test_a_text_that_matches_nothing(curated):
    told = ask(curated, text="zebra", url="http://a.example/z.jpg")
    assert told.drop_reason == "no_match"
    assert told.keep_probability == 0
    assert told.uid == pair_uid(pa.array(["http://a.example/z.jpg"]), pa.array(["zebra"]))[0].as_py()
    assert "dropped (no_match)" in shown(told)


def test_texts_that_lost_to_another_of_their_image(session, tmp_path, several_texts):
    how = {"t": 25, "seed": 1, "texts_per_image": "one"}
    (curated,) = balance(session, config(several_texts, tmp_path / "one", **how))
    kept = {row["uid"] for row in rows(curated.folder / "pairs")}
    reasons = {}
    for row in rows(several_texts.folder / "pairs"):
        told = ask(curated, uid=row["uid"])
        assert (told.drop_reason is None) == (row["uid"] in kept)
        reasons[told.drop_reason] = reasons.get(told.drop_reason, 0) + 1
    assert {reason: n for reason, n in reasons.items() if reason} == curated.dropped


def test_online_data_is_kept_for_the_loader(session, tmp_path, matched):
    (curated,) = balance(session, config(matched, tmp_path / "online", t=0.01, online=True))
    told = ask(curated, uid=rows(curated.folder / "pairs")[0]["uid"])
    assert told.drop_reason is None
    assert "the loader draws" in shown(told)


def test_the_language_of_a_text_chooses_the_list(session, tmp_path):
    matched = multilingual(tmp_path, session, {"en": ["cat", "red"], "es": ["gato", "cat"]})
    (curated,) = balance(session, config(matched, tmp_path / "out", t=20))
    languages = {
        language: ask(curated, text="red cat", language=language).entries for language in ("en", "es")
    }
    assert [row["entry_id"] for row in languages["en"]] == [0, 1]
    assert [row["entry_id"] for row in languages["es"]] == [3]
    english = ask(curated, text="a red cat is lying on the old wooden table in the kitchen")
    assert [row["entry_id"] for row in english.entries] == [0, 1]


def test_unknown_uids_and_moved_matches(session, tmp_path, curated, matched):
    with pytest.raises(InputError, match="no pair that matches has the uid ffff"):
        ask(curated, uid="ffff")
    dropped = next(
        row["uid"] for row in rows(matched.folder / "pairs") if ask(curated, uid=row["uid"]).drop_reason
    )
    matched.folder.rename(tmp_path / "moved")
    with pytest.raises(InputError, match="does not exist"):
        ask(curated, uid=dropped)
    told = ask(curated, uid=dropped, matches=(str(tmp_path / "moved"),))
    assert told.drop_reason == "not_drawn"


def test_matches_of_another_run_are_refused(session, tmp_path, curated, several_texts):
    uid = rows(several_texts.folder / "pairs")[0]["uid"]
    with pytest.raises(InputError, match="is not what"):
        ask(curated, uid=uid, matches=(str(several_texts.folder),))


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({}, "either --uid"),
        ({"uid": "a", "text": "b"}, "either --uid"),
        ({"uid": "a", "url": "b"}, "go with --text"),
    ],
)
def test_unclear_questions_are_refused(question, message):
    with pytest.raises(InputError, match=message):
        Explain(curated="c", **question)


def test_the_table(curated, matched):
    row = next(row for row in rows(matched.folder / "pairs") if row["entry_ids"][:1] == [0])
    text = shown(ask(curated, uid=row["uid"]))
    for word in (row["uid"], row["url"], "keep probability", "draw", "(seed 4)", "decision", ENTRIES[0]):
        assert word in text


def test_what_a_text_holds_cannot_steer_the_terminal(curated):
    assert "\x1b" not in shown(ask(curated, text="a \x1b[31mcat photo"))


def shown(explanation):
    console = Console(width=100, file=io.StringIO())
    console.print(show(explanation))
    return console.file.getvalue()
