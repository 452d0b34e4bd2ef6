"""What `jobs/plan.py` can be told."""

from dataclasses import dataclass
from typing import Annotated, Literal

from curation.config.flags import flag
from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Tell what a run will take: time, core-hours, disk, bytes over the network, and what holds it up.

    Nothing is read but rates of a machine: those that come with the project, or yours (--calibrate, then
    --rates). Every figure used is listed at the end, and --assume puts yours in its place.

    Example: jobs/plan.py --crawls 15 --cores 256 --network-mbit 10000
    """

    cores: Annotated[
        int, flag("Cores of all machines together; with --calibrate, how many of this one's to measure on.")
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
    t: Annotated[float, flag("Of the balancing; what it keeps is told from MetaCLIP's figures.")] = 20_000.0
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
    samples_seen: Annotated[float, flag("With --model: samples to train on, repeats included.")] = 12.8e9
    gpus: Annotated[int, flag("With --model: GPUs, each like an A100.")] = 64
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
        if self.calibrate is not None:
            if any(value is not None for value in (self.crawls, self.files, self.rates)):
                raise InputError("--calibrate RATES.json makes no plan; run again with --rates RATES.json")
            return
        if (self.crawls is None) == (self.files is None):
            raise InputError("give either --crawls N or --files N")

    def _check_numbers(self) -> None:
        for name in ("crawls", "files", "cores", "image_size", "gpus"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name.replace('_', '-')} is {value}; it must be at least 1")
        for name in ("t", "samples_seen"):
            if not 0 < getattr(self, name) < float("inf"):
                value = getattr(self, name)
                raise InputError(f"--{name.replace('_', '-')} is {value}; it must be a number above 0")
        if self.keep_share is not None and not 0 < self.keep_share <= 1:
            raise InputError(f"--keep-share is {self.keep_share}; it must lie above 0 and at most at 1")
        if self.price_core_hour is not None and not 0 <= self.price_core_hour < float("inf"):
            raise InputError(f"--price-core-hour is {self.price_core_hour}; it must not be below 0")
