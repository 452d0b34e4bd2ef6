import json

import pytest

from curation.errors import InputError
from curation.report.charts import populations
from curation.report.charts.populations import (
    commonest_table,
    concentration_table,
    distribution_table,
    ranges_table,
)
from curation.report.charts.ranges import OCTAVES
from tests.report.charts.drawn import labels, profile_of, svg, words

POOL = profile_of(
    language={"en": 60, "de": 30, "fr": 9, "eo": 1},
    text_length={"16": 50, "2": 30, "8": 20},
    text_source={"alt": 80, "title": 20},
    host={"a.example": 50, "b.example": 25, "": 25},
    hosts={"": 12},
)
CURATED = profile_of(
    language={"fr": 5, "en": 5},
    text_length={"16": 10},
    text_source={"alt": 10},
    host={"b.example": 9, "a.example": 1},
    hosts={"": 2},
    entries_per_text={"1": 4, "3": 5, "32": 1},
    keep_probability={"0.2": 4, "1.0": 6},
    opt_outs={"noai": 3},
)
PROFILES = {"pool": POOL, "curated": CURATED}


def as_dict(table):
    return {(row["step"], row["value"]): row["rows"] for row in table.to_pylist()}


def test_shares_are_of_each_step():
    rows = distribution_table(PROFILES, "language").to_pylist()
    assert {row["step"]: row["share"] for row in rows if row["value"] == "en"} == {
        "pool": 0.6,
        "curated": 0.5,
    }


def test_a_facet_that_nobody_knows_is_said():
    with pytest.raises(InputError, match="no profile tells of status"):
        distribution_table(PROFILES, "status")


def test_values_that_look_the_same_become_one():
    profile = profile_of(language={"e\u202en": 2, "e\u200bn": 3})
    assert as_dict(distribution_table({"pool": profile}, "language")) == {("pool", "e\ufffdn"): 5}


def test_the_commonest_go_by_their_largest_share_and_the_rest_is_together():
    table = commonest_table(PROFILES, "language", 2)
    assert as_dict(table) == {
        ("pool", "en"): 60, ("curated", "en"): 5, ("pool", "fr"): 9, ("curated", "fr"): 5,
        ("pool", "all others"): 31,
    }  # fmt: skip
    assert ("pool", "all others") not in as_dict(commonest_table(PROFILES, "language", 2, rest=False))


def test_the_rest_of_the_hosts_is_no_host():
    assert {value for _, value in as_dict(commonest_table(PROFILES, "host", 9, rest=False))} == {
        "a.example", "b.example"
    }  # fmt: skip
    assert as_dict(commonest_table(PROFILES, "host", 1))["pool", "all others"] == 75


def test_ranges_stand_in_their_order_without_gaps():
    table = ranges_table(PROFILES, "text_length", OCTAVES)
    mine = [(row["value"], row["rows"]) for row in table.to_pylist() if row["step"] == "pool"]
    assert mine == [("2-3", 30), ("4-7", 0), ("8-15", 20), ("16-31", 50)]
    assert [row["rows"] for row in table.to_pylist() if row["step"] == "curated"] == [0, 0, 0, 10]


def test_the_median_is_said():
    assert "The median in curated: 16-31." in words(populations.text_lengths(PROFILES))
    assert "The median in curated: 3." in words(populations.entries_per_text(PROFILES))
    assert "The median in curated: 1." in words(populations.keep_probabilities(CURATED))
    assert "The median in pool: 8-15." in words(populations.text_lengths({"pool": POOL}))


def test_steps_that_do_not_know_are_left_out():
    drawn = labels(populations.entries_per_text(PROFILES))
    assert "pool" not in drawn
    assert {"curated", "2", "32-63"} <= drawn
    with pytest.raises(InputError, match="opt_outs"):
        populations.opt_outs({"pool": POOL})
    assert "noai" in labels(populations.opt_outs(PROFILES))


def test_concentration_adds_up_the_heaviest_and_not_the_rest():
    rows = [tuple(row.values()) for row in concentration_table(PROFILES).to_pylist()]
    assert rows == [("pool", 1, 0.5), ("pool", 2, 0.75), ("curated", 1, 0.9), ("curated", 2, 1.0)]
    assert "Hosts in curated: 2; the heaviest ten hold 100%." in words(
        populations.host_concentration(PROFILES)
    )
    assert "Hosts in pool: 12; the heaviest ten hold 75%." in words(
        populations.host_concentration({"pool": POOL})
    )


def test_long_hosts_keep_their_ends_and_differ():
    host = {f"{n}.cdn.of.a.long.name.example.com": 5 - n for n in range(2)} | {"x" * 30 + ".example.org": 1}
    drawn = labels(populations.hosts({"pool": profile_of(host=host)}))
    assert "…" + "xxxxxxxxxxx.example.org" in drawn
    assert set(list(host)[:2]) <= drawn


def test_all_of_them_can_be_drawn_and_are_inert():
    hostile = profile_of(host={"<script>x</script>\u202e": 3}, hosts={"": 1})
    assert "\u202e" not in json.dumps(populations.hosts({"pool": hostile}).to_dict(), ensure_ascii=False)
    assert "<script>" not in svg(populations.hosts({"pool": hostile}))
    for draw in (
        "languages",
        "text_sources",
        "hosts",
        "host_concentration",
        "text_lengths",
        "entries_per_text",
    ):
        assert "curated" in svg(getattr(populations, draw)(PROFILES)), draw
