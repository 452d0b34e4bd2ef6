"""Planted truth: a long-tailed pool of real images, where balancing must be found to help the tail."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.extraction import DATA
from benchmarks.report import Result
from curation.core.balancing import entry_probability, keep_probability
from curation.core.identity import uniform
from curation.core.matcher import Matcher

SOURCE = DATA / "images" / "cifar10-10k.tar"
HEAD, TAIL = 600, 30
"""Images of each of five classes, and of each of the others."""

T = 60.0
SEEDS = (0, 1, 2)
SAMPLES_SEEN = 12_800


def run() -> Result | None:
    """Accuracy on the tail's classes, in percent; None without the shared images.

    The pool is trained on twice, with other seeds each time: that pair must come out as noise.
    """
    if not SOURCE.is_file():
        return None
    from curation.config import Compare
    from curation.trainer.compare import compare
    from curation.trainer.evaluation.classfolders import convert

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = convert(SOURCE, folder / "cifar", test_size=2000, texts=1)
        pool, balanced = _lists(made.shards, made.classnames, folder)
        config = {
            "datasets": (str(made.dataset),),
            "counts": str(folder / "counts"),
            "samples_seen": SAMPLES_SEEN,
        }
        arms = (f"pool={pool}", f"balanced={balanced}")
        path = compare(Compare(arms=arms, output=str(folder / "planted"), seeds=SEEDS, **config))
        found = json.loads(path.read_text())
        verdict = _again(Compare(arms=arms, output=str(folder / "planted"), seeds=SEEDS, **config))
    (dataset,) = found["arms"][0]["datasets"]
    tail = next(row for row in found["differences"] if row["part"] == "tail")
    between = f"{100 * tail['low']:+.1f} to {100 * tail['high']:+.1f}"
    note = (
        f"CIFAR-10, classes of {HEAD} and of {TAIL} images, t = {T:g}, {len(SEEDS)} seeds, {SAMPLES_SEEN:,} "
        f"samples each; tail {100 * tail['value']:+.1f} ({between}): "
        f"{tail['verdict']}; the pool again with other seeds: {verdict}"
    )
    rates = {arm["name"]: 100 * arm["datasets"][dataset]["tail"] for arm in found["arms"]}
    return Result("% of the tail's images", {name: rates[name] for name in ("balanced", "pool")}, note)


def _lists(shards: Path, classnames: tuple[str, ...], folder: Path) -> tuple[Path, Path]:
    """The pool and what balancing keeps of it, as lists of samples; CURATED's counts beside them."""
    rows = [
        row | {"shard": str(path.with_suffix(".tar"))}
        for path in sorted(shards.glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    left = dict(zip(classnames, [HEAD, TAIL] * 5, strict=True))
    pool = []
    for row in rows:
        (name,) = (name for name in classnames if f" {name}." in row["caption"])
        if left[name]:
            left[name] -= 1
            pool.append(row)
    texts = pa.array([row["caption"] for row in pool])
    matches = Matcher(list(classnames)).match(texts)
    counts = np.bincount(matches.flatten().to_numpy(), minlength=len(classnames))
    probability = entry_probability(counts, T)
    kept = uniform(0, pa.array([row["uids"][0] for row in pool])) < keep_probability(matches, probability)
    (folder / "counts").mkdir()
    columns = {"entry": list(classnames), "count": counts, "probability": probability, "kept_count": counts}
    pq.write_table(pa.table(columns), folder / "counts" / "counts.parquet")
    chosen = {"pool": pool, "balanced": [row for row, stays in zip(pool, kept, strict=True) if stays]}
    paths = []
    for name, some in chosen.items():
        listed = {column: [row[column] for row in some] for column in ("shard", "key", "uids")}
        pq.write_table(pa.table(listed), folder / f"{name}.parquet")
        paths.append(folder / f"{name}.parquet")
    return paths[0], paths[1]


def _again(config: object) -> str:
    """Train on the pool with other seeds, and hold those runs against the first."""
    from curation.config import Evaluate, Train
    from curation.trainer.differences import compare, score
    from curation.trainer.evaluation.evaluate import evaluate
    from curation.trainer.evaluation.result import read_outcomes
    from curation.trainer.train import train

    runs = Path(config.output) / "runs"
    outcomes = []
    for seed in (*SEEDS, *(seed + len(SEEDS) for seed in SEEDS)):
        run = runs / f"pool-seed-{seed}"
        if not run.exists():
            shards = (config.arms[0].partition("=")[2],)
            train(Train(shards=shards, output=str(run), seed=seed, samples_seen=SAMPLES_SEEN))
            evaluate(Evaluate(checkpoint=str(run), datasets=config.datasets, output=str(run / "result.json")))
        outcomes += read_outcomes(run / "result.json").values()
    halves = {"first": outcomes[: len(SEEDS)], "again": outcomes[len(SEEDS) :]}
    scores = {name: score("accuracy", some, seed=0) for name, some in halves.items()}
    return compare(scores, "first")["again"].verdict
