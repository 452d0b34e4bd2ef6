"""Run all benchmarks: `make bench`, or `python -m benchmarks NAME…` for some."""

import sys

from benchmarks import downloading, extraction, matching, planted, ready, report, stages, training, vocabulary

BENCHMARKS = {
    "matching": matching.run,
    "ready": ready.run,
    "stages": stages.identity,
    "growth": stages.growth,
    "extraction": extraction.records,
    "extraction-job": extraction.job,
    "vocabulary": vocabulary.pages,
    "vocabulary-growth": vocabulary.growth,
    "download": downloading.plain,
    "download-larger": downloading.larger,
    "download-tls": downloading.tls,
    "download-slow": downloading.slow,
    "download-dead-hosts": downloading.dead_hosts,
    "download-memory": downloading.memory,
    "training": training.run,
    "planted": planted.run,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        report.show(name, BENCHMARKS[name]())
