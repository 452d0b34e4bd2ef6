"""A CLIP model from shards. Run with --help."""

from curation.cli import answer, later
from curation.config import Train

if __name__ == "__main__":
    answer(later("curation.trainer.train:train", "curation.report.training:tell"), Train)
