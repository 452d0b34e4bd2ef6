"""The other engine: shards fetched by img2dataset, and then written as ours are.

img2dataset writes samples in the order in which the images happen to arrive, with the time of day in
the tar; here they have the order of their keys, without times.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.config import DownloadOptions
from curation.download.errors import FetchError
from curation.download.shard import (
    FAILED_TO_RESIZE,
    SHARD_DIGITS,
    Shard,
    read_images,
    sample_key,
    seal_shard,
    shard_name,
    shard_number,
    whole_shard,
)
from curation.download.task import Orders, done
from curation.download.urls import request_url
from curation.schemas import SHARD

LOST = "lost by img2dataset"


def download_shards(folders: Sequence[str], *, orders: Orders) -> Iterator[pa.RecordBatch]:
    """As `curation.download.task.download_shards`, one shard after the other."""
    output = Path(orders.output)
    for folder in folders:
        number = shard_number(folder)
        if whole_shard(output, number) is None:
            _download(folder, number, output, orders.options)
        yield done(output, number)


def _download(folder: str, number: int, output: Path, options: DownloadOptions) -> None:
    images = pq.read_table(folder, partitioning=None).sort_by("position")
    keys = [sample_key(number, position, options.shard_size) for position in range(len(images))]
    with tempfile.TemporaryDirectory(prefix="curation-shard-") as scratch:
        _fetch(images, number, Path(scratch), options)
        rows = _complete(pq.read_table(Path(scratch, f"{shard_name(number)}.parquet")), images, keys)
        by_key = dict(read_images(Path(scratch, f"{shard_name(number)}.tar")))
    seal_shard(output, Shard(number, rows, lambda at: by_key[keys[at]], options.encode_format))


def _fetch(images: pa.Table, number: int, scratch: Path, options: DownloadOptions) -> None:
    """Run img2dataset's downloader on one shard, in the calling process."""
    asked = pa.table(
        {
            "caption": [texts[0] for texts in images["texts"].to_pylist()],
            "url": [_asked(url) for url in images["url"].to_pylist()],
        }
    )
    source = scratch / "images.arrow"
    with pa.ipc.new_file(source, asked.schema) as writer:
        writer.write_table(asked)
    _downloader(options, scratch, asked.column_names).download_shard((number, str(source)))


def _downloader(options: DownloadOptions, scratch: Path, columns: list[str]) -> Any:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else importing it asks the network for its version
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))
    from img2dataset.downloader import Downloader
    from img2dataset.resizer import Resizer
    from img2dataset.writer import WebDatasetSampleWriter

    return Downloader(
        sample_writer_class=WebDatasetSampleWriter,
        resizer=Resizer(
            image_size=options.image_size,
            resize_mode=options.resize_mode,
            resize_only_if_bigger=not options.enlarge,
            encode_quality=options.quality,
            encode_format=options.encode_format,
            skip_reencode=options.skip_reencode,
            min_image_size=options.min_image_size,
            max_aspect_ratio=options.max_aspect_ratio,
            max_image_area=options.max_image_area,
        ),
        thread_count=options.threads,
        save_caption=True,
        extract_exif=True,
        output_folder=str(scratch),
        column_list=columns,
        timeout=options.timeout_seconds,
        number_sample_per_shard=options.shard_size,
        oom_shard_count=SHARD_DIGITS,
        compute_hash="sha256",
        verify_hash_type=None,
        encode_format=options.encode_format,
        retries=options.retries,
        user_agent_token="curation",
        disallowed_header_directives=(
            ["noai", "noimageai", "noindex", "noimageindex"] if options.opt_outs == "respect" else None
        ),
    )


def _asked(url: str) -> str:
    """A URL as it can be asked for; where it cannot be, img2dataset shall say so."""
    try:
        return request_url(url)
    except FetchError:
        return url


def _complete(theirs: pa.Table, images: pa.Table, keys: list[str]) -> pa.Table:
    """The rows of `schemas.SHARD`, with one for each image that img2dataset stumbled over."""
    found = {row["key"]: row for row in theirs.to_pylist()}
    lost = {"status": FAILED_TO_RESIZE, "error_message": LOST}
    rows = [
        found.get(key, lost) | known | {"key": key, "caption": known["texts"][0]}
        for key, known in zip(keys, images.to_pylist(), strict=True)
    ]
    return pa.Table.from_pylist([{name: row.get(name) for name in SHARD.names} for row in rows], schema=SHARD)
