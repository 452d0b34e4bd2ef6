"""What each step can be told: one class a job, its fields the flags of the command line."""

from curation.config.balance import Balance, BalanceOptions
from curation.config.compare import Compare
from curation.config.curate import Curate
from curation.config.datacard import Datacard
from curation.config.download import Download, DownloadOptions
from curation.config.evaluate import Evaluate
from curation.config.explain import Explain
from curation.config.export import Export
from curation.config.extract import Extract, ExtractOptions
from curation.config.flags import affecting_rows, part
from curation.config.hash_images import HashImages
from curation.config.imagefolder import ImageFolder
from curation.config.match import Match, MatchOptions
from curation.config.plan import Plan
from curation.config.score import Score
from curation.config.subset import Subset
from curation.config.takedown import Takedown
from curation.config.train import Train
from curation.config.vocabulary import BuildVocabulary

__all__ = [
    "Balance",
    "BalanceOptions",
    "BuildVocabulary",
    "Compare",
    "Curate",
    "Datacard",
    "Download",
    "DownloadOptions",
    "Evaluate",
    "Explain",
    "Export",
    "Extract",
    "ExtractOptions",
    "HashImages",
    "ImageFolder",
    "Match",
    "MatchOptions",
    "Plan",
    "Score",
    "Subset",
    "Takedown",
    "Train",
    "affecting_rows",
    "part",
]
