"""What `jobs/explain.py` can be told."""

from dataclasses import dataclass
from typing import Annotated

from curation.config.flags import flag
from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Explain:
    """Tell why a pair was kept or dropped: its entries, their counts, its probability and its draw.

    Example: jobs/explain.py --curated curated --text "a photo of a jackson's chameleon"
    """

    curated: Annotated[str, flag("CURATED folder, from jobs/balance.py.")]
    uid: Annotated[str | None, flag("The pair, by its uid.")] = None
    text: Annotated[str | None, flag("Any text, whether it was ever found or not.")] = None
    url: Annotated[str | None, flag("With --text: the image, for the draw is one of url and text.")] = None
    language: Annotated[
        str | None, flag("With --text: its language.", default="told by fastText where it matters")
    ] = None
    matches: Annotated[
        tuple[str, ...], flag("MATCHES folders, if they are no longer where they were.", default=False)
    ] = ()

    def __post_init__(self) -> None:
        if (self.uid is None) == (self.text is None):
            raise InputError("give either --uid UID or --text TEXT")
        if self.text is None and (self.url is not None or self.language is not None):
            raise InputError("--url and --language go with --text")
