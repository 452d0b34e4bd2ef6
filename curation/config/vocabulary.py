"""What `jobs/build_vocabulary.py` can be told."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from curation.config.flags import flag
from curation.errors import InputError

UNIGRAMS, BIGRAMS, TITLES = 251_465, 100_646, 61_235
"""What Wikipedia adds in MetaCLIP's Table 1."""

_LANGUAGE = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")


@dataclass(frozen=True, kw_only=True)
class BuildVocabulary:
    """Build a vocabulary: "0" to "99", then the names of WordNet, words, pairs and titles of Wikipedia.

    Example: jobs/build_vocabulary.py --wordnet /usr/share/wordnet --output vocabulary
    """

    wordnet: Annotated[
        str | None,
        flag("A WordNet database: a directory in WNDB format, such as version 3.0's.", default=False),
    ] = None
    open_wordnet: Annotated[
        tuple[str, ...],
        flag("WordNets of other languages: files of Open Multilingual Wordnet, .tab or .xml.", default=False),
    ] = ()
    word_counts: Annotated[
        tuple[str, ...], flag("Lists of words, in each line a word, a tab, its count.", default=False)
    ] = ()
    pair_counts: Annotated[
        tuple[str, ...], flag("Lists of word pairs with counts; go with --word-counts.", default=False)
    ] = ()
    wikipedia: Annotated[
        tuple[str, ...],
        flag(
            "XML dumps such as enwiki-latest-pages-articles1.xml-p1p41242.bz2, in parts or one multistream "
            "file: paths, globs or URLs. Give words and pairs.",
            default=False,
        ),
    ] = ()
    page_views: Annotated[
        tuple[str, ...],
        flag(
            "Page views, hourly pageviews-YYYYMMDD-HH0000.gz or daily pageviews-YYYYMMDD-user.bz2: paths, "
            "globs or URLs. Give titles.",
            default=False,
        ),
    ] = ()
    language: Annotated[str, flag("Of the list, and the code of its Wikipedia.")] = "en"
    recipe: Annotated[
        Literal["weighted", "metaclip"],
        flag(
            "How pairs and titles are chosen: pairs by MetaCLIP 2's score and titles by all views, or by the "
            "strict rules of MetaCLIP's Table 1."
        ),
    ] = "weighted"
    min_count: Annotated[
        int, flag("Least count of a word of Wikipedia, and of a pair unless --recipe metaclip.")
    ] = 100
    unigrams: Annotated[int, flag("Most words that Wikipedia may add, the commonest.")] = UNIGRAMS
    bigrams: Annotated[int, flag("Most pairs that it may add, the strongest.")] = BIGRAMS
    titles: Annotated[int, flag("Most titles that it may add, the most viewed.")] = TITLES
    size: Annotated[
        int, flag("Most entries in all: the last sources are trimmed first, from their weakest on.")
    ] = 500_000
    space_entries: Annotated[
        bool, flag("Space entries as texts are before matching, so that those with punctuation can match.")
    ] = False
    add: Annotated[
        tuple[str, ...],
        flag(
            "Vocabularies of other languages, whose lists come after this one, in this order.", default=False
        ),
    ] = ()
    output: Annotated[str, flag("The VOCABULARY folder to make.")]

    def __post_init__(self) -> None:
        if not (self.sources_given or len(self.add) > 1):
            raise InputError(
                "give a source: --wordnet, --open-wordnet, --word-counts, --wikipedia or --page-views; or "
                "several vocabularies to --add"
            )
        if self.pair_counts and not self.word_counts:
            raise InputError(
                "--pair-counts needs --word-counts: pairs are judged by the counts of their words"
            )
        if not _LANGUAGE.fullmatch(self.language):
            raise InputError(f"--language {self.language!r} is no name: use letters, digits, - and _")
        for name in ("min_count", "size"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} must be at least 1")
        for name in ("unigrams", "bigrams", "titles"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name} must not be negative")

    @property
    def sources_given(self) -> bool:
        """Whether there is anything to make a list of."""
        return bool(
            self.wordnet or self.open_wordnet or self.word_counts or self.wikipedia or self.page_views
        )
