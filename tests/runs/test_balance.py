import json
import sys
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.config import Balance, Match
from curation.core.identity import pair_uid, uniform
from curation.errors import InputError
from curation.runs import balance, match
from tests import reference
from tests.runs.conftest import ENTRIES, assert_profiled, make_pool, rows
from tests.stages.conftest import pairs


@pytest.fixture
def matched(session, tmp_path, pool, entries):
    return match(session, Match(pool=str(pool.folder), vocabulary=entries, output=str(tmp_path / "matches")))[
        0
    ]


def config(matched, output, **how):
    return Balance(matches=(str(matched.folder),), output=str(output), **how)


def draw(seed):
    return lambda uid: uniform(seed, pa.array([uid]))[0]


@pytest.mark.parametrize("t", [0.5, 20, 33.3, 1000])
def test_everything_equals_the_reference(session, tmp_path, pool, matched, t):
    (record,) = balance(session, config(matched, tmp_path / "out", t=t, seed=5))
    texts = {row["uid"]: row["text"] for row in rows(pool.folder / "pairs")}
    expected = reference.curate(texts, ENTRIES, t, draw(5))
    kept = rows(record.folder / "pairs")
    assert {row["uid"] for row in kept} == expected.kept
    assert all(row["keep_probability"] == expected.keep[row["uid"]] for row in kept)
    counts = pq.read_table(record.folder / "counts").to_pydict()
    assert counts["count"] == expected.counts
    assert counts["probability"] == expected.probabilities
    assert counts["kept_count"] == [
        sum(number in expected.matches[uid] for uid in expected.kept) for number in range(len(ENTRIES))
    ]
    assert_profiled(record.folder)
    assert record.rows == {"in": len(expected.matches), "out": len(expected.kept)}
    assert sum(record.dropped.values()) == len(expected.matches) - len(expected.kept)


def test_a_larger_t_keeps_a_superset(session, tmp_path, matched):
    kept = []
    for t in (5, 20, 60):
        (record,) = balance(session, config(matched, tmp_path / str(t), t=t))
        kept.append({row["uid"] for row in rows(record.folder / "pairs")})
    assert kept[0] < kept[1] < kept[2]


def test_tail_share_chooses_the_threshold(session, tmp_path, matched):
    (record,) = balance(session, config(matched, tmp_path / "out", tail_share=0.1))
    counts = sorted(pq.read_table(matched.folder / "counts")["count"].to_pylist())
    shares = [sum(counts[: n + 1]) / sum(counts) for n in range(len(counts))]
    assert record.facts["t"] == {"other": counts[min(range(len(shares)), key=lambda n: abs(shares[n] - 0.1))]}


def expected_size(matched, t):
    counts = pq.read_table(matched.folder / "counts")["count"].to_pylist()
    expected = 0.0
    for row in rows(matched.folder / "pairs"):
        missed = 1.0
        for number in row["entry_ids"]:
            missed *= 1 - min(1, t / counts[number])
        expected += 1 - missed
    return expected


@pytest.mark.parametrize(("target", "expected_yield"), [(10, 1.0), (100, 1.0), (100, 0.5), (300, 1.0)])
def test_target_finds_the_size(session, tmp_path, matched, target, expected_yield):
    how = {"target": target, "expected_yield": expected_yield}
    (record,) = balance(session, config(matched, tmp_path / "out", **how))
    expected = expected_size(matched, record.facts["t"]["other"])
    wanted = target / expected_yield
    assert abs(expected - wanted) <= max(0.001 * wanted, 1)
    assert abs(record.rows["out"] - wanted) < 4 * wanted**0.5


def test_a_target_out_of_reach_names_what_is_in_reach(session, tmp_path, matched):
    with pytest.raises(InputError, match=r"needs 1,000 pairs; in reach are targets from 1 to 150$"):
        balance(session, config(matched, tmp_path / "out", target=500, expected_yield=0.5))
    assert not (tmp_path / "out").exists()


def test_nothing_matches(session, tmp_path, entries):
    pool = make_pool(tmp_path / "pool", pairs(["nothing"]))
    (matched,) = match(session, Match(pool=str(pool.folder), vocabulary=entries, output=str(tmp_path / "m")))
    with pytest.raises(InputError, match="matches any entry"):
        balance(session, config(matched, tmp_path / "out", t=1))
    assert not (tmp_path / "out").exists()


def test_the_data_card(session, tmp_path, matched):
    (record,) = balance(session, config(matched, tmp_path / "out", t=50))
    card = json.loads((record.folder / "datacard.json").read_text())
    counts = pq.read_table(record.folder / "counts").to_pydict()
    assert card["pairs"].pop("matched") == 300
    assert card["pairs"].pop("curated") == record.rows["out"]
    assert card["pairs"]["expected"] == pytest.approx(expected_size(matched, 50), abs=1e-5)
    assert 0 < card["pairs"]["standard_deviation"] < 300**0.5 / 2
    assert card["matches"]["before"] == sum(counts["count"])
    assert card["matches"]["after"] == sum(counts["kept_count"])
    for name, column in (("before", "count"), ("after", "kept_count")):
        head = [n for n, count in zip(counts[column], counts["count"], strict=True) if count > 50]
        share = sum(head) / sum(counts[column])
        assert card["matches"][f"head_share_{name}"] == share
        assert card["matches"][f"tail_share_{name}"] == pytest.approx(1 - share)
    assert card["matches"]["head_share_after"] < card["matches"]["head_share_before"]
    assert card["funnel"][0] == {"step": "extract", "in": 300, "dropped": {}, "out": 300}
    assert card["entries"] == {
        "all": 9,
        "matched": 7,
        "never_matched": 2,  # unseen, and no. which spacing takes apart
        "can_never_match": 1,
        "head": sum(count > 50 for count in counts["count"]),
    }
    assert card["funnel"][-1] == {
        "step": "balance",
        "in": 300,
        "dropped": {"not_drawn": 300 - record.rows["out"]},
        "out": record.rows["out"],
    }
    assert [row["count"] for row in card["heaviest"]] == sorted(counts["count"], reverse=True)
    tail = sum(count for count in counts["count"] if count < 50)
    assert card["languages"]["other"]["t"] == 50
    assert card["languages"]["other"]["tail_share_before"] == tail / sum(counts["count"])


def test_matches_of_disjoint_pools_add_up(session, tmp_path, entries):
    texts = [f"a cat and the dog {n}" for n in range(60)]
    table = pairs(texts)
    one = make_pool(tmp_path / "pool1", table[:40])
    two = make_pool(tmp_path / "pool2", table[40:], against=(one,))
    whole = make_pool(tmp_path / "pool", table)
    matches = {
        name: match(session, Match(pool=str(pool.folder), vocabulary=entries, output=str(tmp_path / name)))[0]
        for name, pool in (("m1", one), ("m2", two), ("m", whole))
    }
    both = Balance(matches=(str(tmp_path / "m1"), str(tmp_path / "m2")), output=str(tmp_path / "both"), t=10)
    (added,) = balance(session, both)
    (alone,) = balance(session, config(matches["m"], tmp_path / "alone", t=10))
    assert rows(added.folder / "pairs") == rows(alone.folder / "pairs")
    for folder in (added, alone):
        assert (folder.folder / "counts" / "part-00000.parquet").is_file()
    assert pq.read_table(added.folder / "counts").equals(pq.read_table(alone.folder / "counts"))


def test_pools_that_may_overlap_and_other_vocabularies_are_refused(session, tmp_path, entries):
    one, two = (make_pool(tmp_path / name, pairs([f"a cat {name}"])) for name in ("p1", "p2"))
    for pool, name in ((one, "m1"), (two, "m2")):
        match(session, Match(pool=str(pool.folder), vocabulary=entries, output=str(tmp_path / name)))
    both = Balance(matches=(str(tmp_path / "m1"), str(tmp_path / "m2")), output=str(tmp_path / "out"), t=1)
    with pytest.raises(InputError, match=r"may overlap; make the later one with .* --against"):
        balance(session, both)
    with pytest.raises(InputError, match="may overlap"):
        balance(session, replace(both, matches=(str(tmp_path / "m1"),) * 2))
    (tmp_path / "other.txt").write_text("cat\n")
    match(
        session,
        Match(pool=str(two.folder), vocabulary=str(tmp_path / "other.txt"), output=str(tmp_path / "m3")),
    )
    with pytest.raises(InputError, match="different vocabularies"):
        balance(session, replace(both, matches=(str(tmp_path / "m1"), str(tmp_path / "m3"))))


def multilingual(tmp_path, session, lists):
    table = pa.table(
        {
            "entry_id": pa.array(range(sum(map(len, lists.values()))), pa.int32()),
            "entry": [entry for entries in lists.values() for entry in entries],
            "language": [name for name, entries in lists.items() for _ in entries],
            "sources": pa.array([["x"] for entries in lists.values() for _ in entries]),
            "count": pa.nulls(sum(map(len, lists.values())), pa.int64()),
        }
    )
    (tmp_path / "voc").mkdir()
    pq.write_table(table, tmp_path / "voc" / "entries.parquet")
    texts = ["red cat"] * 40 + ["cat"] * 10 + ["rojo gato"] * 50 + ["rojo"] * 5
    texts = [f"{text} {n}" for n, text in enumerate(texts)]
    pool = make_pool(tmp_path / "pool", pairs(texts, ["en"] * 50 + ["es"] * 55))
    return match(
        session, Match(pool=str(pool.folder), vocabulary=str(tmp_path / "voc"), output=str(tmp_path / "m"))
    )[0]


def test_other_languages_get_the_tail_share_of_english(session, tmp_path):
    matched = multilingual(tmp_path, session, {"en": ["cat", "red", "3"], "es": ["gato", "rojo", "60"]})
    assert pq.read_table(matched.folder / "counts")["count"].to_pylist() == [50, 40, 1, 50, 55, 1]
    (record,) = balance(session, config(matched, tmp_path / "out", t=45))
    # English: (40 + 1) / 91 of the matches are below 45; of the Spanish (1 + 50) / 106 is nearest to that.
    assert record.facts["t"] == {"en": 45, "es": 50}
    probabilities = pq.read_table(record.folder / "counts")["probability"].to_pylist()
    assert probabilities == [45 / 50, 1, 1, 1, 50 / 55, 1]


def test_t_without_english_asks_for_a_tail_share(session, tmp_path):
    matched = multilingual(tmp_path, session, {"de": ["katze"], "es": ["gato"]})
    with pytest.raises(InputError, match="give --tail-share"):
        balance(session, config(matched, tmp_path / "out", t=45))


@pytest.mark.parametrize("how", [{"target": 60}, {"t": 45}, {"tail_share": 0.2}])
def test_what_is_expected_is_said_before_anything_is_written(session, tmp_path, matched, how, monkeypatch):
    said = []

    def announce(text):
        assert not list((tmp_path / "out").glob("*/pairs"))
        said.append(text)

    monkeypatch.setattr(sys.modules["curation.runs.balance"], "announce", announce)
    (record,) = balance(session, config(matched, tmp_path / "out", **how))
    (line,) = said
    t = record.facts["t"]["other"]
    assert line.startswith(f"t = {t:,.6g} (other): expected to keep {expected_size(matched, t):,.1f} ± ")
    assert line.endswith(" pairs" + (", for 60 after the download" if "target" in how else ""))


def test_the_size_curve(session, tmp_path, matched):
    (record,) = balance(session, config(matched, tmp_path / "out", t=20))
    curve = pq.read_table(record.folder / "size_curve").to_pylist()
    counts = pq.read_table(matched.folder / "counts")["count"].to_pylist()
    assert [row["t"] for row in curve[::4]] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    for row in curve[::8]:
        assert row["expected_rows"] == pytest.approx(expected_size(matched, row["t"]), abs=1e-5)
        tail = sum(count for count in counts if count < row["t"])
        assert row["tail_share"] == tail / sum(counts)
    assert curve[-1]["expected_rows"] == 300
    assert curve[-1]["standard_deviation"] == 0
    assert max(row["standard_deviation"] for row in curve) > 5


def test_a_target_for_several_lists(session, tmp_path):
    """English leads; what the other lists keep even then is the least that is in reach."""
    words = {"en": ["cat", "red", "3"], "es": ["gato", "rojo", "60"]}
    matched = multilingual(tmp_path, session, words)
    (record,) = balance(session, config(matched, tmp_path / "out", target=50))
    assert abs(record.facts["expected_rows"] - 50) <= 1
    assert record.facts["t"]["en"] < 50
    with pytest.raises(InputError, match=r"in reach are targets from 3 to 105$"):
        balance(session, config(matched, tmp_path / "none", target=1))
    with pytest.raises(InputError, match=r"in reach are targets from 1 to 105$"):
        balance(session, config(matched, tmp_path / "none", target=200))
    assert not (tmp_path / "none").exists()


def test_a_size_that_no_t_reaches_is_refused_with_its_neighbours(session, tmp_path):
    """The t of the other lists jumps from count to count, and with it what they keep."""
    matched = multilingual(tmp_path, session, {"en": ["3"], "es": ["gato", "60"]})
    with pytest.raises(InputError, match=r"no t is expected to keep 26 pairs: the sizes next to it are"):
        balance(session, config(matched, tmp_path / "out", target=26))
    assert not (tmp_path / "out").exists()


def test_shares_alone_make_the_curve_where_no_list_leads(session, tmp_path):
    matched = multilingual(tmp_path, session, {"de": ["katze", "red"], "es": ["gato", "rojo", "60"]})
    (record,) = balance(session, config(matched, tmp_path / "out", tail_share=0.3))
    curve = pq.read_table(record.folder / "size_curve").to_pylist()
    assert {row["t"] for row in curve} == {None}
    assert curve[-1]["tail_share"] == 1
    assert curve[-1]["expected_rows"] == record.rows["in"]


def test_entry_counts_are_in_metaclips_format(session, tmp_path, matched):
    (record,) = balance(session, config(matched, tmp_path / "out", t=20))
    counts = json.loads((record.folder / "entry_counts.json").read_text())
    assert list(counts) == ENTRIES
    assert list(counts.values()) == pq.read_table(matched.folder / "counts")["count"].to_pylist()


def test_entry_counts_of_several_lists_are_by_language(session, tmp_path):
    matched = multilingual(tmp_path, session, {"en": ["cat", "red"], "es": ["gato", "cat"]})
    (record,) = balance(session, config(matched, tmp_path / "out", t=20))
    counts = json.loads((record.folder / "entry_counts.json").read_text())
    assert counts == {"en": {"cat": 50, "red": 40}, "es": {"gato": 50, "cat": 0}}


def test_online_writes_every_match_uncut(session, tmp_path, matched):
    (cut,) = balance(session, config(matched, tmp_path / "cut", t=20, seed=2))
    (whole,) = balance(session, config(matched, tmp_path / "whole", t=20, seed=2, online=True))
    written = rows(whole.folder / "pairs")
    assert len(written) == whole.rows["out"] == 300
    drawn = uniform(2, pa.array([row["uid"] for row in written]))
    loader = [row for row, u in zip(written, drawn, strict=True) if u < row["keep_probability"]]
    assert loader == rows(cut.folder / "pairs")  # what a loader keeps with the same draw is the same
    card = json.loads((whole.folder / "datacard.json").read_text())
    assert "uncut" in card["note"]
    assert (
        card["pairs"]["expected"]
        == json.loads((cut.folder / "datacard.json").read_text())["pairs"]["expected"]
    )


@pytest.fixture
def several_texts(session, tmp_path, entries):
    """Matches of images with one to four texts each, some of which match nothing."""
    texts = [f"{('a cat', 'the dog', 'nothing', 'photo, hot dog')[n % 4]} {n}" for n in range(240)]
    table = pairs(texts)
    urls = pa.array(
        [f"http://a.example/{n // 4 if n % 4 <= n // 4 % 4 else 1000 + n}.jpg" for n in range(240)]
    )
    uids = pair_uid(urls, table["text"].combine_chunks())
    pool = make_pool(tmp_path / "pool2", table.set_column(1, "url", urls).set_column(0, "uid", uids))
    return match(session, Match(pool=str(pool.folder), vocabulary=entries, output=str(tmp_path / "m2")))[0]


def test_one_text_an_image_is_chosen_before_the_draw(session, tmp_path, several_texts):
    """The counts, and so the probabilities, are those of all texts."""
    t = 25
    (record,) = balance(session, config(several_texts, tmp_path / "out", t=t, seed=1, texts_per_image="one"))
    matched = rows(several_texts.folder / "pairs")
    of_image = {}
    for row in matched:
        of_image.setdefault(row["url"], []).append(row["uid"])
    lot = {uid: uniform(1, pa.array([uid]), "text")[0] for uids in of_image.values() for uid in uids}
    chosen = {min(uids, key=lot.get) for uids in of_image.values()}
    expected = reference.curate({row["uid"]: row["text"] for row in matched}, ENTRIES, t, draw(1))
    kept = rows(record.folder / "pairs")
    assert {row["uid"] for row in kept} == expected.kept & chosen
    assert all(row["keep_probability"] == expected.keep[row["uid"]] for row in kept)
    assert record.rows == {"in": len(matched), "out": len(kept)}
    assert record.dropped == {
        "another_text_chosen": len(matched) - len(chosen),
        "not_drawn": len(chosen) - len(kept),
    }
    assert pq.read_table(record.folder / "counts")["count"].to_pylist() == expected.counts
    assert record.facts["expected_rows"] == pytest.approx(sum(expected.keep[uid] for uid in chosen), abs=1e-5)
