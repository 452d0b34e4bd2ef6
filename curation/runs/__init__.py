"""The steps: one function each, (session, configuration) -> run records; the chain calls them in turn."""

from curation.runs.balance import balance
from curation.runs.curate import curate
from curation.runs.download import download
from curation.runs.extract import extract
from curation.runs.hash_images import hash_images
from curation.runs.match import match
from curation.runs.takedown import takedown
from curation.runs.vocabulary import build_vocabulary

__all__ = ["balance", "build_vocabulary", "curate", "download", "extract", "hash_images", "match", "takedown"]
