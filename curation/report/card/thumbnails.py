"""Images of samples as small pictures that a page can hold."""

import asyncio
import base64
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from curation.download.decoders import Decoders
from curation.download.image import ImageError, ImageOptions
from curation.download.shard import shard_name
from curation.report.card.gallery import Sample

_OPTIONS = ImageOptions(image_size=224, resize_mode="keep_ratio_largest", encode_quality=72)
_MAX_BYTES = 20_000_000
_TEXTS = ("json", "txt")


def thumbnails(shards: Path, samples: Sequence[Sample]) -> dict[str, str]:
    """Make thumbnails, with the bounds of the downloader: shards may be anybody's.

    Args:
        shards: folder of the shards.
        samples: of it.

    Returns:
        `data:` URLs of JPEGs by key; those that cannot be read or decoded are left out.
    """
    files = {}
    for shard in sorted({sample.shard for sample in samples}):
        keys = {sample.key for sample in samples if sample.shard == shard}
        files.update(_images(shards / f"{shard_name(shard)}.tar", keys))
    return asyncio.run(_shrunk(files))


def _images(tar: Path, keys: set[str]) -> dict[str, bytes]:
    """The images of these keys, without reading those of others."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(tar, "r:") as archive:
            for member in archive:
                key, _, suffix = member.name.partition(".")
                wanted = key in keys and suffix not in _TEXTS and member.size <= _MAX_BYTES
                stream = archive.extractfile(member) if wanted else None
                if stream is not None:
                    found[key] = stream.read()
                if len(found) == len(keys):
                    break
    except (OSError, tarfile.TarError):
        return found  # a card without a picture says more than no card
    return found


async def _shrunk(files: Mapping[str, bytes]) -> dict[str, str]:
    if not files:
        return {}
    urls = {}
    async with Decoders(_OPTIONS) as decoders:
        for key, data in files.items():
            try:
                picture = await decoders.process(data)
            except ImageError:
                continue
            urls[key] = f"data:image/jpeg;base64,{base64.b64encode(picture.data).decode()}"
    return urls
