"""What a run will take, before it is begun. Run with --help."""

from curation.cli import answer, later
from curation.config import Plan

PLAN = later("curation.plan.model:estimate", "curation.report.plan:tell")
CALIBRATE = later("curation.demo.calibrate:calibrate", "curation.report.plan:tell_rates")

if __name__ == "__main__":
    answer(lambda config: (PLAN if config.calibrate is None else CALIBRATE)(config), Plan)
