"""Run all benchmarks: `make bench`, or `python -m benchmarks NAME` for one."""

import sys

from benchmarks import extraction, matching, report

BENCHMARKS = {"matching": matching.run, "extraction": extraction.run}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        report.show(name, BENCHMARKS[name]())
