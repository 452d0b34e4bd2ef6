"""WAT and WARC files to a pool of (url, text) pairs. Run with --help."""

from curation.cli import main
from curation.config import Extract
from curation.runs import extract

if __name__ == "__main__":
    main(extract, Extract)
