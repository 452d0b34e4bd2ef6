"""What real texts say about the two numbers of `pool_model.Law`: `python -m benchmarks.pool_texts`."""

import json
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pyarrow as pa
from rich.console import Console

from benchmarks.extraction import DATA
from benchmarks.pool_model import Floats, solve
from curation.core.matcher import Matcher
from curation.crawl.extract import Reading, read_file
from curation.crawl.language import Languages
from curation.crawl.pairs import Rules
from curation.vocabulary.vocabulary import read_vocabulary

VOCABULARIES = ("metadata/english", "metadata/wordnet")
RARE = (0.1, 0.2, 0.4)
"""Shares of all matches that the rarest entries hold."""
_STEPS = 2000


def table() -> str:
    """Markdown: for each corpus and vocabulary the matches of a text, their spread, and their company."""
    rare = " | ".join(f"company of the rarest {share:.0%}" for share in RARE)
    lines = [f"| texts | vocabulary | matched | matches each | spread | {rare} |", "| --- " * 7 + "|"]
    lines[1] = "| --- | --- " + "| ---: " * (3 + len(RARE)) + "|"
    for vocabulary in VOCABULARIES:
        matcher = Matcher(read_vocabulary(vocabulary).entries("en"))
        for corpus, read in CORPORA.items():
            found = matcher.match(pa.array(list(dict.fromkeys(read()))))
            lengths = found.value_lengths().to_numpy()
            lengths = lengths[lengths > 0]
            ids = found.flatten().to_numpy()
            company = " | ".join(_company(ids, lengths, share) for share in RARE)
            lines.append(
                f"| {corpus} | {vocabulary.partition('/')[2]} | {len(lengths):,} | {lengths.mean():.1f} ± "
                f"{lengths.std():.1f} | {_spread(lengths):.2f} | {company} |"
            )
    return "\n".join(lines)


def _conceptual() -> list[str]:
    lines = (DATA / "captions" / "cc3m-validation.tsv").read_text().splitlines()
    return [line.split("\t")[0] for line in lines]


def _coco() -> list[str]:
    content = json.loads((DATA / "captions" / "coco-val2017.json").read_text())
    return [annotation["caption"] for annotation in content["annotations"]]


def _alts(*languages: str) -> list[str]:
    reading = Reading(rules=Rules(), languages=Languages(wanted=frozenset(languages) or None))
    *batches, _ = read_file(str(DATA / "wat" / "pages.warc.wat.gz"), reading=reading)
    return [text for batch in batches for text in batch["text"].to_pylist()]


CORPORA: dict[str, Callable[[], list[str]]] = {
    "alts of 582 pages, English": lambda: _alts("en"),
    "alts of 582 pages, all languages": _alts,
    "Conceptual Captions": _conceptual,
    "COCO captions": _coco,
}


def _spread(lengths: np.ndarray) -> float:
    """Of a lognormal number, rounded up, that has this mean and this standard deviation."""
    scores = np.array([NormalDist().inv_cdf((n + 0.5) / _STEPS) for n in range(_STEPS)])

    def rounded(middle: float, spread: float) -> Floats:
        return np.ceil(np.exp(middle + spread * scores))

    def too_wide(spread: float) -> float:
        middle = solve(lambda middle: rounded(middle, spread).mean() - lengths.mean(), -5, 8, 30)
        return float(rounded(middle, spread).std() - lengths.std())

    return solve(too_wide, 0.05, 2.5, 20)


def _company(ids: np.ndarray, lengths: np.ndarray, share: float) -> str:
    """The company that gives as many pairs of rare matches in one text as there are.

    Args:
        ids: of the entries of all matches.
        lengths: matches of each text.
        share: of the matches that are to be rare.

    Returns:
        The number; a dash where entries that match once hold more than the share already.
    """
    counts = np.bincount(ids)
    ascending = np.sort(counts)
    held = np.cumsum(ascending) / counts.sum()
    limit = ascending[np.searchsorted(held, share)]
    rare = (counts <= limit)[ids]
    if counts[counts <= limit].sum() / counts.sum() > 1.25 * share:
        return "-"
    starts = np.cumsum(lengths) - lengths
    inside = np.add.reduceat(rare, starts, dtype=np.int64)
    pairs = (lengths * (lengths - 1)).sum()
    one = (inside * (lengths - 1)).sum() / pairs  # in pairs, as long texts may be of commoner words
    both = (inside * (inside - 1)).sum() / pairs
    return f"{solve(lambda company: _both_below(one, company) - both, -0.9, 0.95):.2f}"


def _both_below(share: float, company: float) -> float:
    """That both of two normal scores with this correlation are below the quantile of a share."""
    quantile = NormalDist().inv_cdf(share)
    at = np.linspace(0, company, 500)
    density = np.exp(-(quantile**2) / (1 + at)) / (2 * np.pi * np.sqrt(1 - at**2))
    return share**2 + float(np.trapezoid(density, at))


if __name__ == "__main__":
    Console(soft_wrap=True).print(table(), markup=False, highlight=False)
