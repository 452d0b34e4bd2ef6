"""Matching at word boundaries, on one core: ours beside automata and MetaCLIP's loop."""

from functools import cache

import ahocorasick
import ahocorasick_rs
import numpy as np
import pyarrow as pa

from benchmarks.report import Result, rates
from curation.core.matcher import Matcher
from curation.core.text import space

ENTRIES = 500_000
TEXTS = 20_000
WORDS = 9
STRANGERS = 0.15  # of the words of a text are not in the vocabulary
LOOP_TEXTS = 20


def run() -> Result:
    """Texts a second on one core: 500k made-up entries, half of them pairs of words; captions of 9 words."""
    entries, texts = vocabulary(), pa.array(captions())
    matcher = Matcher(entries)
    automaton = ahocorasick.Automaton()
    for number, entry in enumerate(entries):
        automaton.add_word(f" {entry} ", number)
    automaton.make_automaton()
    rust = ahocorasick_rs.AhoCorasick([f" {entry} " for entry in entries], store_patterns=False)
    expected = matcher.match(texts).to_pylist()
    few = texts[:LOOP_TEXTS]
    assert _ahocorasick_rs(rust, texts) == expected
    assert _pyahocorasick(automaton, texts) == expected
    assert _loop(entries, few) == expected[:LOOP_TEXTS]
    measured = rates(
        TEXTS,
        {
            "ours": lambda: matcher.match(texts),
            "ahocorasick-rs, a text at a time": lambda: _ahocorasick_rs(rust, texts),
            "pyahocorasick, a text at a time": lambda: _pyahocorasick(automaton, texts),
        },
    )
    measured |= rates(LOOP_TEXTS, {"loop over the entries": lambda: _loop(entries, few)}, rounds=1)
    length = np.mean([len(text) for text in texts.to_pylist()])
    return Result(
        "texts/s",
        measured,
        f"{ENTRIES:,} entries, texts of {length:.0f} characters with {sum(map(len, expected)) / TEXTS:.1f} "
        "matches, one core",
    )


def word(number: int) -> str:
    """A pronounceable word, shorter for small numbers, as frequent words are."""
    syllables = [c + v for c in "bdfgklmnprst" for v in "aeiou"]
    number += len(syllables)
    made = ""
    while number:
        number, digit = divmod(number, len(syllables))
        made += syllables[digit]
    return made


def _numbers(rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.zipf(1.2, size) % (ENTRIES // 2)


@cache
def vocabulary() -> list[str]:
    """500k entries: words, and pairs of words as often as they occur."""
    rng = np.random.default_rng(0)
    entries = dict.fromkeys(word(number) for number in range(ENTRIES // 2))
    while len(entries) < ENTRIES:
        for one, two in _numbers(rng, 200_000).reshape(-1, 2):
            entries.setdefault(f"{word(one)} {word(two)}")
    return list(entries)[:ENTRIES]


@cache
def captions(texts: int = TEXTS) -> list[str]:
    """Texts of 9 words with a full stop."""
    rng = np.random.default_rng(1)
    numbers = _numbers(rng, texts * WORDS)
    numbers[rng.random(len(numbers)) < STRANGERS] += ENTRIES
    return [" ".join(map(word, row)) + "." for row in numbers.reshape(-1, WORDS)]


def _ahocorasick_rs(automaton: ahocorasick_rs.AhoCorasick, texts: pa.Array) -> list[list[int]]:
    find = automaton.find_matches_as_indexes
    return [
        sorted({number for number, _, _ in find(text, overlapping=True)}) for text in space(texts).to_pylist()
    ]


def _pyahocorasick(automaton: ahocorasick.Automaton, texts: pa.Array) -> list[list[int]]:
    return [sorted({number for _, number in automaton.iter(text)}) for text in space(texts).to_pylist()]


def _loop(entries: list[str], texts: pa.Array) -> list[list[int]]:
    patterns = [f" {entry} " for entry in entries]
    return [
        [number for number, pattern in enumerate(patterns) if pattern in text]
        for text in space(texts).to_pylist()
    ]
