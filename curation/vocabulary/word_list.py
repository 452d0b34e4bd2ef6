"""Words and word pairs with how often they are used, and which of their forms are worth an entry."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import numpy as np

from curation.errors import InputError
from curation.vocabulary.files import read_bytes

WORDS_PER_MINIMUM = 20_000_000
"""A word must be at least one in so many: below are typing errors and fragments."""
PAIR_SHARE = 4
"""Pairs get one in so many of the places, as the bigrams do in Table 1 of MetaCLIP: 100,646 of 413,346."""
NAME_SHARE = 16
"""Names of several words, capitalised, get one in so many at most."""

UNORDERED_SHARE = 0.1
"""A pair has no order if the words come the other way round at least this often, in parts of its count."""
STUFFED_SHARE = 1 / 4
"""A word is one of keyword stuffing if this share of its pairs has no order, of at least `STUFFED_PAIRS`."""
STUFFED_PAIRS = 4
FREQUENT_WORDS = 100
"""So many of the most frequent words stand on either side of others by nature, and tell nothing of these."""

NEVER = ("jailbait", "lolita", "preteen", "pthc")
"""Words with these in them are never taken. On the web they stand for sexualised children, and an entry that
is rare keeps every text that it occurs in."""

_DIGITS = 18  # of a count: what a 64-bit integer surely holds


def _title(words: str) -> str:
    return " ".join(word.capitalize() for word in words.split(" "))


# How often a word of the list comes in each form, in parts of what it comes in lower case: in English alt
# texts as many words are capitalised as not, and one in twenty is in capitals; of pairs a fifth is.
_WORD_FORMS: tuple[tuple[int, Callable[[str], str], float], ...] = (
    (0, str, 1),
    (1, str.capitalize, 1),
    (2, str.upper, 0.1),
)
_PAIR_FORMS: tuple[tuple[int, Callable[[str], str], float], ...] = ((3, str, 1), (4, _title, 0.25))
_NAMES = 5
SOURCES = (
    *("words", "capitalised words", "upper-case words"),
    *("word pairs", "capitalised pairs", "capitalised names"),
)
"""What the entries are, in the order in which they come."""


_Form = tuple[float, str, int, int]
"""A candidate, a way of writing a word, a pair or a name: minus its strength, entry, source, uses."""


def read_word_counts(path: str) -> list[tuple[str, int]]:
    """Read a list of words or word pairs with counts: in each line the words, a tab and the count.

    Args:
        path: path or URL of a text file in UTF-8, with gzip if it ends in `.gz`.

    Raises:
        InputError: it is missing, a line is not of this kind, or there is none.
    """
    lines = read_bytes(path).removesuffix(b"\n").split(b"\n")
    counts = []
    for number, line in enumerate(lines, start=1):
        words, tab, count = line.removesuffix(b"\r").partition(b"\t")
        try:
            text = words.decode()
        except UnicodeDecodeError:
            raise InputError(f"{path}: line {number} is not UTF-8") from None
        if not (text.split() and tab and count.isdigit() and len(count) <= _DIGITS):
            raise InputError(f"{path}: line {number} is not words, a tab and a count")
        counts.append((text, int(count)))
    return counts


def choose(
    words: Iterable[tuple[str, int]],
    pairs: Iterable[tuple[str, int]],
    *,
    taken: Collection[str],
    size: int,
) -> dict[str, dict[str, int]]:
    """Choose the forms of words and word pairs that fill a vocabulary.

    Lists of counts are mostly in lower case, and matching minds case: so words and pairs come as they are
    and capitalised, words in capitals too, each form as strong as it is used. Words are ranked by their
    count, pairs by the score of `pair_scores`, without those that `phrases` leaves out. Names of several
    words that are taken already come capitalised too, if the list knows all their words: `Great Dane`.

    Args:
        words: words with their counts; those of a word that comes twice are added.
        pairs: pairs of words, joined by a space, with their counts.
        taken: entries that are in the vocabulary already, each once.
        size: how many entries the vocabulary may have, with those taken.

    Returns:
        By source, in the order of `SOURCES`, the entries with the count of what they are forms of (of names,
        of the rarest word), the most used first. Entries among them that are taken already fill no place
        and are there so that the source can be noted.
    """
    word_counts, pair_counts = _added(words), _added(pairs)
    for never in [word for word in word_counts if any(part in word.lower() for part in NEVER)]:
        del word_counts[never]  # and so all pairs and names with it
    room = max(0, size - len(taken))
    seen = set(taken)
    forms = _strongest(_names(taken, word_counts), room // NAME_SHARE, seen)
    forms += _strongest(_pair_forms(word_counts, pair_counts), room // PAIR_SHARE, seen)
    forms += _strongest(_word_forms(word_counts), size - len(seen), seen)
    chosen: dict[str, dict[str, int]] = {source: {} for source in SOURCES}
    for _, entry, source, uses in sorted(forms, key=lambda form: (-form[3], form[1])):
        chosen[SOURCES[source]][entry] = uses
    return chosen


def pair_scores(words: Mapping[str, int], pairs: Mapping[str, int]) -> dict[str, float]:
    """The scores of the pairs of two known words: (count + 1)^0.7 (PMI - its 30th percentile).

    Pointwise mutual information alone is highest for the rarest pairs, in lists from the web those of
    spam; the count mends that. PMI = log2(n N / (a b)), N being the sum of the counts of the words.

    Source:
        MetaCLIP 2, on the choice of its bigrams.
    """
    total = sum(words.values())
    information: dict[str, float] = {}
    for pair, count in pairs.items():
        first, _, second = pair.partition(" ")
        if count and words.get(first) and words.get(second):
            information[pair] = math.log2(count * total / (words[first] * words[second]))
    if not information:
        return {}
    least = float(np.percentile(list(information.values()), 30))
    return {pair: (pairs[pair] + 1) ** 0.7 * (value - least) for pair, value in information.items()}


def phrases(words: Mapping[str, int], pairs: Mapping[str, int]) -> dict[str, int]:
    """The pairs without those of keyword stuffing, which fills lists from the web with pornography.

    A phrase has an order, a heap of keywords has none. So pairs are left out that are about as usual the
    other way round, and then all pairs with a word of which that is true of many pairs. That takes some
    phrases along (`Pink Floyd`), and no list of words that somebody has to keep.

    Args:
        words: counts of the words.
        pairs: counts of the pairs.
    """
    frequent = set(sorted(words, key=lambda word: (-words[word], word))[:FREQUENT_WORDS])
    unordered = {pair for pair, count in pairs.items() if _reverse(pair, pairs) >= UNORDERED_SHARE * count}
    met: Counter[str] = Counter()
    heaped: Counter[str] = Counter()
    for pair in pairs:
        parts = set(pair.split(" "))
        if not parts & frequent:
            met.update(parts)
            heaped.update(parts if pair in unordered else ())
    stuffed = {word for word, n in met.items() if n >= STUFFED_PAIRS and heaped[word] >= STUFFED_SHARE * n}
    return {
        pair: count
        for pair, count in pairs.items()
        if pair not in unordered and not stuffed.intersection(pair.split(" "))
    }


def _reverse(pair: str, pairs: Mapping[str, int]) -> int:
    return pairs.get(" ".join(reversed(pair.split(" "))), 0)


def _added(counts: Iterable[tuple[str, int]]) -> Counter[str]:
    added: Counter[str] = Counter()
    for words, count in counts:
        added[words] += count
    return added


def _word_forms(words: Mapping[str, int]) -> Iterator[_Form]:
    least = sum(words.values()) / WORDS_PER_MINIMUM
    for word, uses in words.items():
        if uses >= least:
            for source, written, share in _WORD_FORMS:
                yield -uses * share, written(word), source, uses


def _pair_forms(words: Mapping[str, int], pairs: Mapping[str, int]) -> Iterator[_Form]:
    for pair, score in pair_scores(words, phrases(words, pairs)).items():
        if score > 0:
            for source, written, share in _PAIR_FORMS:
                yield -score * share, written(pair), source, pairs[pair]


def _names(taken: Iterable[str], words: Mapping[str, int]) -> Iterator[_Form]:
    for name in taken:
        parts = name.split(" ")
        rarest = min(words.get(part, 0) for part in parts)
        if len(parts) > 1 and rarest:
            yield -rarest, _title(name), _NAMES, rarest


def _strongest(forms: Iterable[_Form], places: int, seen: set[str]) -> list[_Form]:
    """The strongest forms, as many as bring `places` new entries; `seen` grows by them."""
    chosen: dict[str, _Form] = {}
    end = len(seen) + places
    for form in sorted(forms):
        if len(seen) >= end:
            break
        entry = form[1]
        chosen.setdefault(entry, form)  # of forms that are written alike the strongest stays
        seen.add(entry)
    return list(chosen.values())
