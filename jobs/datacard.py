"""The data card of a run, as a page, Markdown and Croissant. Run with --help."""

from curation.cli import answer
from curation.config import Datacard
from curation.report.card.write import datacard

if __name__ == "__main__":
    answer(datacard, Datacard)
