"""The steps: one function each, (session, configuration) -> run records; the chain calls them in turn."""

from curation.runs.balance import balance
from curation.runs.curate import curate
from curation.runs.download import download
from curation.runs.extract import extract
from curation.runs.match import match

__all__ = ["balance", "curate", "download", "extract", "match"]
