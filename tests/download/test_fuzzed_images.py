"""Damaged and hostile files of real fuzzers: each is a picture or an error, and costs nothing else."""

import asyncio
import collections
import io
import tarfile
import warnings

import pytest
from PIL import Image

from curation.download.decoders import Decoders
from curation.download.image import IMAGE_ERRORS, ImageError, ImageOptions, Picture, process


@pytest.fixture(scope="module")
def files(shared_data):
    with tarfile.open(shared_data / "robustness" / "fuzzed-images.tar.gz") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}


@pytest.mark.parametrize(
    "options", [ImageOptions(), ImageOptions(skip_reencode=True, resize_mode="no", max_image_area=1_000_000)]
)
def test_fuzzed_files(files, options):
    assert len(files) == 1036

    async def status(decoders, data):
        try:
            return await decoders.process(data)
        except ImageError as error:
            return error.error

    async def run():
        async with Decoders(options) as decoders:
            (decoder,) = decoders._decoders
            pid = decoder._process.pid
            statuses = await asyncio.gather(*(status(decoders, data) for data in files.values()))
            assert decoder._process.pid == pid
        return statuses

    statuses = asyncio.run(run())
    counts = collections.Counter("" if isinstance(found, Picture) else found for found in statuses)
    assert set(counts) <= {"", *IMAGE_ERRORS}
    assert not any(error.startswith("decoder_") for error in counts)
    assert counts[""] > 150
    for found in statuses:
        if isinstance(found, Picture):
            image = Image.open(io.BytesIO(found.data))
            image.load()
            assert image.size == (found.width, found.height)


def test_nothing_is_said(files, capfd):
    messages = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for data in files.values():
            try:
                process(data, ImageOptions(image_size=64))
            except ImageError as error:
                messages.append(error.message)
    assert all(message.isprintable() and len(message) <= 100 for message in messages)
    assert not caught
    assert capfd.readouterr() == ("", "")
