"""What `jobs/extract.py` can be told."""

from dataclasses import dataclass
from typing import Annotated, Literal

from curation.config.flags import flag
from curation.errors import InputError

COMMON_CRAWL_URL = "https://data.commoncrawl.org/"


@dataclass(frozen=True, kw_only=True)
class ExtractOptions:
    """Which files to read, and which pairs to take from them."""

    input: Annotated[tuple[str, ...], flag("WAT or WARC files: paths, globs or URLs.", default=False)] = ()
    crawl: Annotated[
        tuple[str, ...],
        flag("Crawls of Common Crawl to read the files of, such as CC-MAIN-2024-51.", default=False),
    ] = ()
    kind: Annotated[
        Literal["wat", "warc"],
        flag(
            "Files of a --crawl: the links of pages, or whole pages, which take five times the room and "
            "show images that are loaded late, and captions."
        ),
    ] = "wat"
    retry_failed: Annotated[
        str | None,
        flag(
            "Read the files again that failed or were cut off in this POOL, for what it lacks: a pool of its "
            "own, to be matched and balanced together with the first.",
            default=False,
        ),
    ] = None
    limit: Annotated[
        int | None, flag("Read only so many files of the crawls: a sample drawn with --seed.")
    ] = None
    languages: Annotated[
        tuple[str, ...],
        flag("Keep texts in these languages (ISO codes, told by fastText's lid.176), or all.", default="all"),
    ] = ("all",)
    language_model: Annotated[
        str | None, flag("Another fastText model to tell languages with.", default="lid.176.ftz")
    ] = None
    language_threshold: Annotated[
        float, flag("A text whose likeliest language has a lower score is in no language.")
    ] = 0.0
    opt_outs: Annotated[
        Literal["respect", "record"],
        flag(
            "Drop the pairs of pages that opt out (X-Robots-Tag, robots metas, TDMRep, Content-Usage), or "
            "keep them and say so in the column opt_outs."
        ),
    ] = "respect"
    block: Annotated[
        tuple[str, ...],
        flag(
            "Files of hosts, URLs and sha256 hashes of either, one a line, whose images are left out.",
            default=False,
        ),
    ] = ()
    block_terms: Annotated[
        tuple[str, ...],
        flag("Files of terms, one a line, that drop a text: for adult content, for one.", default=False),
    ] = ()
    redact: Annotated[
        bool, flag("Put [email] and [phone] for e-mail addresses and phone numbers in texts.")
    ] = False
    max_text_length: Annotated[int, flag("Longest text, in characters.")] = 4096
    max_url_length: Annotated[int, flag("Longest URL, in characters.")] = 2048
    against: Annotated[
        tuple[str, ...],
        flag("Leave out the pairs of these POOL folders, so that counts can be added up.", default=False),
    ] = ()
    crawl_url: Annotated[str, flag("Where --crawl finds Common Crawl.")] = COMMON_CRAWL_URL
    connections: Annotated[
        int,
        flag("Files of web servers that are read at once, by all workers; Common Crawl bears 10."),
    ] = 10
    seed: Annotated[int, flag("The one source of chance.")] = 0

    def __post_init__(self) -> None:
        if sum(map(bool, (self.input, self.crawl, self.retry_failed))) != 1:
            raise InputError("give either --input PATH… or --crawl CC-MAIN-YYYY-WW… or --retry-failed POOL")
        if self.limit is not None and not self.crawl:
            raise InputError("--limit takes a sample of a --crawl; with --input, name fewer files")
        for name in ("limit", "max_text_length", "max_url_length", "connections"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name.replace('_', '-')} is {value}; it must be at least 1")
        if not 0 <= self.language_threshold <= 1:
            raise InputError(
                f"--language-threshold is {self.language_threshold}; it must lie between 0 and 1"
            )


@dataclass(frozen=True, kw_only=True)
class Extract(ExtractOptions):
    """Turn WAT and WARC files into a pool of distinct (url, text) pairs.

    Example: jobs/extract.py --input 'crawl/*.warc.wat.gz' --output pool
    """

    output: Annotated[str, flag("The POOL folder to make.")]
