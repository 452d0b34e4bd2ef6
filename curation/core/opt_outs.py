"""What a page or an image's server says, for machines, against use for training."""

import re
from collections.abc import Iterable

AGENT = "curation"
"""What robots.txt and robots metas call us."""

_ROBOTS = frozenset({"noai", "noimageai", "noml", "none", "noindex", "noimageindex"})
_TDM = "tdm-reservation"
_USAGE = "content-usage"
_TAG = "x-robots-tag"

DIRECTIVES = _ROBOTS | {_TDM, _USAGE}
"""All that `opt_outs` can return."""

_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_KNOWN = _ROBOTS | {
    *("all", "index", "follow", "nofollow", "archive", "noarchive", "nocache", "snippet", "nosnippet"),
    *("imageindex", "notranslate", "indexifembedded", "nositelinkssearchbox", "noodp", "noydir"),
}

_SCOPE = re.compile(r"\s*+([a-z0-9_*./-]++)\s*+:")  # of what is in lower case
_CLOCK = re.compile(r"[^:]*[0-9]:[0-9]")

# Of AI training in the drafts: today `train-ai` alone, before that also the others.
_TRAINING = ("train-ai", "train-genai", "ai", "genai")

# A member of a dictionary, RFC 9651 section 4.2.2. Possessive: hostile input costs linear time.
_KEY = r"[a-z*][a-z0-9_.*-]*+"
_BARE = (
    r'(?:"(?:[ !#-\[\]-~]|\\["\\])*+"'  # string
    r'|%"(?:[ !#$&-~]|%[0-9a-f]{2})*+"'  # display string
    r"|[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*+"  # token
    r"|:[A-Za-z0-9+/=]*+:"  # bytes
    r"|-?[0-9]{1,12}\.[0-9]{1,3}|@?-?[0-9]{1,15}|\?[01])"
)
_PARAMETERS = rf"(?:; *+{_KEY}(?:={_BARE})?+)*+"
_ITEM = _BARE + _PARAMETERS
_INNER_LIST = rf"\( *+(?:{_ITEM}(?: ++|(?=\))))*+\)"
_MEMBER = re.compile(rf"({_KEY})(?:=(?:({_BARE})|{_INNER_LIST}))?+{_PARAMETERS}")
_COMMA = re.compile(r"[ \t]*+,[ \t]*+")


def opt_outs(
    headers: Iterable[tuple[str, str]], metas: Iterable[tuple[str, str]] = (), *, agent: str = AGENT
) -> tuple[str, ...]:
    """Tell which directives against training, or against being found at all, apply to us.

    Args:
        headers: (name, value) of an HTTP response, repeated ones as often as they come, in their order.
        metas: (name, content) of the page's `<meta>`; one with `http-equiv` has that for a name.
        agent: our name, in any case.

    Returns:
        Those of `DIRECTIVES` that apply, sorted, each once. Whatever cannot be read says nothing.

    Source:
        Google, "Robots meta tag, data-nosnippet, and X-Robots-Tag specifications", for scopes and lists;
        `noai`, `noimageai` are DeviantArt's, `noml` is of noml.info. TDM Reservation Protocol, final report
        of the W3C community group. draft-ietf-aipref-attach and draft-ietf-aipref-vocab over RFC 9651.
    """
    agent = agent.strip().lower()
    found: set[str] = set()
    usage: dict[str, str] = {}
    for name, value in headers:
        name = name.strip().lower()
        if name == _TAG:
            found |= _scoped(value, agent)
        elif name == _USAGE:
            usage |= _dictionary(value)  # lines of a dictionary add up, and the last of a key counts
        elif name == _TDM and value.strip() == "1":
            found.add(_TDM)
    for name, content in metas:
        name = name.strip().lower()
        if name == "robots" or name == agent:
            found.update(*map(_words, content.lower().split(",")))
        elif name == _TAG:
            found |= _scoped(content, agent)
        elif name == _TDM and content.strip() == "1":
            found.add(_TDM)
    if usage and any(usage.get(key) == "n" for key in _TRAINING):
        found.add(_USAGE)
    return tuple(sorted(found)) if found else ()


def _scoped(line: str, agent: str) -> set[str]:
    """What one line of X-Robots-Tag says to all and to this agent."""
    found: set[str] = set()
    ours = True
    for piece in line.lower().split(","):
        # A date has commas and colons: what follows its comma is no scope, for a clock has digits round `:`.
        while (scope := _SCOPE.match(piece)) and scope[1] not in _VALUED and not _CLOCK.match(piece):
            ours = scope[1] in ("*", agent)
            piece = piece[scope.end() :]
        if ours:
            found |= _words(piece)
    return found


def _words(piece: str) -> frozenset[str]:
    """The directives between two commas: one, or by mistake several with only spaces between them."""
    words = piece.split()
    if len(words) > 1 and not all(map(_is_known, words)):  # prose, a date, `max-image-preview: none`
        return frozenset()
    return _ROBOTS.intersection(words)


def _is_known(word: str) -> bool:
    name, _, value = word.partition(":")
    return word in _KNOWN or (value != "" and name in _VALUED)


def _dictionary(line: str) -> dict[str, str]:
    """The keys and bare values of a dictionary of structured fields; empty if any of it is malformed."""
    line = line.strip(" \t")
    members: dict[str, str] = {}
    at = 0
    while member := _MEMBER.match(line, at):
        members[member[1]] = member[2] or ""
        at = member.end()
        if at == len(line):
            return members
        comma = _COMMA.match(line, at)
        if comma is None:
            return {}
        at = comma.end()
    return {}
