"""MetaCLIP's published algorithm, slow and obvious, written from the paper: the second opinion.

Shares no code with the library; only the draw is handed in, for it is the one thing that is ours.
"""

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
