import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.config import Balance, Match
from curation.core.identity import uniform
from curation.errors import InputError
from curation.runs import balance, match
from tests import reference
from tests.runs.conftest import ENTRIES, make_pool, rows
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


@pytest.mark.parametrize(("target", "expected_yield"), [(10, 1.0), (100, 1.0), (100, 0.5), (300, 1.0)])
def test_target_finds_the_size(session, tmp_path, matched, target, expected_yield):
    how = {"target": target, "expected_yield": expected_yield}
    (record,) = balance(session, config(matched, tmp_path / "out", **how))
    t = record.facts["t"]["other"]
    counts = pq.read_table(matched.folder / "counts")["count"].to_pylist()
    expected = 0.0
    for row in rows(matched.folder / "pairs"):
        missed = 1.0
        for number in row["entry_ids"]:
            missed *= 1 - min(1, t / counts[number])
        expected += 1 - missed
    wanted = target / expected_yield
    assert abs(expected - wanted) <= max(0.001 * wanted, 1)
    assert abs(record.rows["out"] - wanted) < 4 * wanted**0.5


def test_a_target_out_of_reach_names_what_is_in_reach(session, tmp_path, matched):
    with pytest.raises(InputError, match="needs 1,000 pairs, but 300 match; ask for at most 150"):
        balance(session, config(matched, tmp_path / "out", target=500, expected_yield=0.5))
    assert not (tmp_path / "out").exists()


def test_nothing_matches(session, tmp_path, entries):
    pool = make_pool(tmp_path / "pool", pairs(["nothing"]))
    (matched,) = match(session, Match(pool=str(pool.folder), vocabulary=entries, output=str(tmp_path / "m")))
    with pytest.raises(InputError, match="matches any entry"):
        balance(session, config(matched, tmp_path / "out", t=1))
    assert not (tmp_path / "out").exists()


def test_the_data_card(session, tmp_path, matched):
    (record,) = balance(session, config(matched, tmp_path / "out", t=20))
    card = json.loads((record.folder / "datacard.json").read_text())
    counts = pq.read_table(record.folder / "counts").to_pydict()
    assert card["pairs"] == {"matched": 300, "curated": record.rows["out"]}
    assert card["matches"] == {"before": sum(counts["count"]), "after": sum(counts["kept_count"])}
    assert card["entries"] == {
        "all": 9,
        "matched": 7,
        "never_matched": 2,  # unseen, and no. which spacing takes apart
        "can_never_match": 1,
        "head": sum(count > 20 for count in counts["count"]),
    }
    assert card["funnel"][-1] == {
        "step": "balance",
        "in": 300,
        "dropped": {"not_drawn": 300 - record.rows["out"]},
        "out": record.rows["out"],
    }
    assert [row["count"] for row in card["heaviest"]] == sorted(counts["count"], reverse=True)
    tail = sum(count for count in counts["count"] if count < 20)
    assert card["languages"]["other"]["t"] == 20
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
