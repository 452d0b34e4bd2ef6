"""What `jobs/datacard.py` can be told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from curation.config.flags import flag
from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Datacard:
    """Describe a data set for those who are to use it: as a web page, for Hugging Face, and as Croissant.

    CARD.html is one file that needs no network; CARD.md and CARD.croissant.json are written beside it.

    Example: jobs/datacard.py --work work --output card.html
    """

    work: Annotated[str, flag("WORK folder, from jobs/curate.py, or one with some of its folders.")]
    output: Annotated[str, flag("The page to write, CARD.html.")]
    answers: Annotated[
        str | None,
        flag(
            "The author's answers: Markdown with a heading for each, or a JSON object. The page says which "
            "questions are open, and by what name. Also: name, summary, licence, version, url, citation."
        ),
    ] = None
    samples: Annotated[int, flag("Images to show, half of the head and half of the tail.")] = 24

    def __post_init__(self) -> None:
        if Path(self.output).suffix != ".html":
            raise InputError(f"--output is {self.output}; it must be the name of an .html file")
        if not 0 <= self.samples <= 200:
            raise InputError(f"--samples is {self.samples}; it must lie between 0 and 200")
