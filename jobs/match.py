"""A pool to the matches of its texts with a vocabulary. Run with --help."""

from curation.cli import main
from curation.config import Match
from curation.runs import match

if __name__ == "__main__":
    main(match, Match)
