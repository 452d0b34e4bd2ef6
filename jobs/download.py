"""Curated pairs to shards of images. Run with --help."""

from curation.cli import main
from curation.config import Download
from curation.runs import download

if __name__ == "__main__":
    main(download, Download)
