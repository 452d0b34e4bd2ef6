"""Wikipedia's dumps to counts of words and pairs: rates of one core."""

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import mwparserfromhell

from benchmarks.report import Result
from curation.crawl.files import open_input
from curation.vocabulary.dumps import Page, read_pages
from curation.vocabulary.ngrams import count_piece, runs
from curation.vocabulary.streams import Piece
from curation.vocabulary.wikitext import NOT_SHOWN, prose

DATA = Path(os.environ.get("CURATION_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
SOURCE = DATA / "wikipedia" / "enwiki-206-pages.xml.bz2"
ROUNDS = 5
ENGLISH_MB = 22_000
"""The English Wikipedia's pages-articles as .xml.bz2."""


def pages() -> Result | None:
    """Megabytes of bz2 a second and core, and where the time goes; None without the shared dump.

    Processor time, for others may be at work on the machine.
    """
    if not SOURCE.is_file():
        return None
    megabytes = SOURCE.stat().st_size / 1e6
    articles = [page for page in _read() if page.namespace == 0 and not page.redirect]
    texts = [prose(page.text) for page in articles]
    steps = {
        "ours": lambda: list(count_piece(Piece(str(SOURCE)), open_at=open_input, not_shown=NOT_SHOWN)),
        "of it: inflate and cut into pages": _read,
        "of it: wikitext to prose": lambda: [prose(page.text) for page in articles],
        "of it: prose to words": lambda: [list(runs(text)) for text in texts],
        "mwparserfromhell's strip_code alone": lambda: [
            mwparserfromhell.parse(page.text).strip_code() for page in articles
        ],
    }
    measured = {
        name: megabytes / min(_cpu_seconds(step) for _ in range(ROUNDS)) for name, step in steps.items()
    }
    hours = ENGLISH_MB / measured["ours"] / 3600
    return Result(
        "MB bz2/s",
        measured,
        f"{megabytes:.1f} MB of bz2, {len(articles)} long articles, processor time of one core. At this rate "
        f"the 22 GB of the English Wikipedia are {hours:.1f} core-hours; with as much again for adding up, "
        f"start and last tasks, which was not measured at that size: {hours / 8:.1f} h on 16 cores, "
        f"{max(10.0, hours / 128 * 60):.0f} min on 256",
    )


def _read() -> list[Page]:
    return list(read_pages(Piece(str(SOURCE)), open_at=open_input, faults=Counter()))


def _cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
