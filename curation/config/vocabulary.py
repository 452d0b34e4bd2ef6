"""What `jobs/build_vocabulary.py` can be told."""

from dataclasses import dataclass
from typing import Annotated

from curation.config.flags import flag


@dataclass(frozen=True, kw_only=True)
class BuildVocabulary:
    """Build a vocabulary from its sources: "0" to "99", and the names of WordNet's synsets.

    Example: jobs/build_vocabulary.py --wordnet /usr/share/wordnet --output vocabulary
    """

    wordnet: Annotated[str, flag("A WordNet database: a directory in WNDB format, such as version 3.0's.")]
    output: Annotated[str, flag("The VOCABULARY folder to make.")]
