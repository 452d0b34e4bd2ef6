"""Building a vocabulary: its sources put together in a fixed order, and the manifest of what went in."""

import hashlib
import re
import string
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from curation import __version__
from curation.vocabulary import wordnet as wn
from curation.vocabulary.vocabulary import Vocabulary, one_list

LANGUAGE = "en"
DIGITS = tuple(str(number) for number in range(100))

_PUNCTUATION = frozenset(string.punctuation)
_RELEASE = re.compile(r"WordNet \S+ Copyright (\d{4})")


def build(*, wordnet: str) -> tuple[Vocabulary, dict[str, Any]]:
    """Build the vocabulary of "0" to "99" and the names of WordNet's synsets.

    Args:
        wordnet: path or URL of a WordNet database, a directory in WNDB format.

    Returns:
        The vocabulary, and its manifest, both decided by the content of the input alone; so the manifest
        has the date of the input, not of the build, and file names without folders.

    Raises:
        InputError: the database is missing or damaged.

    Source:
        MetaCLIP, section 3.1 and Table 1: "WordNet synsets", 86,654 with WordNet 3.0, digits included.
    """
    database = wn.read_database(wordnet)
    entries = _merge({"digits": DIGITS, "wordnet": tuple(wn.synset_names(database))})
    vocabulary = one_list(LANGUAGE, entries)
    notice = wn.notice(database)
    release = _RELEASE.search(notice)
    manifest = {
        "sha256": vocabulary.sha256,
        "entries": {LANGUAGE: len(vocabulary)},
        "added": dict(Counter(sources[0] for sources in entries.values())),
        "parameters": {"language": LANGUAGE, "digits": f"{DIGITS[0]}..{DIGITS[-1]}"},
        "date": release[1] if release else None,
        "inputs": [_input("wordnet", path, data) for path, data in database.items()],
        "licences": {"wordnet": notice},
        "version": __version__,
    }
    return vocabulary, manifest


def _merge(sources: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Entries in the order in which the sources first bring them, each with all its sources."""
    merged: dict[str, list[str]] = {}
    for source, entries in sources.items():
        for entry in entries:
            # These would match the gaps and the punctuation of nearly every text.
            if entry and entry not in _PUNCTUATION:
                merged.setdefault(entry, []).append(source)
    return merged


def _input(source: str, path: str, data: bytes) -> dict[str, Any]:
    return {
        "source": source,
        "file": PurePosixPath(path).name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
    }
