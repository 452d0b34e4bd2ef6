"""How well the texts of shards fit their images. Run with --help."""

from curation.cli import answer, later
from curation.config import Score

if __name__ == "__main__":
    answer(later("curation.trainer.score:score", "curation.report.selection:tell_scores"), Score)
