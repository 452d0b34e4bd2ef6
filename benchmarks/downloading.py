"""Downloading: both engines against one loopback server, by the processor time of the client alone."""

import importlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.extraction import DATA
from benchmarks.report import Result
from benchmarks.web import certificate, serving
from curation.core.identity import image_id

PHOTOGRAPHS = DATA / "images" / "coco-mini"
IMAGES = 3000
ROUNDS = 3
THREADS = 32
LARGER = 2
"""How many times as wide and high the larger photographs are: what cameras and shops put on the web."""
MANY = 100_000
ENGINES = ("curation", "img2dataset")

Measured = Mapping[str, float]


def plain() -> Result | None:
    """Images a second of the client's processor time, over HTTP; None without the shared photographs."""
    return _processor(PHOTOGRAPHS, "photographs of 640 px, over HTTP")


def larger() -> Result | None:
    """The same with larger photographs, of which less has to be decoded."""
    if not PHOTOGRAPHS.is_dir():
        return None
    with tempfile.TemporaryDirectory() as folder:
        for path in PHOTOGRAPHS.glob("*.jpg"):
            with Image.open(path) as image:
                size = (LARGER * image.width, LARGER * image.height)
                image.resize(size, Image.Resampling.LANCZOS).save(Path(folder, path.name), quality=85)
        return _processor(Path(folder), f"photographs of {LARGER * 640} px, over HTTP")


def tls() -> Result | None:
    """The same over TLS, with the certificates of the system."""
    return _processor(PHOTOGRAPHS, "photographs of 640 px, over TLS", tls=True)


def slow() -> Result | None:
    """Images a second when the server takes 200 ms for each answer."""
    if not PHOTOGRAPHS.is_dir():
        return None
    with serving(PHOTOGRAPHS, delay_seconds=0.2) as (port,):
        urls = [f"http://127.0.0.1:{port}/{n}.jpg" for n in range(IMAGES)]
        measured = _rounds({engine: partial(_run, engine, urls) for engine in ENGINES})
    return Result(
        "images/s",
        {engine: IMAGES / told["seconds"] for engine, told in measured.items()},
        f"{IMAGES} photographs of 640 px, 200 ms before each answer, {THREADS} connections, one task",
    )


def dead_hosts() -> Result | None:
    """Images a second of those that come, with one host in a hundred that never answers, and without it."""
    if not PHOTOGRAPHS.is_dir():
        return None
    with serving(PHOTOGRAPHS, ports=99) as ports, closing(socket.create_server(("127.0.0.1", 0))) as dead:
        alive = [f"http://127.0.0.1:{ports[n % 99]}/{n}.jpg" for n in range(3 * IMAGES)]
        silent = [f"http://127.0.0.1:{dead.getsockname()[1]}/{n}.jpg" for n in range(len(alive[::99]))]
        both = [
            url for n, url in enumerate(alive) for url in ([url, silent[n // 99]] if n % 99 == 0 else [url])
        ]
        measured = _rounds(
            {"with it": partial(_run, "curation", both), "without": partial(_run, "curation", alive)}
        )
    return Result(
        "images/s",
        {name: len(alive) / told["seconds"] for name, told in measured.items()},
        f"{len(alive)} photographs of 99 hosts, and {len(silent)} of one that is silent",
    )


def memory() -> Result | None:
    """The largest memory of a task, decoders apart, over many small images and over a tenth of them."""
    with tempfile.TemporaryDirectory() as folder:
        Image.new("RGB", (32, 32), (200, 30, 30)).save(Path(folder, "small.jpg"))
        with serving(Path(folder)) as (port,):
            urls = [f"http://127.0.0.1:{port}/{n}.jpg" for n in range(MANY)]
            many, few = _run("curation", urls), _run("curation", urls[: MANY // 10])
    return Result(
        "MB",
        {f"{MANY:,} images": many["megabytes"], f"{MANY // 10:,} images": few["megabytes"]},
        "largest resident memory of the process that fetches, shards of 10,000",
    )


def _processor(pictures: Path, how: str, *, tls: bool = False) -> Result | None:
    if not PHOTOGRAPHS.is_dir():
        return None
    with tempfile.TemporaryDirectory() as folder:
        pem, bundle = certificate(Path(folder))
        with serving(pictures, certificate=pem if tls else None) as (port,):
            urls = [f"{'https' if tls else 'http'}://127.0.0.1:{port}/{n}.jpg" for n in range(IMAGES)]
            fetch = partial(_run, urls=urls, SSL_CERT_FILE=str(bundle))
            measured = _rounds({engine: partial(fetch, engine) for engine in ENGINES})
    return Result(
        "images/CPU s",
        {engine: IMAGES / told["processor_seconds"] for engine, told in measured.items()},
        f"{IMAGES} {how}, to 256 px; processor time of the client and its children, the server's apart",
    )


def _rounds(contestants: Mapping[str, Callable[[], Measured]]) -> dict[str, Measured]:
    """The least of what each contestant measured; they take turns, as machines change pace."""
    told: dict[str, list[Measured]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, work in contestants.items():
            told[name].append(work())
    return {name: {key: min(one[key] for one in all_) for key in all_[0]} for name, all_ in told.items()}


def _run(engine: str, urls: Sequence[str], **environment: str) -> Measured:
    """Fetch in a process of its own, which measures itself."""
    with tempfile.TemporaryDirectory() as folder:
        shards = [
            _images(Path(folder), number, urls[at : at + 10_000])
            for number, at in enumerate(range(0, len(urls), 10_000))
        ]
        command = [sys.executable, "-m", "benchmarks.downloading", engine, folder, *shards]
        done = subprocess.run(
            command, env=os.environ | environment, check=True, stdout=subprocess.PIPE, text=True
        )
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _images(folder: Path, number: int, urls: Sequence[str]) -> str:
    """The images of a shard, as the run prepares them."""
    images = folder / f"shard={number}"
    images.mkdir()
    table = {
        "position": pa.array(range(len(urls)), pa.int32()),
        "image_id": image_id(pa.array(urls)),
        "url": urls,
        "uids": [[f"{n:032x}"] for n in range(len(urls))],
        "texts": [[f"a photo, no. {n}"] for n in range(len(urls))],
        "keep_probabilities": [[0.5]] * len(urls),
    }
    pq.write_table(pa.table(table), images / "part.parquet")
    return str(images)


def _measure(engine: str, output: str, *shards: str) -> None:
    """What `_run` starts."""
    from curation.config import Download
    from curation.download import img2dataset, task

    if engine == "img2dataset":
        importlib.import_module("img2dataset.downloader")  # it costs a second, once a process
    options = Download(curated="", output="", allow_hosts=("127.0.0.1",), threads=THREADS)
    orders = task.Orders(output=output, options=options)
    work = {"curation": task.download_shards, "img2dataset": img2dataset.download_shards}[engine]
    began, before = time.perf_counter(), _processor_seconds()
    batches = list(work(shards, orders=orders))
    told = {
        "seconds": time.perf_counter() - began,
        "processor_seconds": _processor_seconds() - before,
        "megabytes": _largest_megabytes(),
        "successes": sum(batch["successes"][0].as_py() for batch in batches),
    }
    sys.stdout.write("\n" + json.dumps(told) + "\n")


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _largest_megabytes() -> float:
    """Not `ru_maxrss`, which a process inherits."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    _measure(*sys.argv[1:])
