"""One shard, fetched by img2dataset and then put into a form that is the same every time.

img2dataset writes samples in the order in which the images happen to arrive, with the time of day in
the tar; a sealed shard has them in the order of their keys, without times.
"""

import os
import re
import shutil
import string
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pyarrow as pa
import pyarrow.parquet as pq

from curation.config import DownloadOptions

SHARD_DIGITS = 5
LOST = "lost by img2dataset"

DONE = pa.schema([("shard", pa.int32()), ("images", pa.int64()), ("successes", pa.int64())])
"""What a task says of a shard that it made."""


_URL_CHARACTERS = string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=%"


def request_url(url: str) -> str:
    """A URL as it can be asked for: spaces and other characters percent-encoded, the host in IDNA.

    Pages have them otherwise, and browsers mend them too.
    """
    try:
        parts = urlsplit(url)
        host = "".join(part.encode("idna").decode() for part in re.split("([:@])", parts.netloc))
    except ValueError:
        return url  # there is no such host, and asking for it will say so
    path, query = (quote(part, safe=_URL_CHARACTERS) for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, host, path, query, ""))


def shard_name(shard: int) -> str:
    """The name that a shard's files start with."""
    return f"{shard:0{SHARD_DIGITS}d}"


def download_shard(images_folder: str, *, output: str, options: DownloadOptions) -> Iterator[pa.RecordBatch]:
    """Fetch the images of one shard and publish its tar, Parquet and statistics, in this order.

    Args:
        images_folder: Parquet of one shard, as `curation.stages.images` makes it, in a folder
            `shard=N`.
        output: folder of the shards.
        options: how to fetch.

    Yields:
        One row of `DONE`.
    """
    shard = int(Path(images_folder).name.removeprefix("shard="))
    images = _columns(pq.read_table(images_folder, partitioning=None).sort_by("position"))
    with tempfile.TemporaryDirectory(prefix="curation-shard-") as scratch:
        _fetch(images, shard, Path(scratch), options)
        statuses = _seal(images, shard, Path(scratch), Path(output), options)
    yield pa.record_batch(
        {"shard": [shard], "images": [len(statuses)], "successes": [statuses.count("success")]}, DONE
    )


def _columns(table: pa.Table) -> pa.Table:
    """What img2dataset is told of each image, and keeps beside it."""
    return pa.table(
        {
            "image_id": table["image_id"],
            "uids": table["uids"],
            "texts": table["texts"],
            "keep_probabilities": table["keep_probabilities"],
            "caption": [texts[0] for texts in table["texts"].to_pylist()],
            "url": [request_url(url) for url in table["url"].to_pylist()],
        }
    )


def _fetch(images: pa.Table, shard: int, scratch: Path, options: DownloadOptions) -> None:
    """Run img2dataset's downloader on one shard, in the calling process."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else importing it asks the network for its version
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))
    from img2dataset.downloader import Downloader
    from img2dataset.resizer import Resizer
    from img2dataset.writer import WebDatasetSampleWriter

    source = scratch / "images.arrow"
    with pa.ipc.new_file(source, images.schema) as writer:
        writer.write_table(images)
    Downloader(
        sample_writer_class=WebDatasetSampleWriter,
        resizer=Resizer(
            image_size=options.image_size,
            resize_mode=options.resize_mode,
            resize_only_if_bigger=True,
            encode_quality=95,
            encode_format="jpg",
        ),
        thread_count=options.threads,
        save_caption=True,
        extract_exif=True,
        output_folder=str(scratch),
        column_list=images.column_names,
        timeout=options.timeout_seconds,
        number_sample_per_shard=options.shard_size,
        oom_shard_count=SHARD_DIGITS,
        compute_hash="sha256",
        verify_hash_type=None,
        encode_format="jpg",
        retries=options.retries,
        user_agent_token="curation",
        disallowed_header_directives=["noai", "noimageai", "noindex", "noimageindex"],
    ).download_shard((shard, str(source)))


def _seal(images: pa.Table, shard: int, scratch: Path, output: Path, options: DownloadOptions) -> list[str]:
    """Order what img2dataset wrote, and move it whole into the output.

    Returns:
        The status of each image.
    """
    from img2dataset.downloader import compute_key

    name = shard_name(shard)
    digits = len(str(options.shard_size - 1)) if options.shard_size > 1 else 0
    keys = [compute_key(position, shard, digits, SHARD_DIGITS) for position in range(len(images))]
    rows = _complete(pq.read_table(scratch / f"{name}.parquet"), images, keys)
    with tempfile.TemporaryDirectory(prefix="_sealing-", dir=output) as draft:
        _sort_tar(scratch / f"{name}.tar", Path(draft, f"{name}.tar"))
        pq.write_table(rows, Path(draft, f"{name}.parquet"), compression="zstd")
        shutil.copyfile(scratch / f"{name}_stats.json", Path(draft, f"{name}_stats.json"))
        for suffix in (".tar", ".parquet", "_stats.json"):
            Path(draft, name + suffix).replace(output / (name + suffix))
    statuses: list[str] = rows["status"].to_pylist()
    return statuses


def _complete(rows: pa.Table, images: pa.Table, keys: list[str]) -> pa.Table:
    """The rows in the order of their keys, with one for each image that img2dataset stumbled over."""
    found = set(rows["key"].to_pylist())
    lost = [position for position, key in enumerate(keys) if key not in found]
    if lost:
        columns: dict[str, list[Any]] = {name: [None] * len(lost) for name in rows.column_names}
        columns |= images.take(lost).to_pydict()
        columns["key"] = [keys[position] for position in lost]
        columns["status"] = ["failed_to_resize"] * len(lost)
        columns["error_message"] = [LOST] * len(lost)
        rows = pa.concat_tables([rows, pa.table(columns, rows.schema)])
    return rows.sort_by("key")


def _sort_tar(source: Path, target: Path) -> None:
    with tarfile.open(source) as unsorted, tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as ordered:
        for member in sorted(unsorted.getmembers(), key=lambda member: member.name):
            member.mtime = 0
            ordered.addfile(member, unsorted.extractfile(member))
