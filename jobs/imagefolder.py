"""A folder of class folders as shards and as an evaluation set. Run with --help."""

from curation.cli import answer, later
from curation.config import ImageFolder

if __name__ == "__main__":
    answer(
        later("curation.trainer.evaluation.classfolders:convert_folder", "curation.report.imagefolder:tell"),
        ImageFolder,
    )
