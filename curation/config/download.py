"""What `jobs/download.py` can be told."""

from dataclasses import dataclass
from typing import Annotated, Literal

from curation.config.flags import flag
from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class DownloadOptions:
    """How images are fetched, judged, resized and sharded."""

    image_size: Annotated[int, flag("Pixels of the side that --resize-mode speaks of.")] = 256
    shard_size: Annotated[int, flag("Images a shard at the most.")] = 10_000
    resize_mode: Annotated[
        Literal["keep_ratio", "keep_ratio_largest", "center_crop", "border", "no"],
        flag("img2dataset's modes; keep_ratio makes the shorter side --image-size."),
    ] = "keep_ratio"
    enlarge: Annotated[bool, flag("Resize images that are smaller than --image-size, too.")] = False
    encode_format: Annotated[Literal["jpg", "png", "webp"], flag("Format of the images in the shards.")] = (
        "jpg"
    )
    encode_quality: Annotated[
        int | None,
        flag("Quality of jpg and webp (0 to 100), or compression of png (0 to 9).", default="95, or 6"),
    ] = None
    skip_reencode: Annotated[
        bool, flag("Keep an image's own bytes, without metadata, where nothing has to be changed.")
    ] = False
    min_image_size: Annotated[int, flag("Pixels that the shorter side must have.")] = 0
    max_aspect_ratio: Annotated[float, flag("Longer side by shorter side, at the most.")] = float("inf")
    max_image_area: Annotated[int, flag("Pixels at the most: judged before anything is decoded.")] = (
        100_000_000
    )
    timeout_seconds: Annotated[
        float, flag("Time for one try, from the look-up of the name to the last byte, redirects included.")
    ] = 10.0
    retries: Annotated[int, flag("Further tries for an image that did not come, where that can help.")] = 1
    max_bytes: Annotated[int, flag("Bytes of an image at the most.")] = 20_000_000
    threads: Annotated[int, flag("Images that a task fetches at once.")] = 64
    host_connections: Annotated[float, flag("Connections to one host at once, by all tasks together.")] = (
        128.0
    )
    host_rate: Annotated[
        float | None, flag("Requests to one host a second, by all tasks together.", default="no limit")
    ] = None
    contact: Annotated[
        str | None, flag("Where those whom we visit can reach you, in the User-Agent: a URL or an address.")
    ] = None
    opt_outs: Annotated[
        Literal["respect", "record"],
        flag(
            "Leave out images whose server opts out (X-Robots-Tag, TDMRep, Content-Usage), or keep them and "
            "say so in the column opt_outs."
        ),
    ] = "respect"
    robots: Annotated[bool, flag("Ask each host for its robots.txt first, and heed it.")] = False
    allow_hosts: Annotated[
        tuple[str, ...],
        flag("Names, addresses and networks that may be reached though they are not public.", default=False),
    ] = ()
    block_hashes: Annotated[
        tuple[str, ...], flag("Files of sha256 of images that are left out, one a line.", default=False)
    ] = ()
    exclude_hashes: Annotated[
        tuple[str, ...],
        flag("Leave out what looks like an image of these HASHES, from jobs/hash_images.py.", default=False),
    ] = ()
    verify_hashes: Annotated[
        str | None,
        flag("Parquet of url and sha256: leave out images whose bytes are others now.", default=False),
    ] = None
    blur_boxes: Annotated[
        str | None,
        flag(
            "Parquet of url and boxes, [left, top, right, bottom] in parts of 1, to be blurred.",
            default=False,
        ),
    ] = None
    classifier: Annotated[
        str | None,
        flag(
            "MODULE:FUNCTION from a list of PIL images to scores, such as a detector of nudity.",
            default=False,
        ),
    ] = None
    classifier_column: Annotated[str, flag("Name of the column with its scores.")] = "classifier_score"
    classifier_threshold: Annotated[float, flag("Images that score higher are left out.")] = 0.5
    engine: Annotated[
        Literal["curation", "img2dataset"],
        flag("What fetches: ours, or img2dataset, which knows fewer flags."),
    ] = "curation"

    def __post_init__(self) -> None:
        self._check_numbers()
        if self.encode_quality is not None and not 0 <= self.encode_quality <= self._best_quality:
            raise InputError(
                f"--encode-quality is {self.encode_quality}; for {self.encode_format} it must lie between 0 "
                f"and {self._best_quality}"
            )
        if self.classifier is not None and self.classifier.count(":") != 1:
            raise InputError(f"--classifier is {self.classifier}; it must be MODULE:FUNCTION")
        if self.engine == "img2dataset":
            self._refuse_what_img2dataset_lacks()

    @property
    def quality(self) -> int:
        """The quality to encode with."""
        if self.encode_quality is not None:
            return self.encode_quality
        return 6 if self.encode_format == "png" else 95

    @property
    def _best_quality(self) -> int:
        return 9 if self.encode_format == "png" else 100

    def _check_numbers(self) -> None:
        least = {
            **dict.fromkeys(("image_size", "shard_size", "threads", "max_bytes", "max_image_area"), 1),
            **dict.fromkeys(("max_aspect_ratio",), 1),
            **dict.fromkeys(("retries", "min_image_size"), 0),
        }
        for name, bound in least.items():
            if not getattr(self, name) >= bound:
                raise InputError(f"{_spelt(name)} is {getattr(self, name)}; it must be at least {bound}")
        for name in ("timeout_seconds", "host_connections", "host_rate"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"{_spelt(name)} is {value}; it must be a number above 0")

    def _refuse_what_img2dataset_lacks(self) -> None:
        ours = ("host_rate", "robots", "allow_hosts", "block_hashes", "exclude_hashes", "verify_hashes")
        for name in (*ours, "blur_boxes", "classifier", "contact"):
            if getattr(self, name):
                raise InputError(f"{_spelt(name)} is beyond --engine img2dataset; leave one of them out")


@dataclass(frozen=True, kw_only=True)
class Download(DownloadOptions):
    """Fetch the images of the curated pairs and write them into WebDataset shards.

    Example: jobs/download.py --curated curated --output shards
    """

    curated: Annotated[
        str,
        flag("CURATED folder, from jobs/balance.py; or MATCHES or a POOL, for what is not balanced."),
    ]
    output: Annotated[str, flag("The SHARDS folder to make.")]
    retry_failed: Annotated[
        bool,
        flag("Fetch again what failed in a way that may pass, into further shards of a finished --output."),
    ] = False


def _spelt(name: str) -> str:
    return "--" + name.replace("_", "-")
