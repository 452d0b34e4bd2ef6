"""How well the texts of shards fit their images: embeddings and similarities, shard by shard."""

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from curation.config.score import Score
from curation.errors import InputError
from curation.trainer import models
from curation.trainer import ranks as processes
from curation.trainer.data.index import Index, build
from curation.trainer.embed import encode_samples
from curation.trainer.evaluation.features import Encoder
from curation.trainer.ranks import Ranks
from curation.trainer.scores import IDENTITY, ShardScores, read_facts, table_path

_SEMANTICS = 1
_WORKERS = 4
_PATIENCE_SECONDS = 1.0
_INDEX, _NEW_INDEX = "_index", "_index-new"
_OTHER = {  # what the scores in a folder are of, when this differs
    "semantics": "another version",
    "weights": "another checkpoint",
    "model": "another model",
    "preprocessing": "another preprocessing",
    "precision": "another precision",
    "embeddings": "another choice of --embeddings",
    "samples": "other shards",
    "shards": "shards in other places",
}


@dataclass(frozen=True)
class Scored:
    """What a SCORES folder holds.

    Attributes:
        output: the folder.
        shards: how many it has scores of.
        texts: that have a similarity.
        faults: images and texts without an embedding, by reason.
    """

    output: Path
    shards: int
    texts: int
    faults: dict[str, int]


def score(config: Score) -> Scored | None:
    """Score shards, or go on with what was stopped; a shard whose Parquet is there is done.

    Runs under torchrun too: ranks take shards by number. The same model, device and batch size give the same
    bytes.

    Args:
        config: what to score, and with what.

    Returns:
        What is in the folder; None on ranks other than the first.

    Raises:
        InputError: shards or checkpoint cannot be read, or the folder holds scores of others.
    """
    ranks = processes.start()
    try:
        output = Path(config.output).resolve()
        model = models.load(config.checkpoint, device=str(ranks.device))
        model.module.eval()
        encoder = Encoder(
            model,
            precision="bf16" if ranks.device.type == "cuda" else "fp32",
            batch_size=config.batch_size,
            workers=processes.workers(config.workers, most=_WORKERS),
        )
        if ranks.is_first:
            _claim(config, output, encoder)
        ranks.barrier()
        index = Index.open(output / _INDEX)
        _score_shards(config, output, encoder, index, ranks)
        return _sum_up(output, index) if ranks.is_first else None
    finally:
        processes.stop(ranks)


def _claim(config: Score, output: Path, encoder: Encoder) -> None:
    """Index the shards, and see to it that what is in the folder is of the same shards and model."""
    path = output / IDENTITY
    if not path.exists() and any(output.glob("*.parquet")):
        raise InputError(f"--output {config.output} holds other tables; name a folder of its own")
    try:
        index = build(config.shards, output / _NEW_INDEX)
    except InputError:
        with suppress(OSError):  # not empty: it was there before
            output.rmdir()
        raise
    identity = _identity(config, output, encoder, index)
    before = json.loads(path.read_text()) if path.exists() else identity
    for name, what in _OTHER.items():
        if before.get(name) != identity[name]:
            shutil.rmtree(index.folder)
            raise InputError(f"--output {config.output} holds scores of {what}; name another folder")
    shutil.rmtree(output / _INDEX, ignore_errors=True)
    index.folder.rename(output / _INDEX)
    draft = path.with_name(f"_{path.name}.tmp")
    draft.write_text(json.dumps(identity, indent=1) + "\n")
    draft.replace(path)


def _identity(config: Score, output: Path, encoder: Encoder, index: Index) -> dict[str, Any]:
    model = encoder.model
    identity = {
        "semantics": _SEMANTICS,
        "weights": _sha256(model.module.state_dict()),
        "model": model.config,
        "preprocessing": asdict(model.preprocessing),
        "precision": encoder.precision,
        "embeddings": config.embeddings,
        "samples": index.identity,
        "shards": [os.path.relpath(Path(shard).resolve(), output) for shard in index.shards],
    }
    return json.loads(json.dumps(identity))  # as it will be read again


def _sha256(weights: Mapping[str, torch.Tensor]) -> str:
    """Of the numbers, whatever file they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _score_shards(config: Score, output: Path, encoder: Encoder, index: Index, ranks: Ranks) -> None:
    """Score those of the rank's shards that have no table yet."""
    edges = np.searchsorted(index.samples["shard"], np.arange(len(index.shards) + 1)).tolist()
    todo = {
        number: range(edges[number], edges[number + 1])
        for number in range(ranks.rank, len(index.shards), ranks.ranks)
        if not table_path(output, number).exists()
    }
    size = config.batch_size  # no batch is of two shards, so that no table depends on where a run began
    batches = {
        number: [samples[at : at + size] for at in range(0, len(samples), size)]
        for number, samples in todo.items()
    }
    features = encode_samples(encoder, index, [batch for cut in batches.values() for batch in cut])
    shown = Console(stderr=True)
    for number, samples in track(todo.items(), "shards", console=shown, disable=not ranks.is_first):
        width = encoder.model.config["embed_dim"] if config.embeddings else 0
        scores = ShardScores(index, samples, width=width)
        for batch in islice(features, len(batches[number])):
            scores.add(batch)
        tar = Path(index.shards[number])
        scores.write(table_path(output, number), tar, os.path.relpath(tar.resolve(), output))


def _sum_up(output: Path, index: Index) -> Scored:
    tables = [table_path(output, number) for number in range(len(index.shards))]
    # No barrier: it would give up on a slower rank after minutes. A rank that fails has torchrun end all.
    while not all(table.exists() for table in tables):
        time.sleep(_PATIENCE_SECONDS)
    texts, faults = 0, Counter[str]()
    for table in tables:
        of_shard, reasons = read_facts(table)
        texts += of_shard
        faults += reasons
    shutil.rmtree(index.folder)
    return Scored(output, len(index.shards), texts, dict(faults.most_common()))
