"""What `jobs/match.py` can be told."""

from dataclasses import dataclass
from typing import Annotated

from curation.config.flags import flag


@dataclass(frozen=True, kw_only=True)
class MatchOptions:
    """What texts are matched against."""

    vocabulary: Annotated[
        str,
        flag("A VOCABULARY folder (metadata/english), a text file with one entry a line, or a JSON list."),
    ]


@dataclass(frozen=True, kw_only=True)
class Match(MatchOptions):
    """Find the entries of the vocabulary in the texts of a pool, and count them.

    Example: jobs/match.py --pool pool --vocabulary metadata/english --output matches
    """

    pool: Annotated[str, flag("POOL folder, from jobs/extract.py.")]
    output: Annotated[str, flag("The MATCHES folder to make.")]
