"""What `jobs/plan.py` can be told."""

from dataclasses import dataclass
from typing import Annotated, Literal

from curation.config.flags import flag
from curation.errors import InputError

LEAST, MOST = 1e-15, 1e15
"""Bounds of whatever a plan is told: what is reckoned from them stays above 0 and finite."""

DEFAULT_T, DEFAULT_SAMPLES_SEEN, DEFAULT_GPUS = 20_000.0, 12.8e9, 64
"""What is planned with where nothing else is said."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Tell what a run will take: time, core-hours, disk, bytes over the network, and what holds it up.

    Nothing is read but rates of a machine: those that come with the project, or yours (--calibrate, then
    --rates). Every figure used is listed at the end, and --assume puts yours in its place.

    Example: jobs/plan.py --crawls 15 --cores 256 --network-mbit 10000
    """

    cores: Annotated[
        int,
        flag("Cores of all machines together; with --calibrate, how many of this one's to measure on."),
    ]
    crawls: Annotated[
        int | None,
        flag("Crawls of Common Crawl to read: 15 for CLIP's 400M pairs, 90 for 1B.", default=False),
    ] = None
    files: Annotated[
        int | None, flag("So many WAT files of one crawl instead: try 100 first.", default=False)
    ] = None
    network_mbit: Annotated[
        float | None, flag("Mbit/s to the world, of all machines together.", default="1000")
    ] = None
    in_region: Annotated[
        bool, flag("The machines are in AWS us-east-1 and read Common Crawl's S3, one file a core.")
    ] = False
    t: Annotated[
        float | None,
        flag("Of the balancing; what it keeps is told from MetaCLIP's figures.", default=f"{DEFAULT_T:g}"),
    ] = None
    keep_share: Annotated[
        float | None, flag("Share of matched pairs that is kept, instead of --t.", default="told by --t")
    ] = None
    image_size: Annotated[int, flag("Pixels of the shorter side, as of jobs/download.py.")] = 256
    expected_yield: Annotated[
        float | None, flag("Share of images that download.", name="--yield", default="0.77")
    ] = None
    price_core_hour: Annotated[
        float | None, flag("Money for a core and hour, in any currency.", default=False)
    ] = None
    model: Annotated[
        Literal["ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-H-14"] | None,
        flag("Plan training of this model as well.", default=False),
    ] = None
    samples_seen: Annotated[
        float | None,
        flag("With --model: samples to train on, repeats included.", default=f"{DEFAULT_SAMPLES_SEEN:g}"),
    ] = None
    gpus: Annotated[int | None, flag("With --model: GPUs, each like an A100.", default=str(DEFAULT_GPUS))] = (
        None
    )
    rates: Annotated[
        str | None,
        flag("Rates of your machine, as --calibrate wrote them.", default="those of the project's"),
    ] = None
    assume: Annotated[
        tuple[str, ...],
        flag("Other figures, each as NAME=VALUE, by the names in the list at the end.", default=False),
    ] = ()
    calibrate: Annotated[
        str | None,
        flag(
            "Run a minute of each step on this machine, and write its rates to this file instead of a plan. "
            "Works offline.",
            default=False,
        ),
    ] = None

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_combinations()

    def _check_numbers(self) -> None:
        bounds = {
            **dict.fromkeys(("crawls", "files", "cores", "image_size", "gpus"), (1, MOST)),
            **dict.fromkeys(("t", "samples_seen"), (LEAST, MOST)),
            "keep_share": (LEAST, 1),
            "price_core_hour": (0, MOST),
        }
        for name, (least, most) in bounds.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise InputError(
                    f"--{name.replace('_', '-')} is {value}; it must lie between {least:g} and {most:g}"
                )

    def _check_combinations(self) -> None:
        if self.keep_share is not None and self.t is not None:
            raise InputError("--keep-share says what is kept, and so does --t; give one of them")
        if self.model is None and (self.gpus is not None or self.samples_seen is not None):
            raise InputError("--gpus and --samples-seen are for training; give --model as well")
        if self.calibrate is not None:
            if any(value is not None for value in (self.crawls, self.files, self.rates)):
                raise InputError("--calibrate RATES.json makes no plan; run again with --rates RATES.json")
        elif (self.crawls is None) == (self.files is None):
            raise InputError("give either --crawls N or --files N")
