import re
import time
from contextlib import suppress

import pytest

from curation.vocabulary.wikitext import GAP, NOT_SHOWN, TangledError, prose


def lines(wikitext: str, **options: frozenset[str]) -> list[str]:
    return [line.strip() for line in prose(wikitext, **options).splitlines() if line.strip(f" {GAP}")]


# What a reader of the rendered page sees as running text, checked by hand.
CASES = {
    "style": ("'''Bold''' and ''italics'' and '''''both'''''", ["Bold and italics and both"]),
    "apostrophe": ("L''''amour''' of ''l'été''", ["L'amour of l'été"]),
    "links": (
        "[[dog]]s and [[Canis lupus|grey wolves]] of [[New_York#History|York]]",
        ["dogs and grey wolves of York"],
    ),
    "plain link": ("see [[New York (state)]]", ["see New York (state)"]),
    "file": ("[[File:A b.jpg|thumb|A [[dog]] with ''bone'' and [http://a.b c]]]The text.", ["The text."]),
    "file with a template": ("[[Image:A.jpg|right|{{lang|fr|chien}}]]Text", ["Text"]),
    "category": ("Text\n[[Category:Dogs|dog]]\n[[:Category:Cats]]", ["Text", "Category:Cats"]),
    "languages": ("Text [[de:Hund]] [[simple:Dog]] [[zh-min-nan:Káu]]", ["Text"]),
    "title with a colon": ("[[Terminator 2: Judgment Day]]", ["Terminator 2: Judgment Day"]),
    "template": ("A {{convert|5|km|mi}} walk", [f"A {GAP} walk"]),
    "nested templates": ("A {{a|{{b|{{c}}}}|{{{d}}} }}{{e|\n|}} walk", [f"A {GAP}{GAP} walk"]),
    "infobox": ("{{Infobox\n| name = Dog\n| image = [[File:x.jpg]]\n}}\n'''Dog''' is", ["Dog is"]),
    "table": ('before\n{| class="wikitable"\n! head\n|-\n| cell || other\n|}\nafter', ["before", "after"]),
    "nested tables": ("a\n{|\n|\n{|\n| x\n|}\n| y\n|}\nb", ["a", "b"]),
    "table in a template": ("{{t|\n{|\n| x\n}}\nafter", ["after"]),
    "unclosed table": ("{|\n! head\n| cell\nThe prose goes on.", ["The prose goes on."]),
    "unclosed template": ("Text {{cite book | title = A\n| year = 1900\nMore.", ["Text", "More."]),
    "stray end": ("A dog}} barks |} here", ["A dog}} barks |} here"]),
    "html table": ("a<table><tr><td>x</td></tr></table>b", [f"a{GAP}b"]),
    "footnotes": ('Dogs<ref name="a">See {{cite}} [http://x y]</ref> bark.<ref name=b/>', ["Dogs bark."]),
    "footnote with a slash": ('Dogs<ref name="a/b">See</ref> bark', ["Dogs bark"]),
    "unclosed footnote": ("Dogs<ref> bark", ["Dogs bark"]),
    "comment": ("a<!-- {{ [[ <ref> -->b <!-- never closed", ["ab  never closed"]),
    "formula": ("where <math>\\frac{a}{{b}}</math> is", [f"where {GAP} is"]),
    "code": ("use <syntaxhighlight lang=c>int {{</syntaxhighlight> or <code>x</code>", [f"use {GAP} or x"]),
    "gallery": ("<gallery>\nFile:a.jpg|A dog\n</gallery>\nText", ["Text"]),
    "nowiki": ("a<nowiki>{{b}}</nowiki>c <nowiki>plain</nowiki> d<nowiki/>s", [f"a{GAP}c plain ds"]),
    "heading": ("== The ''big'' dog ==\nText\n===Sub===", ["The big dog", "Text", "Sub"]),
    "lists": (
        "* one [[cat]]\n** two\n# three\n; term : meaning\n: indented",
        ["one cat", "two", "three", "term", "meaning", "indented"],
    ),
    "web links": (
        "[http://a.b/c label of it] and [http://a.b] and http://a.b/c?d=e. End",
        [f"label of it and  and {GAP} End"],
    ),
    "entities": (
        "5&nbsp;km &ndash; AT&amp;T &lt;b&gt; [[a|x&minus;y]] &bogus;",
        ["5\xa0km \u2013 AT&T <b> x\u2212y &bogus;"],
    ),
    "tags": (
        "H<sub>2</sub>O<br/>next <small>small</small> <span class='x'>span</span>",
        ["H2O", "next small span"],
    ),
    "less than": ("if a < b and c<5 then", ["if a < b and c<5 then"]),
    "switches": ("__NOTOC__Text __FORCETOC__", ["Text"]),
    "variants": ("-{zh-cn:甲;zh-tw:乙}-丙-{丁}-", [f"{GAP}丙丁"]),
}


@pytest.mark.parametrize(("wikitext", "expected"), CASES.values(), ids=CASES.keys())
def test_what_a_reader_sees(wikitext: str, expected: list[str]) -> None:
    assert lines(wikitext) == expected


def test_namespaces_go_by_the_names_of_the_wiki() -> None:
    text = "[[Datei:Hund.jpg|mini|Ein Hund]][[Kategorie:Hund]]Der Hund"
    assert lines(text, not_shown=NOT_SHOWN | {"datei", "kategorie"}) == ["Der Hund"]
    assert lines(text) != ["Der Hund"]


N = 30_000
HOSTILE = [
    *(
        "[[" * N,
        "{{" * N,
        "{|\n" * N,
        "{|\n" * N + "}}" * N,
        "<ref>" * N,
        "<!--" * N,
        "[http://a " * N,
        "<b>" * N,
    ),
    *(
        "<b>x</b" * N,
        "[[a|" * N,
        "{{a|" * N + "}}" * N,
        "<a " * N,
        '<span a="' * N,
        "[[a<b>[http://x " * N,
        "<p>" * N,
    ),
    *(
        "''" * N,
        "==a\n" * N,
        "&lt;" * N,
        "-{" * N,
        "[[File:a|thumb|" * N + "]]" * N,
        "[http://a <b>]</b>" * N,
        "\n*" * N,
    ),
]


@pytest.mark.parametrize("wikitext", HOSTILE, ids=lambda text: repr(text[:16]))
def test_hostile_markup_is_dealt_with_or_refused_in_time(wikitext: str) -> None:
    start = time.process_time()
    with suppress(TangledError):
        prose(wikitext)
    assert time.process_time() - start < 10


def test_one_broken_paragraph_does_not_hide_the_page() -> None:
    text = "Good one.\n\nA [[File:x.jpg|thumb|broken caption\n\n" + "Good [[link]]. " * 50
    found = prose(text)
    assert "Good one." in found
    assert found.count("Good link.") == 50
    assert not re.search("broken|thumb", found)
