"""WordNets of other languages than English: the words of their synsets, from Open Multilingual Wordnet."""

import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from curation.errors import InputError
from curation.vocabulary.files import read_bytes

_LEMMA = re.compile(r"(?:[\w-]+:)?lemma")  # not `arb:lemma:root`, which is no word
_GAPS = frozenset({"GAP!", "PSEUDOGAP!"})  # where the language has no word for the synset


def names(path: str) -> list[str]:
    """The distinct words of the synsets of a WordNet, in the order of their code points.

    All the words of a synset, unlike the English names, each the first of its synset: in these files the
    order of the words means nothing. Case is kept, for it is the language's (`Haus`), and nothing is cut at
    a dot: what MetaCLIP cuts is a suffix of NLTK's names, which these do not have.

    Args:
        path: path or URL of a file of Open Multilingual Wordnet: `.tab` as of version 1, or WN-LMF if the
            name ends in `.xml` or `.xml.gz`.

    Raises:
        InputError: it is missing or damaged, or holds no words.
    """
    words = (" ".join(word.replace("_", " ").split()) for word in _words(path))
    found = {word for word in words if word and word not in _GAPS}
    if not found:
        raise InputError(f"{path}: holds no words: not of Open Multilingual Wordnet")
    return sorted(found)


def licence(path: str) -> str:
    """What the file says of its name, language, home and licence, in one line; empty if it says nothing.

    Raises:
        InputError: it is missing or damaged.
    """
    if not _is_xml(path):
        head = _text(path).split("\n", 1)[0]
        return " ".join(head[1:].split()) if head.startswith("#") else ""
    for element in _elements(path):
        if element.tag == "Lexicon":
            said = (element.get(name, "") for name in ("label", "language", "url", "license"))
            return " ".join(" ".join(said).split())
    return ""


def _words(path: str) -> Iterator[str]:
    if _is_xml(path):
        yield from (element.get("writtenForm", "") for element in _elements(path) if element.tag == "Lemma")
        return
    for line in _text(path).split("\n"):
        _, label, word, *_ = (*line.split("\t"), "", "")
        if _LEMMA.fullmatch(label) and not line.startswith("#"):
            yield word


def _is_xml(path: str) -> bool:
    return path.endswith((".xml", ".xml.gz"))


def _text(path: str) -> str:
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error.reason}") from None


def _elements(path: str) -> Iterator[ElementTree.Element]:
    """The elements in the order in which they begin, with their attributes and nothing else to rely on."""
    try:
        for _, element in ElementTree.iterparse(io.BytesIO(read_bytes(path)), events=("start",)):
            yield element
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not XML: {error}") from None
