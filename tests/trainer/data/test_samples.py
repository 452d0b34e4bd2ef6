import io
import os
import tarfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import RandomResizedCrop

from curation.errors import InputError
from curation.trainer.data import samples as samples_module
from curation.trainer.data.index import build
from curation.trainer.data.samples import Augmentation, Fault, Reader, draw_box
from tests.shards import read_rows
from tests.trainer.conftest import photograph, rows_of

ID = np.uint64(0xFEDCBA9876543210)


def crop(size=32, seed=0, smallest=0.9):
    return Augmentation(seed=seed, image_size=size, smallest_crop=smallest)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def encoded(image, encode_format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, encode_format, **options)
    return stream.getvalue()


def test_image_and_text_are_those_of_the_shard(make_shards, tmp_path):
    folder = make_shards(tmp_path, rows_of(range(4)), rows_of(range(4, 7)))
    index = build([folder], tmp_path / "index")
    reader = Reader(index, open_shards=1)
    for sample, row in enumerate(read_rows(folder)):
        assert reader.image(sample) == photograph(sample)
        assert [reader.text(sample, n) for n in range(len(row["texts"]))] == row["texts"]
        with pytest.raises(Fault, match="bad_json"):
            reader.text(sample, len(row["texts"]))
    reader.close()


def test_few_shards_are_open_at_a_time(make_shards, tmp_path):
    folder = make_shards(tmp_path, *(rows_of([n]) for n in range(9)))
    index = build([folder], tmp_path / "index")
    reader, before = Reader(index, open_shards=3), open_files()
    for sample in (*range(9), 8, 7, 0):
        assert reader.image(sample) == photograph(sample)
        assert open_files() <= before + 3
    reader.close()
    assert open_files() == before


def test_the_shard_used_longest_ago_is_closed(make_shards, tmp_path, monkeypatch):
    index = build([make_shards(tmp_path, *(rows_of([n]) for n in range(3)))], tmp_path / "index")
    opened, open_ = [], os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: opened.append(path[-5]) or open_(path, *rest))
    reader = Reader(index, open_shards=2)
    for sample in (0, 1, 0, 2, 0, 1):
        reader.image(sample)
    assert opened == ["0", "1", "2", "1"]
    reader.close()


def test_bytes_that_are_not_what_they_were(make_shards, tmp_path):
    folder = make_shards(tmp_path, rows_of(range(3)))
    index = build([folder], tmp_path / "index")
    tar = folder / "00000.tar"
    data = bytearray(tar.read_bytes())
    row = index.samples[1]
    data[row["json_offset"]] = 0
    tar.write_bytes(data)
    reader = Reader(index)
    with pytest.raises(Fault, match="bad_json"):
        reader.text(1, 0)
    os.truncate(tar, int(index.samples[2]["image_offset"]))  # under the reader's hands
    with pytest.raises(Fault, match="read_error"):
        reader.image(2)
    reader.close()
    with pytest.raises(InputError, match=r"00000\.tar is not the file that was indexed"):
        Reader(index).image(0)
    tar.unlink()
    with pytest.raises(InputError, match=r"00000\.tar is gone"):
        Reader(index).image(0)


def test_a_text_of_its_own_file(tmp_path):
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        for name, data in (
            ("a.jpg", b"x"),
            ("a.txt", "größer".encode()),
            ("b.jpg", b"x"),
            ("b.txt", b"\xff"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    reader = Reader(build([tmp_path], tmp_path / "index"))
    assert reader.text(0, 0) == "größer"
    with pytest.raises(Fault, match="bad_text"):
        reader.text(1, 0)
    reader.close()


def test_the_part_is_that_of_the_seed_the_epoch_and_the_text():
    data = photograph(1)
    image = crop()(data, 0, ID)
    assert image.shape == (3, 32, 32)
    assert image.dtype == np.uint8
    assert np.array_equal(crop()(data, 0, ID), image)
    again = crop()
    again(photograph(2), 5, ID)
    assert np.array_equal(again(data, 0, ID), image)
    for other in (crop(seed=1)(data, 0, ID), crop()(data, 1, ID), crop()(data, 0, ID + np.uint64(1))):
        assert not np.array_equal(other, image)


def test_same_as_torchvision_of_the_same_part(monkeypatch):
    for number, box in enumerate([(0, 0, 48, 40), (3, 5, 40, 30), (10, 0, 9, 40), (47, 39, 1, 1)]):
        monkeypatch.setattr(samples_module, "draw_box", lambda *_, box=box, **__: box)
        left, top, width, height = box
        image = Image.open(io.BytesIO(photograph(number)))
        expected = transforms.functional.resized_crop(
            image, top, left, height, width, [24, 24], transforms.InterpolationMode.BICUBIC
        )
        got = crop(24)(photograph(number), 0, ID).transpose(1, 2, 0).astype(int)
        difference = abs(got - np.asarray(expected, int))
        assert difference.mean() < 0.6
        assert difference.max() <= 24  # at the edges torchvision does not look beyond the part


def test_parts_are_drawn_as_torchvision_draws_them():
    for width, height, smallest in ((320, 256, 0.9), (256, 256, 0.4), (1000, 100, 0.9), (100, 1000, 0.5)):
        ours = np.array([draw_box(width, height, smallest=smallest, key=key) for key in range(4000)])
        torch.manual_seed(0)
        blank = torch.empty(3, height, width)
        drawn = [RandomResizedCrop.get_params(blank, [smallest, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)]
        theirs = np.array(drawn)[:, [1, 0, 3, 2]]
        assert (ours >= [0, 0, 1, 1]).all()
        assert (ours[:, :2] + ours[:, 2:] <= [width, height]).all()
        for quantile in (0.02, 0.2, 0.5, 0.8, 0.98):
            a, b = np.quantile(ours, quantile, axis=0), np.quantile(theirs, quantile, axis=0)
            assert (abs(a - b) <= 0.03 * np.array([width, height, width, height]) + 1).all()
        middle = [(ours == box).all(axis=1).mean() for box in np.unique(theirs, axis=0)[:50]]
        theirs_middle = [(theirs == box).all(axis=1).mean() for box in np.unique(theirs, axis=0)[:50]]
        assert abs(max(middle) - max(theirs_middle)) < 0.04  # the one that is taken when ten do not fit


def test_a_whole_image_keeps_its_shape_and_colours():
    flat = encoded(Image.new("RGB", (64, 64), (200, 100, 50)))
    assert crop(16)(flat, 0, ID).reshape(3, -1).T.tolist() == [[200, 100, 50]] * 256
    top = Image.new("RGB", (64, 64))
    top.paste((255, 255, 255), (0, 0, 64, 32))
    image = crop(16)(encoded(top), 0, ID)
    assert (image[:, :5] == 255).all()
    assert (image[:, -5:] == 0).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_modes(mode):
    """Grey, palettes and CMYK become RGB; nothing becomes white."""
    image = Image.open(io.BytesIO(photograph(3))).convert(mode)
    if "A" in mode:
        image.putalpha(0)
        expected = np.full((3, 24, 24), 255)
    else:
        expected = crop(24)(encoded(image.convert("RGB")), 0, ID)
    data = encoded(image, "JPEG", quality=100) if mode == "CMYK" else encoded(image)
    assert abs(crop(24)(data, 0, ID).astype(int) - expected).mean() < 2


def test_a_palette_with_a_hole():
    image = Image.new("P", (32, 32), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert (crop(8)(encoded(image, transparency=1), 0, ID) == 255).all()
    assert crop(8)(encoded(image, transparency=0), 0, ID)[:, 0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("encode_format", ["JPEG", "PNG", "WEBP"])
def test_formats_and_what_is_cut_off(encode_format):
    data = photograph(3, (300, 200), encode_format)
    assert crop()(data, 0, ID).std() > 10
    for length in (0, 1, 20, len(data) // 2, len(data) * 9 // 10):
        with pytest.raises(Fault, match="bad_image"):
            crop()(data[:length], 0, ID)


def test_what_is_no_image_or_too_large(monkeypatch):
    deep = encoded(Image.fromarray(np.full((20, 20), 40_000, np.uint16)))
    for data in (b"<html>", photograph(1, encode_format="GIF"), deep):
        with pytest.raises(Fault, match="bad_image"):
            crop()(data, 0, ID)
    for limit in (48 * 40 - 1, 48 * 40 // 2 - 1):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(Fault, match="too_many_pixels"):
                crop()(photograph(1), 0, ID)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 48 * 40)
    crop()(photograph(1), 0, ID)


def test_large_jpegs_are_scaled_while_they_are_decoded(monkeypatch):
    """The part stays where it is, and the picture nearly the same."""
    data = photograph(4, (1203, 901))
    sizes = []
    scale = Augmentation._scale

    def spy(self, picture, *rest):
        sizes.append(picture.size)
        return scale(self, picture, *rest)

    monkeypatch.setattr(Augmentation, "_scale", spy)
    quick = crop(100, smallest=0.5)(data, 0, ID)
    monkeypatch.setattr(samples_module, "_DRAFT_FROM", 100)
    slow = crop(100, smallest=0.5)(data, 0, ID)
    assert sizes == [(301, 226), (1203, 901)]
    assert abs(quick.astype(int) - slow).mean() < 1


def test_real_damaged_images(shared_data):
    """Whatever a file is, it gives an image or a fault."""
    reasons = Counter()
    with tarfile.open(shared_data / "robustness" / "fuzzed-images.tar.gz") as tar:
        for member in list(tar)[::8]:
            if not member.isreg():
                continue
            try:
                assert crop(16)(tar.extractfile(member).read(), 0, ID).shape == (3, 16, 16)
                reasons["none"] += 1
            except Fault as fault:
                reasons[fault.reason] += 1
    assert reasons.keys() <= {"none", "bad_image", "too_many_pixels"}
    assert min(reasons["none"], reasons["bad_image"]) > 10
