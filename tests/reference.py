"""MetaCLIP's published algorithm, slow and obvious, written from the paper: the second opinion.

Shares no code with the library; only the draw is handed in, for it is the one thing that is ours.
"""

import string
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass


def space(text: str) -> str:
    """Algorithm 1, part 1: spacing of texts, character by character."""
    spaced = " "
    for character in text:
        if character in ",.;:?!`":
            spaced += " " + character + " "
        elif character in "\t\n\r":
            spaced += " "
        else:
            spaced += character
    return spaced + " "


def match(entries: Sequence[str], text: str) -> list[int]:
    """Algorithm 1, part 1: the loop over the entries."""
    spaced = space(text)
    return [number for number, entry in enumerate(entries) if " " + entry + " " in spaced]


CJK_PUNCTUATION = "，。、；：？！“”‘’（）【】《》〈〉「」『』～—."  # noqa: RUF001 (they are meant)


def match_script(entries: Sequence[str], text: str) -> list[int]:
    """MetaCLIP 2's rule for scripts without spaces: sides of an entry that need no space get none."""
    spaced = space(text)
    found = []
    for number, entry in enumerate(entries):
        left = "" if spaceless(entry[0]) else " "
        right = "" if spaceless(entry[-1]) else " "
        if left + entry + right in spaced:
            found.append(number)
    return found


def spaceless(character: str) -> bool:
    """By the names that Unicode gives, where the library has ranges of numbers."""
    scripts = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "MYANMAR", "KHMER", "TIBETAN", "IDEOGRAPHIC")
    if character in string.punctuation or character in CJK_PUNCTUATION:
        return True
    return unicodedata.name(character, "").startswith(scripts)


class Lookup:
    """The same matches for long vocabularies: every run of tokens of the spaced text, looked up in a dict."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._numbers: dict[str, list[int]] = {}
        for number, entry in enumerate(entries):
            self._numbers.setdefault(entry, []).append(number)
        self._longest = max(entry.count(" ") + 1 for entry in entries)

    def match(self, text: str) -> list[int]:
        tokens = space(text)[1:-1].split(" ")
        found: set[int] = set()
        for first in range(len(tokens)):
            for last in range(first + 1, min(first + self._longest, len(tokens)) + 1):
                found.update(self._numbers.get(" ".join(tokens[first:last]), ()))
        return sorted(found)


@dataclass(frozen=True)
class Curated:
    """What the reference makes of a pool."""

    counts: list[int]
    probabilities: list[float]
    matches: dict[str, list[int]]
    keep: dict[str, float]
    kept: set[str]


def curate(texts: dict[str, str], entries: Sequence[str], t: float, draw: Callable[[str], float]) -> Curated:
    """Match and balance texts by uid; `draw` gives the number in [0, 1) of a uid."""
    search = Lookup(entries).match
    matches = {uid: found for uid, text in texts.items() if (found := search(text))}
    counts = [0] * len(entries)
    for found in matches.values():
        for number in found:
            counts[number] += 1
    probabilities = [1.0 if count <= t else t / count for count in counts]
    keep = {}
    for uid, found in matches.items():
        missed = 1.0
        for number in found:
            missed *= 1.0 - probabilities[number]
        keep[uid] = 1.0 - missed
    kept = {uid for uid in matches if draw(uid) < keep[uid]}
    return Curated(counts, probabilities, matches, keep, kept)
