"""Run all benchmarks: `make bench`, or `python -m benchmarks NAME…` for some."""

import sys

from benchmarks import (
    downloading,
    extraction,
    matching,
    planted,
    pool,
    ready,
    report,
    scale,
    stages,
    training,
    vocabulary,
)

BENCHMARKS = {
    "matching": matching.run,
    "ready": ready.run,
    "stages": stages.identity,
    "extraction": extraction.records,
    "extraction-job": extraction.job,
    "vocabulary": vocabulary.pages,
    "download": downloading.plain,
    "download-larger": downloading.larger,
    "download-tls": downloading.tls,
    "download-slow": downloading.slow,
    "download-dead-hosts": downloading.dead_hosts,
    "download-memory": downloading.memory,
    "training": training.run,
    "planted": planted.run,
    "pool": pool.run,
}

OF_THEIR_OWN = {"scale": scale.main}
"""Benchmarks that keep and show their results themselves."""

if __name__ == "__main__":
    for name in sys.argv[1:] or [*BENCHMARKS, *OF_THEIR_OWN]:
        if name in OF_THEIR_OWN:
            OF_THEIR_OWN[name]()
        else:
            report.show(name, BENCHMARKS[name]())
