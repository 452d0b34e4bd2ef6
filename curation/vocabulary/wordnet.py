"""The first source of entries: the names of WordNet's synsets, read from the files of its database."""

import re
from collections.abc import Mapping

from curation.errors import InputError
from curation.vocabulary.files import read_bytes

DATA_FILES = ("data.noun", "data.verb", "data.adj", "data.adv")

_SYNSET = re.compile(rb"(\d{8}) \d\d [nvasr] [0-9a-f]{2} (\S+) [0-9a-f]+ ")  # offset … first word, lex_id
_NOTICE = re.compile(rb"^  \d+ (.*?) *$", re.MULTILINE)  # the numbered lines that head each file
_MARKER = re.compile(r"\((a|p|ip)\)$")  # says where an adjective may stand: galore(ip), outback(a)


def read_database(folder: str) -> dict[str, bytes]:
    """Read the four data files of a WordNet database: their content by path.

    Args:
        folder: path or URL of a directory in WNDB format, such as `dict/` of Princeton's archive.

    Raises:
        InputError: a file is missing or cannot be read.
    """
    paths = [f"{folder.rstrip('/')}/{name}" for name in DATA_FILES]
    return {path: read_bytes(path) for path in paths}


def synset_names(database: Mapping[str, bytes]) -> list[str]:
    """The distinct names of the synsets of a WordNet database, in the order of their code points.

    A synset's name is its first lemma in lower case, cut at the first `.`, with spaces for `_`: `Ph.D.`
    gives `ph`, and `.22_caliber` the empty string. Sorted, so that the names do not depend on the order
    in which a release lists its synsets.

    Args:
        database: content of data files by path, as `read_database` returns it.

    Raises:
        InputError: a file is damaged, or is none of WordNet's.

    Source:
        MetaCLIP, section 3.1 and Table 1, whose names are those of NLTK's synsets (`lemma.pos.nn`, split
        at the first dot). Format: wndb(5WN) of WordNet's manual.
    """
    lemmas = (lemma for path, data in database.items() for lemma in _first_lemmas(path, data))
    return sorted({_MARKER.sub("", lemma).lower().split(".")[0].replace("_", " ") for lemma in lemmas})


def notice(database: Mapping[str, bytes]) -> str:
    """The notice at the head of the first data file, licence and copyright; empty where there is none."""
    head = next(iter(database.values()))
    return "".join(line.decode(errors="replace") + "\n" for line in _NOTICE.findall(head))


def _first_lemmas(path: str, data: bytes) -> list[str]:
    lemmas = []
    offset = 0
    for line in data.splitlines(keepends=True):
        if not line.startswith(b"  "):  # the notice
            synset = _SYNSET.match(line)
            # Each synset says at which byte it stands, which shows lost and changed bytes.
            if synset is None or int(synset[1]) != offset or not line.endswith(b"\n"):
                raise InputError(f"{path}: damaged, or not of WordNet: no synset at byte {offset}")
            lemmas.append(_decoded(path, synset[2]))
        offset += len(line)
    if not lemmas:
        raise InputError(f"{path}: holds no synsets")
    return lemmas


def _decoded(path: str, lemma: bytes) -> str:
    try:
        return lemma.decode()
    except UnicodeDecodeError:
        raise InputError(f"{path}: a word is not UTF-8: {lemma!r}") from None
