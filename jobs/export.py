"""A model in the layout of another library. Run with --help."""

from curation.cli import answer, later
from curation.config import Export

if __name__ == "__main__":
    answer(later("curation.trainer.export:export_checkpoint", "curation.report.exported:tell"), Export)
