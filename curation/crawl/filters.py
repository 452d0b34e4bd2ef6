"""What is left out because someone listed it, and what is taken out of texts."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from curation.errors import InputError

CACHED_HOSTS = 1 << 16
"""Hosts whose verdict is remembered; then all are forgotten."""

_COMMENT = re.compile(r"(?:^|\s)#.*")
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_URL_HOST = re.compile(r"https?://(?:[^/?#\\]*@)?(\[[^\]/]*\]|[^/?#\\:]*)", re.IGNORECASE)
_HOST = re.compile(
    r"\[[0-9a-f:.]+\]|[^\s/?#@:\[\]<>\"%^`{|}\\*,;.]+(?:\.[^\s/?#@:\[\]<>\"%^`{|}\\*,;.]+)*\.?"
)
_HEX = re.compile(r"[0-9a-f]{32,}")
_SHOWN = 80

# Marks belong to the words they are in, which `\w` does not know; in scripts that put no spaces between words
# a character counts as one.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0900-\u0963\u0966-\u0df3\u200c\u200d"
)
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"(?:(?![{_UNSPACED}])[\w{_MARKS}])++|\S")

_LOCAL = r"[\w.+%'-]"
# Takes whole runs of what could precede an @, so that none is looked at from each of its characters.
_EMAIL = re.compile(rf"{_LOCAL}++(@(?!\dx\.)(?:[\w-]++\.)+[^\W\d_][\w-]++)?")
_EIGHT_DIGITS = re.compile(r"(?:\D*+\d){8}")
_PHONE = re.compile(
    r"""
    (?<![\w+])(?<!\w-)(?<!\d\.)
    (?:
        \+[1-9](?:[ \u00a0.()/-]{0,2}\d){7,14}                          # +49 (0)30 1234567
      | 00[1-9]\d{0,2}[ \u00a0./-](?:[ \u00a0.()/-]{0,2}\d){7,12}       # 0049 30 1234567
      | \((?!(?:19|20)\d\d\))\d{2,5}\)[ \u00a0-]?                      # (030) 123 45 67, no (1998) 120-135
        (?:\d{6,8}|\d{3,5}[ \u00a0.-]\d{3,5}|\d{2,3}(?:[ \u00a0.-]\d{2,3}){2,3})
      | (?:1[ .-])?[2-9]\d\d([.-])\d{3}\1\d{4}                         # 1-800-555-1234
      | 0\d{1,4}[ \u00a0./-](?:\d{6,8}|\d{3,4}[ \u00a0.-]\d{3,4})       # 030/1234567, 020 7946 0958
      | 0\d{2,4}[ \u00a0./-]\d{2,3}[ \u00a0.-]\d{2,3}[ \u00a0.-]\d{2,3}  # 044 123 45 67
      | 0\d([ \u00a0.-])\d\d(?:\2\d\d){3}                              # 06 12 34 56 78
    )
    (?![\w(+]|[.-][\d(+])
    """,
    re.VERBOSE,
)
"""Every repeat is bounded, so a text costs its length times a constant.

What must not follow a number must not precede one either: so redacting twice changes nothing.
"""


@dataclass(frozen=True)
class BlockList:
    """Hosts and URLs that are left out.

    Lists of both have one a line; `|` merges them.

    Attributes:
        hosts: in lower case and as DNS has them (`xn--`); each stands for itself and all below it.
        urls: exact, but for a fragment, which they have lost.
        hashes: sha256, each of a URL or of a host.
    """

    hosts: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()
    hashes: frozenset[bytes] = frozenset()
    _verdicts: dict[str, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def parse(cls, lines: Iterable[str], where: str) -> Self:
        """Read a list: a host, a URL (http…) or the 64 hex digits of a sha256 a line.

        The sha256 is that of a URL as it stands, or of a host in lower case, in UTF-8. A host's is looked for
        among those of itself and of each of its parent domains. `#`, at the start or after a space, begins a
        comment.

        Raises:
            InputError: a line is none of these; `where` names the list.
        """
        hosts, urls, hashes = set(), set(), set()
        for number, line in entries(lines):
            name = line.lower()
            if _HTTP.match(line) and _host_of(line) and not any(map(str.isspace, line)):
                urls.add(line.partition("#")[0])
            elif _HEX.fullmatch(name):
                if len(name) != 64:
                    raise InputError(
                        f"{where}, line {number}: {len(name)} hex digits: a sha256 has 64 of them"
                    )
                hashes.add(bytes.fromhex(name))
            elif _HOST.fullmatch(name):
                hosts.add(_ascii_host(name))
            else:
                wanted = "give a host, a URL with http, or the sha256 of one"
                raise InputError(f"{where}, line {number}: {line[:_SHOWN]!r}: {wanted}")
        return cls(frozenset(hosts), frozenset(urls), frozenset(hashes))

    def reason(self, url: str) -> str | None:
        """`blocked_host` or `blocked_url` for what is in the list, None for other URLs."""
        host = _host_of(url)
        blocked = self._verdicts.get(host)
        if blocked is None:
            if len(self._verdicts) >= CACHED_HOSTS:
                self._verdicts.clear()
            blocked = self._verdicts[host] = self._blocks(host)
        if blocked:
            return "blocked_host"
        if not self.urls and not self.hashes:
            return None
        url = url.partition("#")[0]
        return "blocked_url" if url in self.urls or (self.hashes and _hash(url) in self.hashes) else None

    def _blocks(self, host: str) -> bool:
        names = {name for form in (host.lower(), _ascii_host(host)) for name in _with_parents(form)}
        return not names.isdisjoint(self.hosts) or (
            bool(self.hashes) and any(_hash(name) in self.hashes for name in names)
        )

    def __or__(self, other: "BlockList") -> "BlockList":
        return BlockList(self.hosts | other.hosts, self.urls | other.urls, self.hashes | other.hashes)

    def __reduce__(self) -> tuple[type, tuple[frozenset[str], frozenset[str], frozenset[bytes]]]:
        return type(self), (self.hosts, self.urls, self.hashes)


@dataclass(frozen=True)
class TermList:
    """Terms that drop a text in which they occur as whole words, in upper or lower case.

    A term's words and punctuation must follow each other in the text; whitespace between them is all one. In
    scripts that write no spaces, such as Chinese and Thai, a term is found within any text. `|` merges lists.

    Attributes:
        terms: words, and punctuation characters, of each.
    """

    terms: frozenset[tuple[str, ...]] = frozenset()
    _lengths: dict[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lengths: dict[str, set[int]] = {}
        for term in self.terms:
            lengths.setdefault(term[0], set()).add(len(term))
        object.__setattr__(
            self, "_lengths", {first: tuple(sorted(found)) for first, found in lengths.items()}
        )

    @classmethod
    def parse(cls, lines: Iterable[str], where: str) -> Self:
        """Read a list: a term a line, with comments as in a `BlockList`.

        Raises:
            InputError: a term has neither letter nor digit; `where` names the list.
        """
        terms = set()
        for number, line in entries(lines):
            if not any(map(str.isalnum, line)):
                raise InputError(
                    f"{where}, line {number}: {line[:_SHOWN]!r}: a term needs a letter or a digit"
                )
            terms.add(tuple(_words(line)))
        return cls(frozenset(terms))

    def found(self, text: str) -> bool:
        """Whether one of the terms occurs in a text."""
        words = _words(text)
        if self._lengths.keys().isdisjoint(words):
            return False
        return any(
            tuple(words[at : at + length]) in self.terms
            for at, word in enumerate(words)
            for length in self._lengths.get(word, ())
        )

    def __or__(self, other: "TermList") -> "TermList":
        return TermList(self.terms | other.terms)


def redact(text: str) -> str:
    """`text` with its e-mail addresses as `[email]` and its phone numbers as `[phone]`, in linear time.

    Only what looks like one is found. Phone numbers: with `+` or `00` and a country's code, with an area code
    in parentheses or after a leading zero, and 3-3-4 digits as in North America; at least 8 digits in all.

    Not found: numbers without `+` that are one run of digits, as bar codes and ISBNs are; those in groups
    without a leading zero (`22 33 44 55`, `555 123 4567`), as sizes and years are; those written in words;
    addresses with `(at)`, or on a host without a dot. Found by mistake: what has the form of a phone number,
    such as a part number `0123-456-789` or `+100 000 000`, and an `a@b.cd` that is no address. Names and
    postal addresses stay.
    """
    if "@" in text:
        text = _EMAIL.sub(lambda match: "[email]" if match[1] else match[0], text)
    return _PHONE.sub("[phone]", text) if _EIGHT_DIGITS.match(text) else text


def entries(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Number, from 1, and content of the lines of a list that have any, without comments."""
    for number, line in enumerate(lines, 1):
        if content := _COMMENT.sub("", line.lstrip("\ufeff").rstrip("\r\n")).strip():
            yield number, content


def _host_of(url: str) -> str:
    match = _URL_HOST.match(url)
    return match[1] if match else ""


def _ascii_host(host: str) -> str:
    host = host.lower().removesuffix(".")
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host


def _with_parents(host: str) -> Iterator[str]:
    """`a.b.c`, `b.c` and `c`."""
    name = host.removesuffix(".")
    while name:
        yield name
        name = name.partition(".")[2]


def _hash(name: str) -> bytes:
    return sha256(name.encode("utf-8", "surrogatepass")).digest()


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFC", text.casefold()))
