"""Building a vocabulary: its sources put together in a fixed order, and the manifest of what went in."""

import hashlib
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from curation import __version__
from curation.core.text import space
from curation.errors import InputError
from curation.vocabulary import wordnet as wn
from curation.vocabulary.vocabulary import Vocabulary, one_list

LANGUAGE = "en"
DIGITS = tuple(str(number) for number in range(100))

_PUNCTUATION = frozenset(string.punctuation)
_RELEASE = re.compile(r"WordNet \S+ Copyright (\d{4})")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What one source has to offer.

    Attributes:
        name: of the source.
        entries: the strongest first, where it has strengths.
        counts: of the entries; None where the source does not count.
        most: how many entries it may add to those before it; None for all.
    """

    name: str
    entries: Sequence[str]
    counts: Sequence[int] | None = None
    most: int | None = None


@dataclass(kw_only=True)
class Recipe:
    """What a manifest tells beside the entries.

    Attributes:
        parameters: that decided the entries.
        inputs: files, each with its source, name, sha256 and size.
        licences: by source.
        dates: that the inputs state.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    licences: dict[str, str] = field(default_factory=dict)
    dates: list[str] = field(default_factory=list)


class Merger:
    """Entries in the order in which the sources first bring them.

    Attributes:
        sources: of each entry, all of them.
        counts: of each entry in the source that brought it, where that counts.
        added: entries by the source that brought them, in the order of the sources.

    Args:
        spaced: whether entries are spaced as texts are before matching.
    """

    def __init__(self, *, spaced: bool = False) -> None:
        self.sources: dict[str, list[str]] = {}
        self.counts: dict[str, int] = {}
        self.added: dict[str, int] = {}
        self._spaced = spaced

    def __len__(self) -> int:
        return len(self.sources)

    def add(self, source: Source) -> None:
        """Add the entries of a source, until it has brought as many new ones as it may."""
        added = 0
        counts: Iterable[int | None] = source.counts or [None] * len(source.entries)
        for entry, count in zip(self._written(source.entries), counts, strict=True):
            # These would match the gaps and the punctuation of nearly every text.
            if not entry.strip() or entry.strip() in _PUNCTUATION:
                continue
            if entry not in self.sources:
                if added == source.most:
                    break
                added += 1
                self.sources[entry] = []
                if count is not None:
                    self.counts[entry] = count
            if source.name not in self.sources[entry]:
                self.sources[entry].append(source.name)
        self.added[source.name] = self.added.get(source.name, 0) + added

    def trim(self, size: int) -> int:
        """Keep so many entries, the weakest going first: those of the last source, from its end on.

        Returns:
            How many went.
        """
        gone = list(self.sources)[size:]
        for entry in gone:
            self.added[self.sources.pop(entry)[0]] -= 1
            self.counts.pop(entry, None)
        return len(gone)

    def vocabulary(self, language: str) -> Vocabulary:
        """What was put together, as a vocabulary of one list."""
        return one_list(language, self.sources, counts=self.counts)

    def _written(self, entries: Sequence[str]) -> Sequence[str]:
        if not self._spaced:
            return entries
        return [entry[1:-1] for entry in space(pa.array(entries, pa.string())).to_pylist()]


def wordnet_sources(wordnet: str) -> tuple[list[Source], Recipe]:
    """The digits, and the names of WordNet's synsets.

    Args:
        wordnet: path or URL of a WordNet database, a directory in WNDB format.

    Raises:
        InputError: the database is missing or damaged.

    Source:
        MetaCLIP, section 3.1 and Table 1: "WordNet synsets", 86,654 with WordNet 3.0, digits included.
    """
    database = wn.read_database(wordnet)
    notice = wn.notice(database)
    release = _RELEASE.search(notice)
    recipe = Recipe(
        inputs=[file_input("wordnet", path, data) for path, data in database.items()],
        licences={"wordnet": notice},
        dates=[release[1]] if release else [],
    )
    return [digits(), Source(name="wordnet", entries=wn.synset_names(database))], recipe


def digits() -> Source:
    """The entries "0" to "99"."""
    return Source(name="digits", entries=DIGITS)


def build(*, wordnet: str) -> tuple[Vocabulary, dict[str, Any]]:
    """Build the vocabulary of "0" to "99" and the names of WordNet's synsets.

    Args:
        wordnet: path or URL of a WordNet database, a directory in WNDB format.

    Returns:
        The vocabulary, and its manifest, both decided by the content of the input alone; so the manifest
        has the date of the input, not of the build, and file names without folders.

    Raises:
        InputError: the database is missing or damaged.
    """
    sources, recipe = wordnet_sources(wordnet)
    merger = Merger()
    for source in sources:
        merger.add(source)
    recipe.parameters = {"language": LANGUAGE, "digits": digits_parameter()}
    vocabulary = merger.vocabulary(LANGUAGE)
    return vocabulary, manifest(vocabulary, merger.added, recipe)


def digits_parameter() -> str:
    """How a manifest tells the digits."""
    return f"{DIGITS[0]}..{DIGITS[-1]}"


def manifest(vocabulary: Vocabulary, added: Mapping[str, int], recipe: Recipe) -> dict[str, Any]:
    """The content of MANIFEST.json."""
    return {
        "sha256": vocabulary.sha256,
        "entries": {language: len(vocabulary.entries(language)) for language in vocabulary.languages},
        "added": {name: n for name, n in added.items() if n},
        "parameters": recipe.parameters,
        "date": max(recipe.dates, default=None),
        "inputs": recipe.inputs,
        "licences": recipe.licences,
        "version": __version__,
    }


def file_input(source: str, path: str, data: bytes) -> dict[str, Any]:
    """How a manifest tells a file that was read as a whole."""
    return input_line(source, path, hashlib.sha256(data).hexdigest(), len(data))


def input_line(source: str, path: str, sha256: str, size_bytes: int) -> dict[str, Any]:
    """How a manifest tells a file."""
    name = PurePosixPath(path).name
    return {"source": source, "file": name, "sha256": sha256, "size_bytes": size_bytes}


def refuse_small(size: int, never_trimmed: int) -> None:
    """See that a size leaves room for what is never trimmed.

    Raises:
        InputError: it does not.
    """
    if size < never_trimmed:
        raise InputError(
            f"--size {size} is less than the {never_trimmed} entries of digits and WordNet, which all stay"
        )
