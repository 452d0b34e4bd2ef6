"""What each step can be told: one class a job, its fields the flags of the command line.

A field is `Flag`ged with its help. Fields that cannot change which rows come out are listed in
`WITHOUT_EFFECT_ON_ROWS`; all others are part of a run's identity.
"""

from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from curation.errors import InputError

COMMON_CRAWL_URL = "https://data.commoncrawl.org/"

WITHOUT_EFFECT_ON_ROWS = frozenset({"output", "threads", "crawl_url", "connections"})


def _flag(help_text: str, *, name: str | None = None, default: str | bool | None = None) -> Parameter:
    return Parameter(help=help_text, name=name, show_default=default)


@dataclass(frozen=True, kw_only=True)
class ExtractOptions:
    """Which files to read, and which pairs to take from them."""

    input: Annotated[tuple[str, ...], _flag("WAT or WARC files: paths, globs or URLs.", default=False)] = ()
    crawl: Annotated[
        tuple[str, ...],
        _flag("Crawls of Common Crawl to read the files of, such as CC-MAIN-2024-51.", default=False),
    ] = ()
    kind: Annotated[
        Literal["wat", "warc"],
        _flag(
            "Files of a --crawl: the links of pages, or whole pages, which take five times the room and "
            "show images that are loaded late, and captions."
        ),
    ] = "wat"
    retry_failed: Annotated[
        str | None,
        _flag(
            "Read the files again that failed or were cut off in this POOL, for what it lacks: a pool of its "
            "own, to be matched and balanced together with the first.",
            default=False,
        ),
    ] = None
    limit: Annotated[
        int | None, _flag("Read only so many files of the crawls: a sample drawn with --seed.")
    ] = None
    languages: Annotated[
        tuple[str, ...],
        _flag(
            "Keep texts in these languages (ISO codes, told by fastText's lid.176), or all.", default="all"
        ),
    ] = ("all",)
    language_model: Annotated[
        str | None, _flag("Another fastText model to tell languages with.", default="lid.176.ftz")
    ] = None
    language_threshold: Annotated[
        float, _flag("A text whose likeliest language has a lower score is in no language.")
    ] = 0.0
    opt_outs: Annotated[
        Literal["respect", "record"],
        _flag(
            "Drop the pairs of pages that opt out (X-Robots-Tag, robots metas, TDMRep, Content-Usage), or "
            "keep them and say so in the column opt_outs."
        ),
    ] = "respect"
    block: Annotated[
        tuple[str, ...],
        _flag(
            "Files of hosts, URLs and sha256 hashes of either, one a line, whose images are left out.",
            default=False,
        ),
    ] = ()
    block_terms: Annotated[
        tuple[str, ...],
        _flag("Files of terms, one a line, that drop a text: for adult content, for one.", default=False),
    ] = ()
    redact: Annotated[
        bool, _flag("Put [email] and [phone] for e-mail addresses and phone numbers in texts.")
    ] = False
    max_text_length: Annotated[int, _flag("Longest text, in characters.")] = 4096
    max_url_length: Annotated[int, _flag("Longest URL, in characters.")] = 2048
    against: Annotated[
        tuple[str, ...],
        _flag("Leave out the pairs of these POOL folders, so that counts can be added up.", default=False),
    ] = ()
    crawl_url: Annotated[str, _flag("Where --crawl finds Common Crawl.")] = COMMON_CRAWL_URL
    connections: Annotated[
        int,
        _flag("Files of web servers that are read at once, by all workers; Common Crawl bears 10."),
    ] = 10
    seed: Annotated[int, _flag("The one source of chance.")] = 0

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
class MatchOptions:
    """What texts are matched against."""

    vocabulary: Annotated[
        str,
        _flag("A VOCABULARY folder (metadata/wordnet), a text file with one entry a line, or a JSON list."),
    ]


@dataclass(frozen=True, kw_only=True)
class BalanceOptions:
    """How strongly the head is cut: exactly one of t, tail_share and target."""

    t: Annotated[
        float | None,
        _flag("Entries with more matches than T are cut to about T. CLIP's and MetaCLIP's: 20000."),
    ] = None
    tail_share: Annotated[
        float | None, _flag("Choose t so that the tail holds this share of all matches, such as 0.06.")
    ] = None
    target: Annotated[
        int | None, _flag("Choose t so that about so many pairs are expected after the download.")
    ] = None
    expected_yield: Annotated[
        float, _flag("The share of images that will download, for --target.", name="--yield")
    ] = 1.0
    texts_per_image: Annotated[
        Literal["all", "one"],
        _flag("Balance all texts of an image, or one of those that match, chosen by --seed."),
    ] = "all"
    online: Annotated[
        bool,
        _flag(
            "Write every match with its keep_probability and cut nothing: for loaders that balance anew in "
            "every epoch."
        ),
    ] = False
    seed: Annotated[int, _flag("The one source of chance.")] = 0

    def __post_init__(self) -> None:
        given = [value for value in (self.t, self.tail_share, self.target) if value is not None]
        if len(given) != 1:
            raise InputError("give exactly one of --t T, --tail-share P and --target ROWS")
        if self.t is not None and not 0 < self.t < float("inf"):
            raise InputError(f"--t is {self.t}; it must be a number above 0")
        if self.t is not None:
            object.__setattr__(self, "t", float(self.t))  # 20 and 20.0 are one configuration
        if self.tail_share is not None and not 0 <= self.tail_share <= 1:
            raise InputError(f"--tail-share is {self.tail_share}; it must lie between 0 and 1")
        if self.target is not None and self.target < 1:
            raise InputError(f"--target is {self.target}; it must be at least 1")
        if not 0 < self.expected_yield <= 1:
            raise InputError(f"--yield is {self.expected_yield}; it must lie above 0 and at most at 1")


@dataclass(frozen=True, kw_only=True)
class DownloadOptions:
    """How images are fetched, resized and sharded."""

    image_size: Annotated[int, _flag("Pixels of the side that --resize-mode speaks of.")] = 256
    shard_size: Annotated[int, _flag("Images a shard at the most.")] = 10_000
    resize_mode: Annotated[
        Literal["keep_ratio", "keep_ratio_largest", "center_crop", "border", "no"],
        _flag("img2dataset's modes; keep_ratio makes the shorter side --image-size, never enlarging."),
    ] = "keep_ratio"
    timeout_seconds: Annotated[int, _flag("Patience with a silent server.")] = 10
    retries: Annotated[int, _flag("Further tries for an image that did not come.")] = 1
    threads: Annotated[int, _flag("Connections a task.")] = 64

    def __post_init__(self) -> None:
        for name in ("image_size", "shard_size", "timeout_seconds", "threads"):
            if getattr(self, name) < 1:
                flag = "--" + name.replace("_", "-")
                raise InputError(f"{flag} is {getattr(self, name)}; it must be at least 1")
        if self.retries < 0:
            raise InputError(f"--retries is {self.retries}; it must be at least 0")


@dataclass(frozen=True, kw_only=True)
class BuildVocabulary:
    """Build a vocabulary from its sources: "0" to "99", and the names of WordNet's synsets.

    Example: jobs/build_vocabulary.py --wordnet /usr/share/wordnet --output vocabulary
    """

    wordnet: Annotated[str, _flag("A WordNet database: a directory in WNDB format, such as version 3.0's.")]
    output: Annotated[str, _flag("The VOCABULARY folder to make.")]


@dataclass(frozen=True, kw_only=True)
class Extract(ExtractOptions):
    """Turn WAT and WARC files into a pool of distinct (url, text) pairs.

    Example: jobs/extract.py --input 'crawl/*.warc.wat.gz' --output pool
    """

    output: Annotated[str, _flag("The POOL folder to make.")]


@dataclass(frozen=True, kw_only=True)
class Match(MatchOptions):
    """Find the entries of the vocabulary in the texts of a pool, and count them.

    Example: jobs/match.py --pool pool --vocabulary metadata/wordnet --output matches
    """

    pool: Annotated[str, _flag("POOL folder, from jobs/extract.py.")]
    output: Annotated[str, _flag("The MATCHES folder to make.")]


@dataclass(frozen=True, kw_only=True)
class Balance(BalanceOptions):
    """Keep the tail whole and cut the head, entry by entry, by a seeded draw for each pair.

    Example: jobs/balance.py --matches matches --t 20000 --output curated
    """

    matches: Annotated[
        tuple[str, ...], _flag("MATCHES folders, from jobs/match.py; several must come of disjoint pools.")
    ]
    output: Annotated[str, _flag("The CURATED folder to make.")]


@dataclass(frozen=True, kw_only=True)
class Explain:
    """Tell why a pair was kept or dropped: its entries, their counts, its probability and its draw.

    Example: jobs/explain.py --curated curated --text "a photo of a jackson's chameleon"
    """

    curated: Annotated[str, _flag("CURATED folder, from jobs/balance.py.")]
    uid: Annotated[str | None, _flag("The pair, by its uid.")] = None
    text: Annotated[str | None, _flag("Any text, whether it was ever found or not.")] = None
    url: Annotated[str | None, _flag("With --text: the image, for the draw is one of url and text.")] = None
    language: Annotated[
        str | None, _flag("With --text: its language.", default="told by fastText where it matters")
    ] = None
    matches: Annotated[
        tuple[str, ...], _flag("MATCHES folders, if they are no longer where they were.", default=False)
    ] = ()

    def __post_init__(self) -> None:
        if (self.uid is None) == (self.text is None):
            raise InputError("give either --uid UID or --text TEXT")
        if self.text is None and (self.url is not None or self.language is not None):
            raise InputError("--url and --language go with --text")


@dataclass(frozen=True, kw_only=True)
class Download(DownloadOptions):
    """Fetch the images of the curated pairs and write them into WebDataset shards.

    Example: jobs/download.py --curated curated --output shards
    """

    curated: Annotated[str, _flag("CURATED folder, from jobs/balance.py.")]
    output: Annotated[str, _flag("The SHARDS folder to make.")]


@dataclass(frozen=True, kw_only=True)
class Curate(
    DownloadOptions, BalanceOptions, MatchOptions, ExtractOptions
):  # fields go by the last base first
    """Extract, match, balance and download in one go; what is done already is not done again.

    Example: jobs/curate.py --input 'crawl/*.wat.gz' --vocabulary metadata/wordnet --t 20000 --output work
    """

    output: Annotated[str, _flag("The WORK folder to make: pool/ matches/ curated/ shards/.")]

    def __post_init__(self) -> None:
        for options in (ExtractOptions, BalanceOptions, DownloadOptions):
            options.__post_init__(self)


def affecting_rows(config: Any) -> dict[str, Any]:
    """The settings of a configuration that decide which rows come out, by name.

    Args:
        config: an instance of one of the classes above.
    """
    return {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if field.name not in WITHOUT_EFFECT_ON_ROWS
    }
