import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from curation.report.card.content import collect
from curation.report.card.page import page
from curation.report.tables import Run
from tests.report.card.runs import CLOSING, SCRIPT, TURNED, make_pool, make_run


class Reader(HTMLParser):
    """What a browser would make of the page: elements, and the texts in them."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words, self.scripts, self._in = [], [], [], None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._in = None

    def handle_data(self, data):
        if self._in == "script":
            self.scripts[-1] += data
        else:
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(content):
    return page(content, stem="card", today="2026-03-04")


@pytest.fixture(scope="module")
def read(html):
    return Reader(html)


def test_hostile_words_are_words(read, html):
    assert any(SCRIPT in word for word in read.words)
    assert len(read.scripts) == 3
    assert not any(name.startswith("on") for _, attributes in read.elements for name in attributes)
    assert not any("javascript:" in (value or "") for _, a in read.elements for value in a.values())
    assert "\u202e" not in html
    assert CLOSING not in html


def test_nothing_is_asked_of_a_network(read):
    kinds = ("src", "href", "action", "data", "srcset", "poster")
    addresses = [a[kind] for _, a in read.elements for kind in kinds if a.get(kind)]
    assert addresses
    assert all(address.startswith(("#", "data:image/jpeg;base64,")) for address in addresses)


def test_policy_lets_these_scripts_run_and_no_others(html, read):
    (policy,) = [a["content"] for a in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in read.scripts]
    assert rules["script-src"].split() == [f"'sha256-{sha}'" for sha in hashes[1:]]
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "unsafe" not in policy
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in rules["style-src"]
    assert not any("style" in attributes for _, attributes in read.elements)


def test_data_of_the_page(read):
    data = json.loads(read.scripts[0])
    assert "<" not in read.scripts[0]
    assert len(data["entries"]["entry"]) == 17
    assert data["entries"]["entry"][0] == "cat"
    assert [data["entries"]["languages"][n] for n in data["entries"]["language"]] == ["en"] * 17
    assert set(data["themes"]) == {"light", "dark"}
    assert set(data["charts"]) >= {"funnel", "ranks", "cumulative", "heaviest", "hosts", "languages", "sizes"}
    assert TURNED not in json.dumps(data, ensure_ascii=False)


def test_every_chart_has_its_place_its_words_and_its_numbers(read, content):
    figures = {figure.name: figure for chapter in content.figures.values() for figure in chapter}
    places = {a["data-chart"]: a for a in read.all("div") if "data-chart" in a}
    assert set(places) == set(figures)
    for name, place in places.items():
        assert place["role"] == "img"
        assert place["aria-label"] == figures[name].description != ""
        assert figures[name].title in " ".join(read.words)
        assert figures[name].numbers.rows
    assert len(read.all("details")) >= len(figures)


def test_tables_have_captions_and_headers(html):
    tables = re.findall(r"<table.*?</table>", html[: html.index("<script")], re.DOTALL)
    assert len(tables) > 20
    assert all("<caption>" in table and "scope=" in table for table in tables)


def test_landmarks_and_headings(read):
    tags = [tag for tag, _ in read.elements]
    for tag in ("header", "nav", "main", "footer"):
        assert tags.count(tag) == 1
    assert read.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = {a["id"] for _, a in read.elements if "id" in a}
    assert {a["href"][1:] for a in read.all("a")} <= names
    assert {a["aria-labelledby"] for _, a in read.elements if "aria-labelledby" in a} <= names
    assert all("alt" in a for a in read.all("img"))


def test_samples_and_entries_are_there_without_scripts(read, content):
    assert len(read.all("img")) == len(content.pictures) > 6
    words = " ".join(read.words)
    assert "All 17 entries that match a text" in words
    assert "chameleon" in words


def test_open_questions_say_by_what_name_they_are_answered(read):
    assert "funding" in read.words
    assert any("questions of the" in word for word in read.words)


def test_the_search_says_what_it_covers(content):
    few = replace(content.entries, matched=123_456)
    html = page(replace(content, entries=few), stem="card", today="x")
    assert "17 of the 123,456 entries that match a text: the heaviest, and others evenly" in html
    assert "The search covers these alone. All 20 of the vocabulary are in" in html


def test_parts_that_are_missing(tmp_path):
    make_pool(tmp_path / "work" / "pool")
    content = collect(Run.open(str(tmp_path / "work")), {}, beside=tmp_path, samples=4)
    read = Reader(page(content, stem="card", today="x"))
    words = " ".join(read.words)
    assert "Not in this card, for it is not there yet" in words
    assert "jobs/download.py" in words
    assert not read.all("img")
    assert [a for a in read.all("div") if a.get("id") == "entry-table"] == []
    assert json.loads(read.scripts[0])["entries"] is None


def test_several_languages_have_a_column_and_a_choice(tmp_path):
    work = make_run(tmp_path / "work", languages=True)
    content = collect(Run.open(str(work)), {}, beside=tmp_path, samples=2)
    read = Reader(page(content, stem="card", today="x"))
    assert [a["data-column"] for a in read.all("th") if "data-column" in a] == [
        "rank", "entry", "language", "count", "kept_count", "probability"]  # fmt: skip
    assert len(read.all("option")) == 3


def test_what_the_author_says_is_inert_too(work):
    said = ("name", "summary", "purpose", "citation", "licence", "version")
    given = dict.fromkeys(said, SCRIPT) | {"url": "javascript:hacked=5"}
    content = collect(Run.open(str(work)), given, beside=work, samples=0)
    read = Reader(page(content, stem="card", today="x"))
    assert len(read.scripts) == 3
    assert "".join(read.words).count(SCRIPT) > 6
    assert not any("javascript" in a.get("href", "") for a in read.all("a"))


def test_training_results_are_there_when_there_are_any(tmp_path):
    work = make_run(tmp_path / "work")
    scores = {
        "cifar": {"metric": "accuracy", "value": 0.6, "low": 0.55, "high": 0.65, "head": None, "tail": None}
    }
    arms = [
        {"name": name, "samples": 10, "seeds": [0, 1], "datasets": scores} for name in ("all", "balanced")
    ]
    difference = {"arm": "balanced", "baseline": "all", "dataset": "cifar", "part": "all", "value": 0.1,
                  "low": 0.05, "high": 0.15, "verdict": "better"}  # fmt: skip
    (work / "comparison").mkdir()
    (work / "comparison" / "comparison.json").write_text(
        json.dumps({"arms": arms, "differences": [difference]})
    )
    content = collect(Run.open(str(work)), {}, beside=tmp_path, samples=0)
    assert [figure.name for figure in content.figures["training"]] == ["scores", "differences"]
    assert 'id="training"' in page(content, stem="card", today="x")
