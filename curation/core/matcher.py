"""Which entries of a vocabulary occur in which texts."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Literal

import numpy as np
import numpy.typing as npt
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

    Built once, for either boundary by an engine of its own; matching is safe to repeat and keeps no state.

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
        if isinstance(entries, pa.ChunkedArray):
            entries = entries.combine_chunks()
        elif not isinstance(entries, pa.Array):
            entries = pa.array(entries, pa.string())
        if entries.null_count:
            raise ValueError(f"entry {pc.index(entries.is_null(), True).as_py()} is null")
        if boundary not in _ENGINES:
            raise ValueError(f"boundary is {boundary!r}; it must be 'word' or 'script'")
        self._find = _ENGINES[boundary](entries)

    def match(self, texts: pa.Array) -> pa.Array:
        """Find the entries of each text.

        Args:
            texts: strings (n), `string` or `large_string`, chunked or not.

        Returns:
            list<int32> (n): the ids of the entries that occur, sorted, each once; null for a null text.

        Raises:
            TypeError: the texts are not strings.
            pyarrow.ArrowInvalid: there are more matches than a list array can hold, 2^31 - 1.
        """
        if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
            raise TypeError(f"texts are {texts.type}; they must be string or large_string")
        chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
        return pa.concat_arrays([pa.array([], _IDS), *(self._match(chunk) for chunk in chunks)])

    def _match(self, texts: pa.Array) -> pa.Array:
        ends, ids = self._find(texts)
        mask = texts.is_null() if texts.null_count else None
        return pa.ListArray.from_arrays(pa.array(ends).cast(pa.int32()), pa.array(ids), mask=mask)


_Ids = npt.NDArray[np.int32]
_Find = Callable[[pa.Array], tuple[npt.NDArray[np.int64], _Ids]]
"""Texts (n) to where the ids of each begin and the last end (n + 1), and the ids."""


def _word_engine(entries: pa.Array) -> _Find:
    """The trie of `word_trie`, over the Arrow buffers."""
    from curation.core import word_trie  # numba takes a third of a second to load, and 200 MB

    trie = word_trie.Trie(*word_trie.build(*_bytes(entries)))

    def find(texts: pa.Array) -> tuple[npt.NDArray[np.int64], _Ids]:
        nulls = texts.is_null() if texts.null_count else pa.array([], pa.bool_())
        nulls = nulls.to_numpy(zero_copy_only=False)
        ends, ids = word_trie.match(*_bytes(texts), nulls, trie)
        return ends, ids

    return find


def _bytes(strings: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The buffers of strings (n): their bytes, and the offsets (n + 1) at which they begin and end."""
    kind = np.dtype(np.int64 if pa.types.is_large_string(strings.type) else np.int32)
    _, offsets, data = strings.buffers()
    if not len(strings):  # there may be no buffers at all
        return np.frombuffer(b"", np.uint8), np.zeros(1, np.int64)
    places = np.frombuffer(offsets, kind, len(strings) + 1, strings.offset * kind.itemsize)
    read_only = np.frombuffer(data or b"", np.uint8)
    read_only.setflags(write=False)  # or numba compiles once more for buffers that happen to be mutable
    return read_only, places.astype(np.int64)


def _script_engine(entries: pa.Array) -> _Find:
    """An Aho-Corasick automaton, a text at a time."""
    import ahocorasick_rs  # the engines are loaded by those who need them: memory is short in a worker

    patterns = [_script_pattern(entry) for entry in entries.to_pylist()]
    search = ahocorasick_rs.AhoCorasick(patterns, store_patterns=False).find_matches_as_indexes

    def find(texts: pa.Array) -> tuple[npt.NDArray[np.int64], _Ids]:
        ends, ids = [0], list[int]()
        for text in space(texts).to_pylist():
            if text is not None:
                ids.extend(sorted({index for index, _, _ in search(text, overlapping=True)}))
            ends.append(len(ids))
        return np.array(ends, np.int64), np.array(ids, np.int32)

    return find


_ENGINES: dict[str, Callable[[pa.Array], _Find]] = {"word": _word_engine, "script": _script_engine}


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


class VocabularyMatcher:
    """Matches each text against the list of its language.

    Texts of a language without a list go to the list `other`, and match nothing where there is none. A
    vocabulary with one list is matched against every text, whatever its language: who wants one language
    only says so when extracting.

    Args:
        lists: entries (m_i) by language; ids count through the lists in this order.
    """

    def __init__(self, lists: Mapping[str, pa.Array]) -> None:
        self._lists = dict(lists)
        ends = accumulate(len(entries) for entries in lists.values())
        self._first_ids = dict(zip(lists, [0, *ends], strict=False))
        self._matchers: dict[str, Matcher] = {}

    def match(self, texts: pa.Array, languages: pa.Array) -> pa.Array:
        """Find the entries of each text.

        Args:
            texts: strings (n).
            languages: codes (n) of the texts; null where unknown.

        Returns:
            list<int32> (n), as of `Matcher.match`.
        """
        if len(self._lists) == 1:
            return self._matcher(*self._lists).match(texts)
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
        found = self._matcher(language).match(texts)
        ids = pc.add(found.values, pa.scalar(self._first_ids[language], pa.int32()))
        mask = found.is_null() if found.null_count else None
        return pa.ListArray.from_arrays(found.offsets, ids, mask=mask)

    def _matcher(self, language: str) -> Matcher:
        """The matcher of a list, built when the first text in its language comes."""
        if language not in self._matchers:
            boundary: Boundary = "script" if language in SCRIPT_LANGUAGES else "word"
            self._matchers[language] = Matcher(self._lists[language], boundary)
        return self._matchers[language]
