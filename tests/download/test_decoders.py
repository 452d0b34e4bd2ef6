import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.download.decoders import Decoders
from curation.download.image import ImageError, ImageOptions, process

OPTIONS = ImageOptions(image_size=32, max_aspect_ratio=9.0)
STUB = Path(__file__).with_name("stub_decoder.py")


def encoded(seed=0, size=(80, 60), kind="PNG"):
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


GOOD = encoded()
PICTURE = process(GOOD, OPTIONS)


@pytest.fixture
def decoders(tmp_path):
    """Makes decoders that are told by their files what to do."""

    def make(**options):
        return Decoders(OPTIONS, command=(sys.executable, str(STUB), str(tmp_path)), **options)

    return make


async def outcome(decoders, data, boxes=()):
    try:
        return await decoders.process(data, boxes)
    except ImageError as error:
        return error.error


def pids(decoders):
    return [decoder._process.pid for decoder in decoders._decoders]


def alive(pid):
    """Whether there is a process, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_many_files_at_once():
    files = [encoded(seed, (50 + seed, 40)) for seed in range(40)]

    async def run():
        async with Decoders(OPTIONS, processes=2) as decoders:
            before = pids(decoders)
            pictures = await asyncio.gather(*map(decoders.process, files))
            assert pids(decoders) == before
        assert not any(map(alive, before))
        return pictures

    assert asyncio.run(run()) == [process(data, OPTIONS) for data in files]


def test_files_larger_than_any_buffer():
    options = ImageOptions(resize_mode="no", encode_format="png", encode_quality=0)
    data = encoded(size=(1500, 1000), kind="BMP")

    async def run():
        async with Decoders(options) as decoders:
            return await decoders.process(data)

    picture = asyncio.run(run())
    assert min(len(data), len(picture.data)) > 4_000_000
    assert picture == process(data, options)


def test_errors_and_boxes():
    async def run():
        async with Decoders(OPTIONS) as decoders:
            assert await outcome(decoders, b"") == "not_an_image"
            assert await outcome(decoders, encoded(size=(100, 10))) == "too_long"
            assert await outcome(decoders, GOOD[:-20]) == "damaged_image"
            boxes = [(0.2, 0.2, 0.5, 0.5)]
            assert await decoders.process(GOOD, boxes) == process(GOOD, OPTIONS, boxes)
            with pytest.raises(ValueError, match="box"):
                await decoders.process(GOOD, [(0, 0, float("nan"), 1)])

    asyncio.run(run())


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"crash x", "decoder_crash"),
        (b"leave x", "decoder_crash"),
        (b"hang x", "decoder_timeout"),
        (b"bloat x", "decoder_memory"),
    ],
)
def test_a_hostile_file_costs_itself_only(decoders, data, error):
    async def run():
        async with decoders(processes=2, timeout_seconds=1) as both:
            files = [GOOD] * 5 + [data] + [GOOD] * 5
            return await asyncio.gather(*(outcome(both, file) for file in files))

    assert asyncio.run(run()) == [PICTURE] * 5 + [error] + [PICTURE] * 5


def test_a_file_that_kills_twice_is_given_up(decoders, tmp_path):
    async def run():
        async with decoders() as one:
            return await outcome(one, b"crash x")

    assert asyncio.run(run()) == "decoder_crash"
    assert (tmp_path / "crashes").read_text() == "xx"


def test_messages_are_the_same_every_time(decoders):
    async def run():
        async with decoders(timeout_seconds=0.5) as one:
            for data in (b"crash x", b"hang x", b"bloat x", b"nothing"):
                messages = []
                for _ in range(2):
                    with pytest.raises(ImageError) as caught:
                        await one.process(data)
                    messages.append(caught.value.args)
                assert messages[0] == messages[1]

    asyncio.run(run())


def test_a_decoder_that_is_killed_while_idle_costs_nothing(decoders):
    async def run():
        async with decoders() as one:
            (pid,) = pids(one)
            os.kill(pid, signal.SIGKILL)
            assert await one.process(GOOD) == PICTURE
            assert pids(one) != [pid]
            assert not alive(pid)

    asyncio.run(run())


def test_a_decoder_that_is_killed_from_outside_costs_nothing(decoders):
    async def run():
        async with decoders() as one:
            assert await one.process(b"once killed " + GOOD) == PICTURE
            task = asyncio.create_task(one.process(b"slow " + GOOD))
            await asyncio.sleep(0.1)
            os.kill(*pids(one), signal.SIGKILL)
            assert await task == PICTURE

    asyncio.run(run())


def test_what_is_printed_does_not_get_between(decoders, capfd):
    async def run():
        async with decoders() as one:
            return [await one.process(b"shout " + GOOD) for _ in range(2)]

    assert asyncio.run(run()) == [PICTURE] * 2
    assert capfd.readouterr() == ("", "")


def test_cancelling_leaves_no_decoder_out_of_step(decoders):
    other = encoded(1)

    async def run():
        async with decoders() as one:
            for wait in (0, 0.001, 0.1):
                task = asyncio.create_task(one.process(b"slow " + GOOD))
                waiting = asyncio.create_task(one.process(GOOD))
                await asyncio.sleep(wait)
                task.cancel()
                waiting.cancel()
                await asyncio.wait([task, waiting])
                assert await one.process(other) == process(other, OPTIONS)

    asyncio.run(run())


def test_closing_is_quick_and_leaves_nothing(decoders):
    async def run():
        async with decoders(processes=2) as both:
            tasks = [asyncio.create_task(outcome(both, b"hang x")) for _ in range(3)]
            await asyncio.sleep(0.1)
            left = pids(both)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            start = time.monotonic()
        assert time.monotonic() - start < 2
        assert not any(map(alive, left))

    before = sum(1 for _ in Path("/proc/self/fd").glob("*"))
    asyncio.run(run())
    assert sum(1 for _ in Path("/proc/self/fd").glob("*")) == before


def test_closed_decoders_do_not_start_again(decoders):
    async def run():
        async with decoders() as one:
            task = asyncio.create_task(one.process(b"hang x"))
            await asyncio.sleep(0.1)
            left = pids(one)
        with pytest.raises(RuntimeError, match="closed"):
            await task
        with pytest.raises(RuntimeError, match="closed"):
            await one.process(GOOD)
        assert not any(map(alive, left))

    asyncio.run(run())


def test_decoders_that_do_not_start():
    async def run(command):
        async with Decoders(OPTIONS, command=command):
            pass

    with pytest.raises(RuntimeError, match="do not start"):
        asyncio.run(run((sys.executable, "-c", "1")))


def test_decoders_end_with_their_parent(tmp_path):
    """Even if it is killed."""
    program = """
import asyncio
from curation.download.decoders import Decoders
from curation.download.image import ImageOptions
async def run():
    async with Decoders(ImageOptions(), processes=2) as both:
        print(*(decoder._process.pid for decoder in both._decoders), flush=True)
        await asyncio.sleep(1000)
asyncio.run(run())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        left = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(left) == 2
        parent.kill()
    deadline = time.monotonic() + 10
    while any(running(pid) for pid in left):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def running(pid):
    """Whether there is such a process, and no zombie, for which in a container there may be nobody."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc").exists(), reason="no /proc")
def test_decoders_inherit_nothing_and_keep_quiet(tmp_path):
    async def run():
        with (tmp_path / "open").open("w") as file:
            os.set_inheritable(file.fileno(), True)
            async with Decoders(OPTIONS) as one:
                (pid,) = pids(one)
                links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
                # An interrupt from the keyboard is for the parent to act on.
                os.kill(pid, signal.SIGINT)
                assert await one.process(GOOD) == PICTURE
                assert pids(one) == [pid]
        return links

    links = asyncio.run(run())
    assert sum(link.startswith("socket:") for link in links) == 1
    assert all(link.startswith("socket:") or link == os.devnull for link in links)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")
def test_memory_is_bounded():
    """A megapixel fits into what is left of 256 MiB, 100 of them do not; the process lives on."""

    def black(side):
        file = io.BytesIO()
        Image.new("1", (side, side)).save(file, "PNG", compress_level=1)
        return file.getvalue()

    async def run():
        async with Decoders(OPTIONS, memory_bytes=1 << 28) as one:
            before = pids(one)
            assert await outcome(one, black(10_000)) == "decoder_memory"
            assert (await one.process(black(1000))).width == 32
            assert pids(one) == before

    asyncio.run(run())
