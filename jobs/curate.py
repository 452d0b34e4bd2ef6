"""Extract, match, balance and download in one go. Run with --help."""

from curation.cli import main
from curation.config import Curate
from curation.runs import curate

if __name__ == "__main__":
    main(curate, Curate)
