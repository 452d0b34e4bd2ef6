"""Run all benchmarks: `make bench`, or `python -m benchmarks NAME…` for some."""

import sys

from benchmarks import extraction, matching, ready, report, stages

BENCHMARKS = {
    "matching": matching.run,
    "ready": ready.run,
    "stages": stages.identity,
    "growth": stages.growth,
    "extraction": extraction.records,
    "extraction-job": extraction.job,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        report.show(name, BENCHMARKS[name]())
