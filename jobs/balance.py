"""Matches to the balanced subset. Run with --help."""

from curation.cli import main
from curation.config import Balance
from curation.runs import balance

if __name__ == "__main__":
    main(balance, Balance)
