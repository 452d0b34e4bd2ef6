"""Which entries of a vocabulary occur in which texts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import ahocorasick_rs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.text import space

Boundary = Literal["word", "script"]

SCRIPT_LANGUAGES = frozenset({"bo", "dz", "ja", "km", "lo", "my", "ryu", "th", "zh"})
"""Languages written without spaces: their lists are matched with the script boundary."""

OTHER = "other"
"""The list for texts in a language that has none of its own."""

_IDS = pa.list_(pa.int32())

_SCRIPT_RANGES = (
    *((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3038, 0x303B)),  # Han: radicals, signs
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x16FE2, 0x16FF6), (0x20000, 0x3FFFD)),  # Han
    *((0x3041, 0x309F), (0x30A0, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F), (0x1AFF0, 0x1B16F)),  # kana
    *((0x0E00, 0x0E7F), (0x0E80, 0x0EFF)),  # Thai, Lao
    *((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),  # Burmese
    *((0x1780, 0x17FF), (0x19E0, 0x19FF), (0x0F00, 0x0FFF)),  # Khmer, Tibetan
    *((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),  # the 32 ASCII punctuation characters
)
_SCRIPT_PUNCTUATION = frozenset("，。、；：？！“”‘’（）【】《》〈〉「」『』～—.")  # noqa: RUF001 (they are meant)


class Matcher:
    """Finds the entries that occur in texts.

    Under the `word` boundary an entry occurs in a text when space + entry + space is a substring of the
    spaced text (`curation.core.text.space`). Under the `script` boundary a side of the entry gets no
    space where its character there belongs to a script written without spaces, or is punctuation.

    An automaton over the UTF-8 bytes, built once; matching is safe to repeat and keeps no state.

    Args:
        entries: strings (m), taken as they are; their positions are the entry ids.
        boundary: `word` for languages with spaces, `script` for those of `SCRIPT_LANGUAGES`.

    Raises:
        ValueError: an entry is null, or the boundary has another name.

    Source:
        MetaCLIP, section 3.2; MetaCLIP 2, section 3.2.

    Deviates:
        The script boundary counts Hiragana and Katakana among the scripts without spaces; MetaCLIP 2
        does not, so that its `カメラ` misses `ネコのカメラ`.
    """

    def __init__(self, entries: pa.Array | Sequence[str], boundary: Boundary = "word") -> None:
        names = entries.to_pylist() if isinstance(entries, pa.Array | pa.ChunkedArray) else list(entries)
        if None in names:
            raise ValueError(f"entry {names.index(None)} is null")
        self._find = _automaton(_patterns(names, boundary))

    def match(self, texts: pa.Array) -> pa.Array:
        """Find the entries of each text.

        Args:
            texts: strings (n), `string` or `large_string`, chunked or not.

        Returns:
            list<int32> (n): the ids of the entries that occur, sorted, each once; null for a null text.
        """
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        offsets, ids = [0], []
        for text in space(texts).to_pylist():
            if text is not None:
                ids.extend(self._find(text))
            offsets.append(len(ids))
        mask = texts.is_null() if texts.null_count else None
        return pa.ListArray.from_arrays(
            pa.array(offsets, pa.int32()), pa.array(np.asarray(ids, np.int32)), mask=mask
        )


def _patterns(entries: Iterable[str], boundary: Boundary) -> list[str]:
    if boundary == "word":
        return [f" {entry} " for entry in entries]
    if boundary == "script":
        return [_script_pattern(entry) for entry in entries]
    raise ValueError(f"boundary is {boundary!r}; it must be 'word' or 'script'")


def _script_pattern(entry: str) -> str:
    if not entry:
        return "  "
    left = "" if _spaceless(entry[0]) else " "
    right = "" if _spaceless(entry[-1]) else " "
    return left + entry + right


def _spaceless(character: str) -> bool:
    if character in _SCRIPT_PUNCTUATION:
        return True
    point = ord(character)
    return any(first <= point <= last for first, last in _SCRIPT_RANGES)


def _automaton(patterns: list[str]) -> Callable[[str], list[int]]:
    """An Aho-Corasick automaton that gives the sorted unique indexes of the patterns in a text."""
    find = ahocorasick_rs.AhoCorasick(patterns, store_patterns=False).find_matches_as_indexes
    return lambda text: sorted({index for index, _, _ in find(text, overlapping=True)})


class VocabularyMatcher:
    """Matches each text against the list of its language.

    Texts of a language without a list go to the list `other`, and match nothing where there is none. A
    vocabulary with one list is matched against every text, whatever its language: who wants one language
    only says so when extracting.

    Args:
        lists: entries (m_i) by language; ids count through the lists in this order.
    """

    def __init__(self, lists: Mapping[str, pa.Array]) -> None:
        self._lists: dict[str, tuple[int, Matcher]] = {}
        first_id = 0
        for language, entries in lists.items():
            boundary: Boundary = "script" if language in SCRIPT_LANGUAGES else "word"
            self._lists[language] = (first_id, Matcher(entries, boundary))
            first_id += len(entries)

    def match(self, texts: pa.Array, languages: pa.Array) -> pa.Array:
        """Find the entries of each text.

        Args:
            texts: strings (n).
            languages: codes (n) of the texts; null where unknown.

        Returns:
            list<int32> (n), as of `Matcher.match`.
        """
        if len(self._lists) == 1:
            ((_, matcher),) = self._lists.values()
            return matcher.match(texts)
        known = pc.is_in(languages, pa.array(self._lists, pa.string()))
        chosen = pc.if_else(known, languages, OTHER)
        positions, parts = [], []
        for language in pc.unique(chosen).to_pylist():
            rows = pc.indices_nonzero(pc.equal(chosen, language))
            positions.append(rows)
            parts.append(self._match_list(language, texts.take(rows)))
        if not parts:
            return pa.array([], _IDS)
        return pa.concat_arrays(parts).take(pc.array_sort_indices(pa.concat_arrays(positions)))

    def _match_list(self, language: str, texts: pa.Array) -> pa.Array:
        if language not in self._lists:
            return pa.array([[]] * len(texts), _IDS)
        first_id, matcher = self._lists[language]
        found = matcher.match(texts)
        ids = pc.add(found.values, pa.scalar(first_id, pa.int32()))
        mask = found.is_null() if found.null_count else None
        return pa.ListArray.from_arrays(found.offsets, ids, mask=mask)
