import bz2
import re
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from curation.crawl.files import open_input
from curation.vocabulary import ngrams
from curation.vocabulary.ngrams import PARTS, count_piece, runs
from curation.vocabulary.streams import Piece
from curation.vocabulary.wikitext import NOT_SHOWN, prose
from tests.vocabulary.dumps import page, write_dump

Pair = tuple[str, str | None]


def counted(path: Path) -> tuple[Counter[Pair], list[str], dict]:
    """Counts, titles of redirects and the ledger of a dump that is read as one piece."""
    table = pa.Table.from_batches(
        count_piece(Piece(str(path)), open_at=open_input, not_shown=NOT_SHOWN), schema=PARTS
    )
    counts: Counter[Pair] = Counter()
    for row in table.filter(pa.compute.is_valid(table["first"])).to_pylist():
        counts[row["first"], row["second"]] += row["count"]
    (ledger,) = table["piece"].drop_null().to_pylist()
    return counts, table["redirect"].drop_null().to_pylist(), ledger


def slow_runs(text: str) -> list[list[str]]:
    """The same words by another route: character by character, without a regular expression."""
    found, run, word = [], [], ""
    text = text.replace("\xad", "") + "\n\n"
    for here, after in pairwise(text):
        if is_letter(here) or (
            word and here in "'\u2019&/\u00b7-" and is_letter(after) and is_letter(word[-1])
        ):
            word += here
            continue
        if word:
            run.append(word)
            word = ""
        if run and (not here.isspace() or here in "\n"):
            found.append(run)
            run = []
    return found


def is_letter(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M" or character in "\u200c\u200d"


RUNS = {
    "The dog's rock-n-roll, AT&T": [["The", "dog's", "rock-n-roll"], ["AT&T"]],
    "the 'big' (red) \"dog\"": [["the"], ["big"], ["red"], ["dog"]],
    "3,000 km/h at 3.5": [["3"], ["000", "km/h", "at", "3"], ["5"]],
    "a  b\u00a0c\td\ne": [["a", "b", "c", "d"], ["e"]],
    "cats\u2014dogs 1914\u20131918": [["cats"], ["dogs", "1914"], ["1918"]],
    "col\u00b7legi hin\u00addi C++ snake_case": [["col\u00b7legi", "hindi", "C"], ["snake"], ["case"]],
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902": [
        ["\u0939\u093f\u0928\u094d\u0926\u0940", "\u092e\u0947\u0902"]
    ],
    "-- ' & ...": [],
}


@pytest.mark.parametrize(("text", "expected"), RUNS.items(), ids=map(repr, RUNS))
def test_runs_of_words(text: str, expected: list[list[str]]) -> None:
    assert list(runs(text)) == expected
    assert slow_runs(text) == expected


def test_counts_of_a_dump(tmp_path: Path) -> None:
    path = write_dump(
        tmp_path / "d.xml.bz2",
        page("A", "The dog and the dog, the {{x}} cat."),
        page("B", "#REDIRECT [[A]]", redirect=True),
        page("Talk:A", "dog dog", namespace=1),
        page("Talk:R", "#REDIRECT [[A]]", namespace=1, redirect=True),
        page("C", "the dog", date="2025-06-07"),
    )
    counts, redirects, ledger = counted(path)
    assert counts == {
        ("The", None): 1,
        ("the", None): 3,
        ("dog", None): 3,
        ("and", None): 1,
        ("cat", None): 1,
        ("The", "dog"): 1,
        ("dog", "and"): 1,
        ("and", "the"): 1,
        ("the", "dog"): 2,
    }
    assert redirects == ["B"]
    assert ledger == {
        "file": str(path),
        "pages": 5,
        "articles": 2,
        "redirects": 1,
        "words": 9,
        "date": "2025-06-07",
        "faults": [],
        "error": None,
    }


def test_counting_in_many_portions_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_dump(tmp_path / "d.xml.bz2", *(page(str(n), f"a b {n} c d. a b {n % 3}") for n in range(50)))
    whole = counted(path)
    monkeypatch.setattr(ngrams, "MOST_TOKENS", 20)
    monkeypatch.setattr(ngrams, "BATCH_ROWS", 7)
    assert counted(path) == whole


def test_a_tangled_page_is_counted_and_costs_only_itself(tmp_path: Path) -> None:
    path = write_dump(tmp_path / "d.xml.bz2", page("A", "<b>" * 30_000), page("B", "dog"))
    counts, _, ledger = counted(path)
    assert counts == {("dog", None): 1}
    assert ledger["faults"] == [("markup_tangled", 1)]


def test_a_piece_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    counts, _, ledger = counted(tmp_path / "none.xml.bz2")
    assert not counts
    assert "FileNotFoundError" in ledger["error"]


def test_real_pages_are_counted_as_an_independent_slow_count_counts_them(shared_data: Path) -> None:
    path = shared_data / "wikipedia" / "enwiki-206-pages.xml.bz2"
    expected: Counter[Pair] = Counter()
    tree = ElementTree.fromstring(bz2.decompress(path.read_bytes()))
    space = tree.tag.removesuffix("mediawiki")
    articles = 0
    for element in tree.iter(f"{space}page"):
        if element.findtext(f"{space}ns") != "0" or element.find(f"{space}redirect") is not None:
            continue
        articles += 1
        for run in slow_runs(prose(element.findtext(f"{space}revision/{space}text") or "")):
            expected.update((word, None) for word in run)
            expected.update(pairwise(run))
    counts, redirects, ledger = counted(path)
    assert counts == expected
    assert (ledger["articles"], len(redirects), ledger["faults"]) == (articles, 99, []) == (106, 99, [])
    assert ledger["words"] == sum(n for (_, second), n in expected.items() if second is None) > 450_000


def test_real_pages_leak_no_markup(shared_data: Path) -> None:
    path = shared_data / "wikipedia" / "enwiki-206-pages.xml.bz2"
    counts, _, _ = counted(path)
    words = {first: n for (first, second), n in counts.items() if second is None}
    assert not {"ref", "url", "accessdate", "nbsp", "ndash", "http", "rowspan", "colspan"} & set(words)
    assert not [word for word in words if re.fullmatch(r"bgcolor|br|small/|wikitable|reflist|Infobox", word)]
    assert words["the"] > 28_000
