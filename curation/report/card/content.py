"""All that a card shows, gathered once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.report.card.entries import Entries, choose_entries
from curation.report.card.facts import Facts, gather
from curation.report.card.figures import Figure, figures
from curation.report.card.gallery import Sample, choose_samples
from curation.report.card.thumbnails import thumbnails
from curation.report.tables import Run


@dataclass(frozen=True, kw_only=True)
class Content:
    """What the writers of a card are given.

    Attributes:
        facts: in words and numbers.
        figures: charts by chapter.
        entries: None before balancing.
        samples: heaviest first; none before the download.
        pictures: `data:` URLs of samples by key, of those that can be shown.
    """

    facts: Facts
    figures: Mapping[str, Sequence[Figure]]
    entries: Entries | None
    samples: Sequence[Sample]
    pictures: Mapping[str, str]


def collect(run: Run, answers: Mapping[str, str], *, beside: Path, samples: int) -> Content:
    """Collect all that a card shows.

    Args:
        run: with any of its steps.
        answers: of the author.
        beside: the folder of the card.
        samples: how many to show at most.
    """
    chosen: list[Sample] = []
    if run.curated is not None and run.shards is not None:
        chosen = choose_samples(run.shards.folder, run.counts(), samples)
    return Content(
        facts=gather(run, answers, beside),
        figures=figures(run),
        entries=None if run.curated is None else choose_entries(run.counts()),
        samples=chosen,
        pictures={} if run.shards is None else thumbnails(run.shards.folder, chosen),
    )
