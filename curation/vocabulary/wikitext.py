"""Wikitext to prose: what a reader of the article sees as running text, one block a line.

mwparserfromhell reads the links, tags and headings. Templates, tables and footnotes go before it sees the
page: they are 40% of the wikitext of the English Wikipedia, none of them is prose, and parsing them takes
most of the time.
"""

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator

import mwparserfromhell
from mwparserfromhell.nodes import Heading, HTMLEntity, Node, Tag, Text, Wikilink
from mwparserfromhell.wikicode import Wikicode

GAP = "\ufffc"
"""Stands for something that a reader sees and that is no text (a formula, what a template shows), so that the
words round it are no neighbours."""

NOT_SHOWN = frozenset({"file", "image", "media", "category"})
"""Namespaces whose links show no text, or a caption; those of a dump's own language come on top."""

_UNSEEN = r"ref|references|templatestyles|templatedata|indicator|section|includeonly"
_OBJECTS = (
    r"math|chem|ce|gallery|timeline|score|syntaxhighlight|source|pre|imagemap|hiero|graph|inputbox|mapframe|"
    r"maplink|categorytree|table|poem"
)
_OPENING = re.compile(rf"<!--|<({_UNSEEN}|{_OBJECTS}|nowiki)\b(?:[^<>/]|/(?!>))*(/?)>", re.IGNORECASE)
_IS_UNSEEN = re.compile(_UNSEEN, re.IGNORECASE)
_MARKUP = re.compile(r"[\[\]{}|<>=*#:;']")
_BRACES = re.compile(r"\{\{|\}\}|^[ \t:*#;]*\{\||^[ \t]*\|\}(?!\})", re.MULTILINE)
_WEB_LINK = re.compile(
    r"\[(?:(?:https?|ftp|news|irc):)?(?://|mailto:)[^\s\[\]]*[ \t]*([^\[\]\n]*)\]", re.IGNORECASE
)
_URL = re.compile(r"\b(?:https?|ftp)://[^\s\[\]<>|]+", re.IGNORECASE)
_NO_TAG = re.compile(r"<(?!/?[a-zA-Z][^<>]*>)")
_PAIRED = re.compile(r"\[\[|\]\]|<(/?)([a-zA-Z]+)[^<>]*(?<!/)>")
_QUOTES = re.compile(r"'{2,}")
_SWITCH = re.compile(r"__[A-Z]{3,}__")
_VARIANTS = re.compile(r"-\{([^{}]*)\}-")
_UNCLOSED_BRACES = re.compile(r"^[ \t]*[|!].*$|(?:\{\{|\{\|).*$", re.MULTILINE)
_UNCLOSED_LINK = re.compile(r"\[\[[^\[\]|\n]*:.*$", re.MULTILINE)
_INTERLANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]+)*|simple")
_MOST_WORK = 10**9
"""Openings that are never closed times characters: what the parser takes some seconds for."""
_UNPAIRED = frozenset({"br", "hr", "li", "dd", "dt", "wbr"})
_OWN_LINE = frozenset(
    {"br", "p", "div", "li", "dd", "dt", "ul", "ol", "dl", "tr", "td", "th", "hr", "blockquote"}
)


class TangledError(Exception):
    """A page with so many openings that are never closed that parsing it would take minutes or hours."""


def prose(wikitext: str, *, not_shown: frozenset[str] = NOT_SHOWN) -> str:
    """The running text of a page, headings and list items included.

    Left out: templates, tables, footnotes, formulas, galleries, code, comments, files with their captions,
    categories, links to the same page in other languages, bare URLs, and of unclosed markup the rest of the
    line. Links show their labels.

    Args:
        wikitext: of a page.
        not_shown: names of namespaces, in lower case, whose links show no text.

    Returns:
        Text, a line a paragraph, list item or heading; `GAP` where something without words stood.

    Raises:
        TangledError: the page is not fit to be parsed.
    """
    text = _UNCLOSED_BRACES.sub("", _without_braces(_without_elements(wikitext)))
    text = _SWITCH.sub("", _QUOTES.sub(_apostrophes, text))
    text = _VARIANTS.sub(lambda found: GAP if ":" in found[1] else found[1], text)
    text = _NO_TAG.sub("&lt;", _URL.sub(GAP, _WEB_LINK.sub(r"\1", text)))
    if _never_closed(text) * len(text) > _MOST_WORK:
        raise TangledError
    code = mwparserfromhell.parse(text, skip_style_tags=True)
    shown = "".join(_shown(code.nodes, not_shown))
    return html.unescape(_UNCLOSED_LINK.sub("", shown))


def _without_elements(text: str) -> str:
    """Without comments, and without the elements whose content is no wikitext or no prose."""
    kept, position = [], 0
    unclosed: set[str] = set()
    while found := _OPENING.search(text, position):
        kept.append(text[position : found.start()])
        name = (found[1] or "<!--").lower()
        position = found.end()
        if found[2] or name in unclosed:
            continue
        closing = re.compile("-->" if name == "<!--" else rf"</{name}\s*>", re.IGNORECASE)
        end = closing.search(text, position)
        if end is None:
            unclosed.add(name)  # is not looked for again: the time stays linear
            continue
        kept.append(_instead(name, text[position : end.start()]))
        position = end.end()
    kept.append(text[position:])
    return "".join(kept)


def _instead(name: str, content: str) -> str:
    """What stands for an element in the text."""
    if name == "nowiki":
        return GAP if _MARKUP.search(content) else content
    return "" if name == "<!--" or _IS_UNSEEN.fullmatch(name) else GAP


def _without_braces(text: str) -> str:
    """Without templates and tables, whatever is nested in them; unclosed ones stay."""
    opened: list[re.Match[str]] = []
    closed: list[tuple[int, int]] = []
    templates = 0
    for brace in _BRACES.finditer(text):
        kind = brace[0][-2:]
        if kind in ("{{", "{|"):
            opened.append(brace)
            templates += kind == "{{"
        elif kind == "|}":
            if opened and opened[-1][0][-2:] == "{|":
                closed.append((opened.pop().start(), brace.end()))
        elif templates:
            # The end of a template ends the tables that were opened in it, too.
            while opened[-1][0] != "{{":
                opened.pop()
            templates -= 1
            closed.append((opened.pop().start(), brace.end()))
    kept, position = [], 0
    for start, end in sorted(closed, key=lambda span: (span[0], -span[1])):
        if start >= position:
            kept += [text[position:start], GAP]
        position = max(position, end)
    return "".join([*kept, text[position:]])


def _never_closed(text: str) -> int:
    """How many links and tags are opened and not closed: for each the parser reads on to the end, in vain."""
    opened: Counter[str] = Counter()
    for found in _PAIRED.finditer(text):
        if found[2] is None:
            name, step = "[[", 1 if found[0] == "[[" else -1
        else:
            name, step = found[2].lower(), -1 if found[1] else 1
        opened[name] = max(0, opened[name] + step)
    return sum(n for name, n in opened.items() if name not in _UNPAIRED)


def _apostrophes(quotes: re.Match[str]) -> str:
    """Two, three and five are italics, bold and both; four and more than five have one that is meant."""
    return "'" if len(quotes[0]) == 4 or len(quotes[0]) > 5 else ""


def _shown(nodes: Iterable[Node], not_shown: frozenset[str]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Text):
            yield node.value
        elif isinstance(node, Wikilink):
            yield from _link(node, not_shown)
        elif isinstance(node, HTMLEntity):
            yield str(node)
        elif isinstance(node, Tag):
            yield from _tag(node, not_shown)
        elif isinstance(node, Heading):
            yield "\n"
            yield from _shown(node.title.nodes, not_shown)
            yield "\n"
        else:  # what is left of templates and URLs in strange places
            yield GAP


def _link(link: Wikilink, not_shown: frozenset[str]) -> Iterator[str]:
    title = str(link.title).strip()
    prefix, colon, _ = title.partition(":")
    if colon and prefix.strip().replace("_", " ").lower() in not_shown:
        return
    if link.text is not None:
        yield from _shown(link.text.nodes, not_shown)
    elif not (colon and prefix and _INTERLANGUAGE.fullmatch(prefix)):
        yield title.removeprefix(":").replace("_", " ")


def _tag(tag: Tag, not_shown: frozenset[str]) -> Iterator[str]:
    own_line = str(tag.tag).strip().lower() in _OWN_LINE
    if own_line:
        yield "\n"
    if isinstance(tag.contents, Wikicode):
        yield from _shown(tag.contents.nodes, not_shown)
    if own_line:
        yield "\n"
