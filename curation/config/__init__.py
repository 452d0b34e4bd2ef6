"""What each step can be told: one class a job, its fields the flags of the command line."""

from curation.config.balance import Balance, BalanceOptions
from curation.config.curate import Curate
from curation.config.download import Download, DownloadOptions
from curation.config.explain import Explain
from curation.config.extract import Extract, ExtractOptions
from curation.config.flags import affecting_rows, part
from curation.config.hash_images import HashImages
from curation.config.match import Match, MatchOptions
from curation.config.takedown import Takedown
from curation.config.vocabulary import BuildVocabulary

__all__ = [
    "Balance",
    "BalanceOptions",
    "BuildVocabulary",
    "Curate",
    "Download",
    "DownloadOptions",
    "Explain",
    "Extract",
    "ExtractOptions",
    "HashImages",
    "Match",
    "MatchOptions",
    "Takedown",
    "affecting_rows",
    "part",
]
