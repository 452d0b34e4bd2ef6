"""Why a pair was kept or dropped. Run with --help."""

from curation.cli import answer
from curation.config import Explain
from curation.report.explanation import show
from curation.runs.explain import explain

if __name__ == "__main__":
    answer(lambda config: show(explain(config)), Explain)
