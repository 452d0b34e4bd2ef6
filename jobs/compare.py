"""Which data set is better: models trained on each, side by side. Run with --help."""

from curation.cli import answer, later
from curation.config import Compare

if __name__ == "__main__":
    answer(later("curation.trainer.compare:compare", "curation.report.comparison:tell"), Compare)
