"""What `jobs/download.py` can be told."""

from dataclasses import dataclass
from typing import Annotated, Literal

from curation.config.flags import flag
from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class DownloadOptions:
    """How images are fetched, resized and sharded."""

    image_size: Annotated[int, flag("Pixels of the side that --resize-mode speaks of.")] = 256
    shard_size: Annotated[int, flag("Images a shard at the most.")] = 10_000
    resize_mode: Annotated[
        Literal["keep_ratio", "keep_ratio_largest", "center_crop", "border", "no"],
        flag("img2dataset's modes; keep_ratio makes the shorter side --image-size, never enlarging."),
    ] = "keep_ratio"
    timeout_seconds: Annotated[int, flag("Patience with a silent server.")] = 10
    retries: Annotated[int, flag("Further tries for an image that did not come.")] = 1
    threads: Annotated[int, flag("Connections a task.")] = 64

    def __post_init__(self) -> None:
        for name in ("image_size", "shard_size", "timeout_seconds", "threads"):
            if getattr(self, name) < 1:
                flag = "--" + name.replace("_", "-")
                raise InputError(f"{flag} is {getattr(self, name)}; it must be at least 1")
        if self.retries < 0:
            raise InputError(f"--retries is {self.retries}; it must be at least 0")


@dataclass(frozen=True, kw_only=True)
class Download(DownloadOptions):
    """Fetch the images of the curated pairs and write them into WebDataset shards.

    Example: jobs/download.py --curated curated --output shards
    """

    curated: Annotated[str, flag("CURATED folder, from jobs/balance.py.")]
    output: Annotated[str, flag("The SHARDS folder to make.")]
