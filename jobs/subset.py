"""A list of samples, an arm of a comparison. Run with --help."""

from curation.cli import answer, later
from curation.config import Subset

if __name__ == "__main__":
    answer(later("curation.trainer.subset:subset", "curation.report.selection:tell_subset"), Subset)
