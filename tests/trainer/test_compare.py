"""Planted truth: balancing a long tail must be found to help it, and the same data twice must not differ."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.config import Compare
from curation.core.balancing import entry_probability, keep_probability
from curation.core.identity import uniform
from curation.core.matcher import Matcher
from curation.errors import InputError
from curation.trainer.compare import COMPARISON, _parts, compare
from curation.trainer.differences import BETTER, NO_VERDICT, NOISE, score
from curation.trainer.differences import compare as hold_against
from curation.trainer.evaluation.classfolders import convert
from curation.trainer.evaluation.counts import Counts, EntryCount
from curation.trainer.evaluation.metrics import Classified
from curation.trainer.evaluation.result import read_outcomes, read_result, write_result

COLOURS = {
    "red": (200, 60, 60),
    "green": (60, 160, 70),
    "blue": (60, 80, 190),
    "orange": (215, 130, 40),
    "teal": (40, 150, 150),
    "purple": (130, 60, 180),
    "pink": (230, 150, 180),
    "black": (40, 40, 40),
    "white": (225, 225, 225),
}
HEADS = ("red", "green", "blue")
POOL = {name: 240 if name in HEADS else 8 for name in COLOURS}
"""Pictures of each colour in the pool."""

T = 8.0
EACH = 500
SEEDS = 8


def picture(rng: np.random.Generator, colour: tuple[int, int, int]) -> bytes:
    pixels = np.clip(np.array(colour) + rng.normal(0, 18, 3) + rng.normal(0, 30, (24, 24, 3)), 0, 255)
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards and an evaluation set of noisy colours."""
    folder, rng = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(EACH):
            (folder / "pictures" / name / f"{number}.png").write_bytes(picture(rng, colour))
    convert(folder / "pictures", folder / "made", test_share=0.4)
    return folder


def _pool(rows: list[dict]) -> list[tuple[dict, str, str]]:
    """The texts of a long-tailed pool."""
    pool = []
    for name, size in POOL.items():
        of_colour = [row for row in rows if f" {name}" in row["caption"]]
        pool += of_colour[:size]
    assert len(pool) == sum(POOL.values())
    return [(row, uid, text) for row in pool for uid, text in zip(row["uids"], row["texts"], strict=True)]


@pytest.fixture(scope="module")
def lists(colours: Path) -> dict[str, Path]:
    """A long-tailed pool of those pictures, and what balancing keeps of it."""
    shards = colours / "made" / "shards"
    rows = pa.concat_tables(
        pq.read_table(path).append_column(
            "shard", pa.array([str(path.with_suffix(".tar"))] * pq.read_metadata(path).num_rows)
        )
        for path in sorted(shards.glob("*.parquet"))
    ).to_pylist()
    texts = _pool(rows)
    matches = Matcher(list(COLOURS)).match(pa.array([text.rstrip(".") for *_, text in texts]))
    counts = np.bincount(matches.flatten().to_numpy(), minlength=len(COLOURS))
    probability = entry_probability(counts, 3 * T)  # three texts a picture
    keep = keep_probability(matches, probability)
    drawn = uniform(0, pa.array([uid for _, uid, _ in texts])) < keep
    kept = [pair for pair, stays in zip(texts, drawn, strict=True) if stays]
    table = pa.table(
        {"entry": list(COLOURS), "count": counts, "probability": probability, "kept_count": counts}
    )
    (colours / "counts").mkdir()
    pq.write_table(table, colours / "counts" / "part.parquet")
    made = {"pool": texts, "balanced": kept}
    for name, pairs in made.items():
        listed: dict[tuple[str, str], list[str]] = {}
        for row, uid, _ in pairs:
            listed.setdefault((row["shard"], row["key"]), []).append(uid)
        columns = {
            "shard": [shard for shard, _ in listed],
            "key": [key for _, key in listed],
            "uids": list(listed.values()),
        }
        pq.write_table(pa.table(columns), colours / f"{name}.parquet")
    return {name: colours / f"{name}.parquet" for name in made}


@pytest.fixture(scope="module")
def speck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "speck.json"
    vision = {"image_size": 16, "patch_size": 8, "width": 32, "layers": 1, "head_width": 16}
    text = {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    path.write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
    return path


@pytest.fixture(scope="module")
def config(colours: Path, lists: dict[str, Path], speck: Path) -> Compare:
    return Compare(
        arms=(f"pool={lists['pool']}", f"balanced={lists['balanced']}"),
        datasets=(str(colours / "made" / "pictures-held-out"),),
        output=str(colours / "comparison"),
        counts=str(colours / "counts"),
        model=str(speck),
        samples_seen=1_800,
        seeds=tuple(range(SEEDS)),
        batch_size=60,
        learning_rate=3e-3,
        workers=0,
    )


@pytest.fixture(scope="module")
def comparison(config: Compare) -> dict:
    return json.loads(compare(config).read_text())


def differences(comparison: dict) -> dict:
    return {(row["arm"], row["part"]): row for row in comparison["differences"]}


def test_balancing_helps_the_tail_beyond_the_noise(comparison: dict) -> None:
    row = differences(comparison)["balanced", "tail"]
    assert row["verdict"] == BETTER, row
    assert row["value"] > 0.05
    assert 0 < row["low"] < row["value"] < row["high"]
    assert row["value"] > differences(comparison)["balanced", "head"]["value"] + 0.05


def test_the_same_data_with_other_seeds_is_noise(comparison: dict, config: Compare) -> None:
    """Half of the pool's seeds against the other half; `test_differences` has how often that may fail."""
    (name,) = comparison["arms"][0]["datasets"]
    runs = [Path(config.output) / "runs" / f"pool-seed-{seed}" / "result.json" for seed in config.seeds]
    outcomes = [read_outcomes(path)[name] for path in runs]
    halves = {"a": outcomes[: SEEDS // 2], "b": outcomes[SEEDS // 2 :]}
    found = hold_against({half: score("accuracy", part, seed=0) for half, part in halves.items()}, "a")["b"]
    assert found.value != 0
    assert found.verdict == NOISE


def test_what_is_written(comparison: dict, config: Compare) -> None:
    arms = {arm["name"]: arm for arm in comparison["arms"]}
    assert list(arms) == ["pool", "balanced"]
    assert arms["pool"]["samples"] == sum(POOL.values())
    assert arms["balanced"]["samples"] < arms["pool"]["samples"]
    assert arms["pool"]["epochs"] == pytest.approx(1_800 / sum(POOL.values()))
    (of_set,) = arms["pool"]["datasets"].values()
    assert of_set["value"] == pytest.approx(np.mean(of_set["values"]))
    assert of_set["low"] < of_set["value"] < of_set["high"]
    assert of_set["value"] > 2 / len(COLOURS)  # it learns at all


def test_what_is_done_is_not_done_again(comparison: dict, config: Compare) -> None:
    runs = Path(config.output) / "runs"
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*.safetensors")}
    results = {path: path.stat().st_mtime_ns for path in runs.rglob("result.json")}
    assert compare(config) == Path(config.output) / COMPARISON
    assert json.loads((Path(config.output) / COMPARISON).read_text()) == comparison
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert {path: path.stat().st_mtime_ns for path in results} == results


def test_head_and_tail_are_of_the_entries(comparison: dict) -> None:
    """A model that knows the heads alone is right on them and wrong on the tail."""
    labels = np.tile(np.arange(9, dtype=np.int32), 30)
    outcomes = Classified(labels, np.where(labels < 3, labels, 0).astype(np.int32), labels < 3, labels * 0)
    names = [SimpleNamespace(name=name) for name in COLOURS]
    counts = Counts({name: EntryCount(9, 9, name in HEADS) for name in COLOURS})
    parts = _parts(SimpleNamespace(classes=names), outcomes, counts)
    values = {
        name: score("accuracy", [outcomes], seed=0, members=part).values[0] for name, part in parts.items()
    }
    assert values == pytest.approx({"all": 3 / 9, "head": 1, "tail": 0})
    assert _parts(SimpleNamespace(classes=names), outcomes, None) == {"all": None}


def test_results_of_other_images_are_not_compared(comparison: dict, config: Compare, tmp_path: Path) -> None:
    """A data set that lost an image between the runs of two arms."""
    output = tmp_path / "comparison"
    shutil.copytree(config.output, output)
    path = output / "runs" / "pool-seed-0" / "result.json"
    outcomes = {
        name: Classified(**{field: values[1:] for field, values in vars(kept).items()})
        for name, kept in read_outcomes(path).items()
    }
    result = read_result(path)
    moved = replace(result, checkpoint=result.checkpoint.replace(config.output, str(output)))
    write_result(path, moved, outcomes)
    with pytest.raises(InputError, match="has changed between the runs"):
        compare(replace(config, output=str(output), seeds=(0,)))


def test_an_arm_is_balanced_online_where_that_is_asked_for(config: Compare, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="online balancing needs shards that nothing was cut from"):
        compare(
            replace(config, online=("balanced",), output=str(tmp_path / "c"), seeds=(0,), samples_seen=60)
        )


def test_one_seed_gives_no_verdict(comparison: dict, config: Compare) -> None:
    found = json.loads(compare(replace(config, seeds=(1,))).read_text())
    assert {row["verdict"] for row in found["differences"]} == {NO_VERDICT}
    values = {arm["name"]: next(iter(arm["datasets"].values()))["values"] for arm in found["arms"]}
    of_all = {arm["name"]: next(iter(arm["datasets"].values()))["values"] for arm in comparison["arms"]}
    assert values == {name: of_all[name][1:2] for name in values}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"arms": ("a=x",)}, "two or more"),
        ({"arms": ("a=x", "a=y")}, "a name of its own"),
        ({"arms": ("a=x", "b")}, "NAME=SHARDS"),
        ({"online": ("c",)}, "no such arm"),
        ({"seeds": (1, 1)}, "--seeds"),
    ],
)
def test_what_is_no_comparison(config: Compare, change: dict, word: str) -> None:
    with pytest.raises(InputError, match=word):
        replace(config, **change)
