"""What `jobs/curate.py` can be told: all that its steps can."""

from dataclasses import dataclass
from typing import Annotated, Literal

from curation.config.balance import BalanceOptions
from curation.config.download import DownloadOptions
from curation.config.extract import ExtractOptions
from curation.config.flags import flag
from curation.config.match import MatchOptions


@dataclass(frozen=True, kw_only=True)
class Curate(
    DownloadOptions, BalanceOptions, MatchOptions, ExtractOptions
):  # fields go by the last base first
    """Extract, match, balance and download in one go; what is done already is not done again.

    Example: jobs/curate.py --input 'crawl/*.wat.gz' --vocabulary metadata/english --t 20000 --output work
    """

    opt_outs: Annotated[
        Literal["respect", "record"],
        flag(
            "Leave out what opts out, by its page or by the image's server (X-Robots-Tag, robots metas, "
            "TDMRep, Content-Usage), or keep it and say so in the column opt_outs."
        ),
    ] = "respect"
    output: Annotated[str, flag("The WORK folder to make: pool/ matches/ curated/ shards/.")]

    def __post_init__(self) -> None:
        for options in (ExtractOptions, BalanceOptions, DownloadOptions):
            options.__post_init__(self)
