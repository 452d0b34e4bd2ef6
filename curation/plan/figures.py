"""The figures that a plan rests on, each with its unit and where it is from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from curation.config.plan import LEAST, MOST
from curation.errors import InputError

Origin = Literal["published", "measured", "inferred", "assumed", "yours"]


@dataclass(frozen=True)
class Figure:
    """One assumption.

    Attributes:
        name: what it is called in `--assume NAME=VALUE`.
        value: of it.
        unit: of the value.
        origin: published by others, measured by us, inferred from what is published, assumed, or yours.
        source: where exactly it is from, and what is uncertain about it.
        flag: the flag that sets it, where it has one of its own.
        most: the largest value that makes sense.
        whole: whether it is a whole number, of 1 at least.
    """

    name: str
    value: float
    unit: str
    origin: Origin
    source: str
    flag: str | None = None
    most: float = MOST
    whole: bool = False


Figures = Mapping[str, Figure]

_META, _CC2, _IMG = "MetaCLIP, arXiv 2309.16671", "cc2dataset's README", "img2dataset's"

CRAWL = (
    Figure("files_per_crawl", 100_000, "files", "published", "Common Crawl's wat.paths.gz of 2025"),
    Figure("wat_mbyte", 200, "MB a file", "published", "Common Crawl, 2025; gzipped"),
    Figure("pairs_per_file", 405_232, "pairs", "published", "cc2dataset, a WAT of 2022, texts not empty"),
    Figure(
        "language_share",
        0.45,
        "of pairs",
        "inferred",
        "English pages in Common Crawl's statistics; that texts are as pages is assumed",
        most=1,
    ),
    Figure(
        "pool_per_crawl",
        1.6e9 / 15 / 0.5,
        "pairs",
        "inferred",
        f"{_META}: 1.6B matched of 15 crawls, which is half of the pool (90 crawls gave 238M each). It "
        "removes more than our jobs do: URLs and texts seen before, adult terms. cc2dataset counts 300B "
        "distinct pairs in 88 crawls, of which 1.5B a crawl would be English",
    ),
    Figure("matched_share", 0.5, "of the pool", "published", f"{_META}, appendix A", most=1),
)

SIZES = (
    Figure("candidate_bytes", 50, "B a pair", "published", f"{_CC2}: 20 MB for the pairs of a WAT"),
    Figure("shuffle_bytes", 150, "B a pair", "assumed", "uid and row as lz4 leaves them; none merged before"),
    Figure(
        "pool_bytes",
        140,
        "B a pair",
        "measured",
        "15,833 real URLs and captions in Parquet: uid 18, url 49, text 26, the page's URL as the url",
    ),
    Figure("matches_bytes", 150, "B a pair", "measured", "as pool_bytes, entry_ids 8"),
    Figure("curated_bytes", 170, "B a pair", "measured", "as matches_bytes, image_id 17"),
)

IMAGES = (
    Figure("images_per_pair", 1.0, "images", "assumed", "no image has two texts in the curated set", most=1),
    Figure(
        "yield",
        0.77,
        "of images",
        "published",
        "LAION-400M with one retry (img2dataset, issue 209); older crawls have more dead links",
        "--yield",
        1,
    ),
    Figure("image_kbyte", 130, "KB", "published", f"{_IMG} README: 130 MB/s at 1,000 images/s"),
    Figure(
        "stored_kbyte",
        25,
        "KB at 256 px",
        "published",
        f"{_IMG} LAION-400M: 10 TB; grows as the side does (LAION-5B: 37.5 KB at 384 px)",
    ),
    Figure(
        "image_seconds",
        1.0,
        "s an image",
        "inferred",
        f"{_IMG} LAION-5B: 1,000 images/s from 16 cores with 64 connections each; dead links included",
    ),
    Figure("images_at_once", 64, "a core", "published", "jobs/download.py --threads", whole=True),
    Figure(
        "tls_seconds",
        0.00044,
        "CPU s an image",
        "measured",
        "benchmarks/results: download-tls.json less download.json; as if all were https",
    ),
)

CLUSTER = (
    Figure(
        "network_mbit",
        1000,
        "Mbit/s",
        "assumed",
        "a gigabit line for all machines together",
        "--network-mbit",
    ),
    Figure(
        "connections",
        10,
        "at once",
        "published",
        "Common Crawl asks for it outside AWS us-east-1",
        whole=True,
    ),
    Figure(
        "connection_mbyte",
        5,
        "MB/s each",
        "inferred",
        f"{_CC2}: 50 s a WAT with about 10 of parsing; try curl on one file",
    ),
    Figure(
        "s3_connection_mbyte",
        85,
        "MB/s each",
        "published",
        "Amazon S3's performance guidelines, in us-east-1; one connection a core",
    ),
    Figure("disk_mbyte", 50, "MB/s a core", "assumed", "800 MB/s for 16 cores: one NVMe drive or a SAN"),
    Figure(
        "busy",
        0.8,
        "of cores' time",
        "assumed",
        "what start, stragglers and waits leave of the cores",
        most=1,
    ),
    Figure(
        "heap_mbyte",
        1500,
        "MB a core",
        "assumed",
        "Spark's JVM; sorts of the de-duplication want it; what jobs ask for beside it comes on top",
    ),
)

_A100_SAMPLES = {"ViT-B-32": 850, "ViT-B-16": 396, "ViT-L-14": 178, "ViT-H-14": 42}


def training_figures(model: str | None) -> list[Figure]:
    """What training rests on.

    Args:
        model: open_clip's name of it; None for no training.
    """
    if model is None:
        return []
    return [
        Figure(
            "gpu_samples",
            _A100_SAMPLES[model],
            "a second",
            "published",
            f"open_clip, {model} on an A100; more GPUs are taken to add up",
        )
    ]


def gathered(measured: Iterable[Figure], given: Mapping[str, float], assumed: Sequence[str]) -> Figures:
    """All figures of a plan by name, the user's own in the place of ours.

    Args:
        measured: the rates of a machine, and what is asked for besides.
        given: what flags of their own say, by name of the figure.
        assumed: `NAME=VALUE`.

    Raises:
        InputError: there is no figure of that name, the value is none for it, or it is given twice.
    """
    figures = {figure.name: figure for figure in (*CRAWL, *measured, *SIZES, *IMAGES, *CLUSTER)}
    for name, value in given.items():
        figures[name] = _yours(figures[name], value, str(figures[name].flag))
    for text in assumed:
        name, sign, number = text.partition("=")
        if name not in figures or not sign:
            raise InputError(
                f"--assume {text}: give NAME=VALUE, NAME being one of {', '.join(sorted(figures))}"
            )
        if figures[name].origin == "yours":
            raise InputError(f"--assume {text}: {figures[name].source} says it already; give one of them")
        try:
            figures[name] = _yours(figures[name], float(number), f"--assume {name}")
        except ValueError:
            raise InputError(f"--assume {text}: {number!r} is no number") from None
    return figures


def _yours(figure: Figure, value: float, flag: str) -> Figure:
    least = 1 if figure.whole else LEAST
    if not least <= value <= figure.most or (figure.whole and value % 1):
        whole = "be whole and " if figure.whole else ""
        raise InputError(f"{flag} is {value:g}; it must {whole}lie between {least:g} and {figure.most:g}")
    return replace(figure, value=value, origin="yours", source=flag)
