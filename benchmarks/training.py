"""Training: our trainer and open_clip's own script on the same shards, with one model, on the same device."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import pyarrow as pa
from PIL import Image

from benchmarks.extraction import DATA, SOURCE
from benchmarks.report import Result
from curation.core.identity import image_id, pair_uid
from curation.crawl.extract import Reading, read_file
from curation.crawl.language import Languages
from curation.crawl.pairs import Rules
from curation.download.shard import SUCCESS, Shard, sample_key, write_shard
from curation.schemas import SHARD

MODEL = "ViT-B-32"
PHOTOGRAPHS = DATA / "images" / "coco-mini"
SIDE = 256
ROUNDS = 2
CPU_STEPS, CPU_BATCH = 6, 32
GPU_STEPS, GPU_BATCH = 100, 256
SHARD_SIZE = 1000
WARM = 2
"""Steps at the start that do not count: files are cold, and kernels are chosen."""

PEAK_TERAFLOPS = {"A100": 312, "H100": 989, "H200": 989, "L40S": 362, "A10": 125, "4090": 165}
"""Dense bf16, from the makers' data sheets."""


def run() -> Result | None:
    """Samples a second; None without the shared photographs and pages.

    On a GPU the note also tells model FLOPs utilisation. The share of time that goes by waiting for images is
    in the note, too.
    """
    if not PHOTOGRAPHS.is_dir():
        return None
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    steps, batch = (CPU_STEPS, CPU_BATCH) if gpu is None else (GPU_STEPS, GPU_BATCH)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = _shards(folder / "shards", (WARM + steps) * batch)
        measured: dict[str, list[tuple[float, float]]] = {"curation": [], "open_clip": []}
        for number in range(ROUNDS):
            measured["curation"].append(_ours(shards, folder / f"ours{number}", steps, batch, gpu))
            measured["open_clip"].append(_theirs(shards, folder / f"theirs{number}", steps, batch, gpu))
    rates = {name: max(rate for rate, _ in rounds) for name, rounds in measured.items()}
    waiting = {name: min(share for _, share in rounds) for name, rounds in measured.items()}
    waited = ", ".join(f"{name} {share:.1%}" for name, share in waiting.items())
    note = f"{MODEL}, batch {batch}, real alt texts; waiting for images: {waited}"
    return Result("samples/s", rates, note if gpu is None else f"{note}; {_utilisation(rates, gpu)}")


def _shards(folder: Path, count: int) -> Path:
    """Shards of photographs with the alt texts of real pages, as jobs/download.py writes them."""
    folder.mkdir()
    reading = Reading(rules=Rules(), languages=Languages(wanted=None))
    *batches, _ = read_file(str(SOURCE), reading=reading)
    texts = [text for part in batches for text in part["text"].to_pylist()]
    pictures = []
    for path in sorted(PHOTOGRAPHS.glob("*.jpg")):
        with Image.open(path) as image:
            image.thumbnail((2 * SIDE, SIDE))
            image.save(folder / "picture.jpg", quality=95)
        pictures.append((folder / "picture.jpg").read_bytes())
    (folder / "picture.jpg").unlink()
    pairs = [(f"http://a.example/{n}", text) for n, text in zip(range(count), cycle(texts), strict=False)]
    for number, first in enumerate(range(0, count, SHARD_SIZE)):
        rows = [_row(number, at, *pair) for at, pair in enumerate(pairs[first : first + SHARD_SIZE])]
        table = pa.Table.from_pylist(rows, SHARD)
        write_shard(
            folder, Shard(number, table, lambda at: pictures[at % len(pictures)], encode_format="jpg")
        )
    return folder


def _row(shard: int, at: int, url: str, text: str) -> dict[str, object]:
    uid = pair_uid(pa.array([url]), pa.array([text])).to_pylist()
    key, image = sample_key(shard, at, SHARD_SIZE), image_id(pa.array([url]))[0].as_py()
    described = {"key": key, "caption": text, "url": url, "image_id": image, "uids": uid, "texts": [text]}
    return described | {"keep_probabilities": [1.0], "status": SUCCESS}


def _ours(shards: Path, run_folder: Path, steps: int, batch: int, gpu: str | None) -> tuple[float, float]:
    """Samples a second, and the share of time that goes by waiting."""
    flags: Mapping[str, object] = {
        "shards": shards,
        "output": run_folder,
        "preset": "datacomp-small",
        "model": MODEL,
        "batch-size": batch,
        "samples-seen": (WARM + steps) * batch,
        "checkpoint-every": 10**9,
        "workers": _workers(gpu),
    }
    _call([sys.executable, "jobs/train.py", *(f"--{name}={value}" for name, value in flags.items())])
    points = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    points = [point for point in points if point["step"] > WARM]
    seconds = [1 / point["samples_per_second"] for point in points]
    return len(points) / sum(seconds), sum(point["waiting_share"] for point in points) / len(points)


def _theirs(shards: Path, logs: Path, steps: int, batch: int, gpu: str | None) -> tuple[float, float]:
    """The same of open_clip's script, from its own log of every step."""
    tars = sorted(shards.glob("*.tar"))
    flags: Mapping[str, object] = {
        "train-data": f"{shards}/{{00000..{len(tars) - 1:05d}}}.tar",
        "train-num-samples": (WARM + steps) * batch,
        "dataset-type": "webdataset",
        "model": MODEL,
        "batch-size": batch,
        "workers": _workers(gpu),
        "epochs": 1,
        "lr": 5e-4,
        "warmup": 500,
        "precision": "fp32" if gpu is None else "amp_bf16",
        "device": "cpu" if gpu is None else "cuda",
        "log-every-n-steps": 1,
        "logs": logs,
    }
    out = _call(
        [
            sys.executable,
            "-m",
            "open_clip_train.main",
            *(f"--{name}={value}" for name, value in flags.items()),
        ]
    )
    found = re.findall(r"Data \(t\): ([\d.]+) Batch \(t\): ([\d.]+)", out)[WARM:]
    waited, taken = ([float(pair[which]) for pair in found] for which in (0, 1))
    return len(found) * batch / sum(taken), sum(waited) / sum(taken)


def _workers(gpu: str | None) -> int:
    return 1 if gpu is None else min(12, len(os.sched_getaffinity(0)))


def _call(command: Sequence[str]) -> str:
    """Run a program; what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} failed:\n{done.stderr[-3000:]}")
    return done.stdout + done.stderr


def _utilisation(rates: Mapping[str, float], gpu: str) -> str:
    """Share of the device's peak that the model's arithmetic takes: forward, and backward twice that."""
    peak = next((value for name, value in PEAK_TERAFLOPS.items() if name in gpu), None)
    if peak is None:
        return f"{gpu}, whose peak is not in the table"
    used = ", ".join(f"{name} {3 * _gigaflops() * rate / peak / 1000:.0%}" for name, rate in rates.items())
    return f"{gpu}, model FLOPs utilisation at full text length: {used}"


def _gigaflops() -> float:
    """Of one forward pass of a padded pair."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from curation.trainer.models import create

    module = create(MODEL, device="meta").module
    with FlopCounterMode(display=False) as counter:
        module.encode_image(torch.empty(1, 3, 224, 224, device="meta"))
        module.encode_text(torch.empty(1, 77, dtype=torch.int64, device="meta"))
    return counter.get_total_flops() / 1e9
