"""Images and texts out of finished shards. Run with --help."""

from curation.cli import main
from curation.config import Takedown
from curation.report.takedown import tell
from curation.runs import takedown

if __name__ == "__main__":
    main(takedown, Takedown, tell)
