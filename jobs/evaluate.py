"""What a model can do: zero-shot classification, retrieval, linear probes. Run with --help."""

from curation.cli import answer, later
from curation.config import Evaluate

if __name__ == "__main__":
    answer(
        later("curation.trainer.evaluation.evaluate:evaluate", "curation.report.evaluation:tell"), Evaluate
    )
