"""Texts a second through the matcher, on one core: ours, pyahocorasick as MetaCLIP 2, and MetaCLIP's loop."""

import ahocorasick
import numpy as np
import pyarrow as pa

from benchmarks.report import Result, rate
from curation.core.matcher import Matcher
from curation.core.text import space

ENTRIES = 500_000
TEXTS = 20_000
LOOP_TEXTS = 20


def run() -> Result:
    """Measure on made-up words: 500k entries, half of them pairs of words; texts of 8 words."""
    entries, texts = _vocabulary(), _texts()
    array = pa.array(texts)
    matcher = Matcher(entries)
    automaton = ahocorasick.Automaton()
    for number, entry in enumerate(entries):
        automaton.add_word(f" {entry} ", number)
    automaton.make_automaton()
    expected = matcher.match(array).to_pylist()
    assert _pyahocorasick(automaton, array) == expected
    assert _loop(entries, array[:LOOP_TEXTS]) == expected[:LOOP_TEXTS]
    matches = sum(map(len, expected)) / TEXTS
    return Result(
        "texts/s",
        {
            "ours": rate(lambda: matcher.match(array), TEXTS),
            "pyahocorasick, a text at a time": rate(lambda: _pyahocorasick(automaton, array), TEXTS),
            "loop over the entries": rate(lambda: _loop(entries, array[:LOOP_TEXTS]), LOOP_TEXTS, 1),
        },
        f"{ENTRIES:,} entries, texts of {np.mean([len(text) for text in texts]):.0f} characters "
        f"with {matches:.1f} matches",
    )


def _word(number: int) -> str:
    """A pronounceable word, short for small numbers, as frequent words are."""
    syllables = [c + v for c in "bdfgklmnprst" for v in "aeiou"]
    word = ""
    while number or not word:
        number, digit = divmod(number, len(syllables))
        word += syllables[digit]
    return word


def _numbers(rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.zipf(1.2, size) % (ENTRIES // 2)


def _vocabulary() -> list[str]:
    rng = np.random.default_rng(0)
    entries = dict.fromkeys(_word(number) for number in range(ENTRIES // 2))
    while len(entries) < ENTRIES:
        for one, two in _numbers(rng, 200_000).reshape(-1, 2):
            entries.setdefault(f"{_word(one)} {_word(two)}")
    return list(entries)[:ENTRIES]


def _texts() -> list[str]:
    rng = np.random.default_rng(1)
    return [" ".join(map(_word, numbers)) for numbers in _numbers(rng, TEXTS * 8).reshape(-1, 8)]


def _pyahocorasick(automaton: ahocorasick.Automaton, texts: pa.Array) -> list[list[int]]:
    return [sorted({number for _, number in automaton.iter(text)}) for text in space(texts).to_pylist()]


def _loop(entries: list[str], texts: pa.Array) -> list[list[int]]:
    patterns = [f" {entry} " for entry in entries]
    return [
        [number for number, pattern in enumerate(patterns) if pattern in text]
        for text in space(texts).to_pylist()
    ]
