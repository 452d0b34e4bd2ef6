import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from curation.config import Train
from curation.errors import InputError
from curation.lock import lock
from curation.trainer import checkpoint, models
from curation.trainer.data.loader import micro_batches
from curation.trainer.loop import Run
from curation.trainer.progress import read_metrics
from curation.trainer.step import Step
from curation.trainer.train import CONFIG, train
from tests.conftest import ROOT

SMALL = {"samples_seen": 96, "batch_size": 16, "workers": 0, "checkpoint_every": 32}
WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture
def config(shards: Path, tiny: Path, tmp_path: Path) -> Train:
    return Train(shards=(str(shards),), output=str(tmp_path / "run"), model=str(tiny), **SMALL)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes no time, and has dropout: its random state must be the same after a stop."""
    path = tmp_path_factory.mktemp("model") / "speck.json"
    vision = {"image_size": 32, "patch_size": 16, "width": 32, "layers": 1, "head_width": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    content = {"embed_dim": 16, "vision_cfg": vision | {"patch_dropout": 0.3}, "text_cfg": text}
    path.write_text(json.dumps(content))
    return path


def weights(run: Path | str) -> dict[str, torch.Tensor]:
    return load_file(checkpoint.latest(Path(run)) / WEIGHTS)


def same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_run_leaves_what_it_says(config: Train) -> None:
    trained = train(config)
    assert trained.images == 49
    assert trained.checkpoint == Path(config.output) / "checkpoints" / "000000000096"
    points = read_metrics(Path(config.output))
    assert points == trained.points
    assert [point.samples_seen for point in points] == [16, 32, 48, 64, 80, 96]
    assert all(math.isfinite(point.loss) and point.samples_per_second > 0 for point in points)
    assert points[0].loss == pytest.approx(math.log(16), rel=0.3)
    folders = sorted(path.name for path in trained.checkpoint.parent.iterdir())
    assert folders == ["000000000032", "000000000064", "000000000096"]


def test_the_learning_rate_rises_and_falls_to_nothing(config: Train) -> None:
    train(replace(config, warmup_steps=2, learning_rate=1e-2))
    rates = [point.learning_rate for point in read_metrics(Path(config.output))]
    assert rates[:3] == pytest.approx([5e-3, 1e-2, 1e-2])
    assert rates[2] > rates[3] > rates[4] > rates[5] > 0
    assert rates[5] == pytest.approx(1e-2 * 0.5 * (1 + math.cos(math.pi * 3 / 4)))


def test_nothing_is_learnt_at_a_learning_rate_of_nothing(
    config: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curation.trainer.loop.learning_rate", lambda step, **_: 0.0)
    train(replace(config, seed=5))
    begun = models.create(config.model, seed=5).module.state_dict()
    assert all(torch.equal(value, begun[name]) for name, value in weights(config.output).items())


@pytest.mark.parametrize(("preset", "norm"), [("smoke", 1.0), ("datacomp-small", math.inf)])
def test_gradients_are_clipped_as_the_preset_says(
    config: Train, monkeypatch: pytest.MonkeyPatch, preset: str, norm: float
) -> None:
    clip, norms = torch.nn.utils.clip_grad_norm_, set()
    monkeypatch.setattr(
        "torch.nn.utils.clip_grad_norm_", lambda parameters, at: norms.add(at) or clip(parameters, at)
    )
    train(replace(config, preset=preset))
    assert norms == {norm}


@pytest.mark.parametrize(("preset", "smallest"), [("smoke", 0.5), ("datacomp-small", 0.9)])
def test_crops_are_as_the_preset_says(
    config: Train, monkeypatch: pytest.MonkeyPatch, preset: str, smallest: float
) -> None:
    told = {}
    monkeypatch.setattr(
        "curation.trainer.loop.micro_batches",
        lambda order, **settings: told.update(settings) or micro_batches(order, **settings),
    )
    train(replace(config, preset=preset))
    assert told["smallest_crop"] == smallest


def test_a_step_is_told_what_the_user_says(config: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {}
    monkeypatch.setattr(
        "curation.trainer.loop.Step",
        lambda model, ranks, **settings: told.update(settings) or Step(model, ranks, **settings),
    )
    train(replace(config, seed=5, precision="bf16", checkpoint_activations=True))
    assert (told["seed"], told["precision"], told["checkpoint_activations"]) == (5, "bf16", True)
    assert told["compile"] is False


def test_a_long_run_has_a_point_now_and_then_and_before_every_checkpoint(
    config: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curation.trainer.loop.LINES", 1)
    assert [point.samples_seen for point in train(config).points] == [32, 64, 96]


def test_the_logit_scale_is_held_below_a_hundred(config: Train, tiny: Path, tmp_path: Path) -> None:
    content = json.loads(tiny.read_text()) | {"init_logit_scale": 6.0}
    (tmp_path / "hot.json").write_text(json.dumps(content))
    trained = train(replace(config, model=str(tmp_path / "hot.json"), learning_rate=1e-9))
    assert [point.logit_scale for point in trained.points] == pytest.approx([100.0] * 6)


def stopped_after(config: Train, batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run until so many batches are trained on, and no further."""
    with monkeypatch.context() as patch:
        count = iter(range(1000))
        one_step = Run._one_step

        def step(run: object, *arguments: object) -> object:
            if next(count) == batches:
                raise KeyboardInterrupt
            return one_step(run, *arguments)

        patch.setattr("curation.trainer.loop.Run._one_step", step)
        with pytest.raises(KeyboardInterrupt):
            train(config)


def test_a_stopped_run_ends_with_the_same_bits(config: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped twice, once between checkpoints, and gone on with by another number of workers."""
    whole = replace(config, output=config.output + "-whole")
    train(whole)
    stopped_after(config, 3, monkeypatch)
    assert checkpoint.latest(Path(config.output)).name == "000000000032"
    stopped_after(config, 3, monkeypatch)
    assert checkpoint.latest(Path(config.output)).name == "000000000064"
    train(replace(config, workers=2))
    assert same(weights(config.output), weights(whole.output))
    ours, theirs = (read_metrics(Path(run.output)) for run in (config, whole))
    assert [(point.samples_seen, point.loss) for point in ours] == [(p.samples_seen, p.loss) for p in theirs]


def test_another_seed_gives_another_model_and_the_same_seed_the_same(config: Train) -> None:
    train(config)
    for seed, equal in ((0, True), (1, False)):
        other = replace(config, seed=seed, output=f"{config.output}-{seed}")
        train(other)
        assert same(weights(config.output), weights(other.output)) == equal


def test_a_finished_run_is_not_trained_again(config: Train) -> None:
    train(config)
    before = checkpoint.latest(Path(config.output)).stat().st_mtime_ns
    again = train(config)
    assert again.points == read_metrics(Path(config.output))
    assert again.checkpoint.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"seed": 1}, "another seed"),
        ({"learning_rate": 1.0}, "another recipe"),
        ({"samples_seen": 160}, "another recipe"),
    ],
)
def test_a_folder_of_other_settings_is_refused(config: Train, change: dict, word: str) -> None:
    train(config)
    with pytest.raises(InputError, match=word):
        train(replace(config, **change))


def test_other_shards_are_refused(config: Train, shards: Path) -> None:
    train(config)
    with pytest.raises(InputError, match="another shards"):
        train(replace(config, shards=(str(shards / "00000.tar"),)))


def test_micro_batches_learn_what_one_batch_does(config: Train, tiny: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.json"
    content = json.loads(tiny.read_text())
    del content["vision_cfg"]["patch_dropout"]  # which falls otherwise in another cut
    plain.write_text(json.dumps(content))
    config = replace(config, model=str(plain))
    train(config)
    cut = replace(config, micro_batch_size=4, output=config.output + "-cut")
    train(cut)
    for name, value in weights(config.output).items():
        assert torch.allclose(value, weights(cut.output)[name], atol=2e-4), name


def test_going_on_from_other_weights(config: Train) -> None:
    train(config)
    onwards = replace(
        config, init=config.output, output=config.output + "-on", samples_seen=16, learning_rate=1e-9
    )
    train(onwards)
    before, after = weights(config.output), weights(onwards.output)
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)
    with pytest.raises(InputError, match="another init"):
        train(replace(onwards, init=None))
    larger = replace(onwards, output=config.output + "-larger", image_size=64)
    train(larger)
    assert weights(larger.output)["visual.positional_embedding"].shape[0] == 17


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"batch_size": 64, "samples_seen": 640}, "49 images, less than one batch of 64"),
        ({"micro_batch_size": 5}, "does not divide"),
        ({"online": True}, "online"),
        ({"model": "ViT-B-23"}, "ViT-B-32"),
        ({"shards": ("nowhere/*.tar",)}, "nowhere"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_no_run(config: Train, change: dict, word: str) -> None:
    with pytest.raises(InputError, match=re.escape(word)) as error:
        train(replace(config, **change))
    assert "\n" not in str(error.value)
    assert not Path(config.output).exists()


@pytest.mark.parametrize("bad", [(math.nan, 1.0), (1.0, math.inf)])
def test_a_loss_that_is_no_number_stops_the_run(
    config: Train, monkeypatch: pytest.MonkeyPatch, bad: tuple[float, float]
) -> None:
    monkeypatch.setattr(
        "curation.trainer.loop.Run._one_step",
        lambda run, batch, number, rate: map(torch.tensor, bad if number == 3 else (2.0, 1.0)),
    )
    with pytest.raises(InputError, match="not a number at step 4"):
        train(config)
    assert checkpoint.latest(Path(config.output)).name == "000000000032"


def test_of_two_runs_in_one_folder_the_later_is_refused(config: Train) -> None:
    index = Path(config.output) / "index"
    with lock(Path(config.output)):
        index.mkdir()  # the earlier one is not far yet
        with pytest.raises(InputError, match="another run is at work"):
            train(config)
    assert index.is_dir()


def test_corrupt_samples_are_told(make_shards: object, config: Train, tmp_path: Path) -> None:
    from tests.trainer.conftest import rows_of

    rows = rows_of(range(40))
    bad = {rows[n]["url"]: b"\xff\xd8 no picture" for n in (3, 9, 17)}
    folder = make_shards(tmp_path / "damaged", rows, images=bad)
    trained = train(replace(config, shards=(str(folder),)))
    replaced = sum(point.replaced.get("bad_image", 0) for point in trained.points)
    assert replaced >= 3 * (96 // 40)


def test_online_balancing_draws_anew_in_every_epoch(
    make_shards: object, config: Train, tmp_path: Path
) -> None:
    from tests.trainer.conftest import rows_of

    folder = make_shards(tmp_path / "uncut", rows_of(range(48)))
    (folder / "_run.json").write_text(json.dumps({"facts": {"online": True}}))
    losses = {}
    for online in (False, True):
        run = replace(config, shards=(str(folder),), online=online, output=f"{config.output}-{online}")
        losses[online] = [point.loss for point in train(run).points]
    assert losses[True] != losses[False]
    with pytest.raises(InputError, match="another online"):
        train(replace(config, shards=(str(folder),), online=False, output=f"{config.output}-True"))


ENVIRONMENT = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "HF_HUB_OFFLINE": "1"}


def command(config: Train, *more: str) -> list[str]:
    flags = {"shards": config.shards[0], "output": config.output, "model": config.model}
    flags |= {"samples-seen": 96, "batch-size": 16, "workers": 1, "checkpoint-every": 32}
    return ["jobs/train.py", *(f"--{name}={value}" for name, value in flags.items()), *more]


def test_a_killed_run_goes_on(config: Train) -> None:
    """The job itself, killed with SIGKILL once a checkpoint is there."""
    whole = replace(config, output=config.output + "-whole")
    train(whole)
    environment = os.environ | ENVIRONMENT
    line = [sys.executable, *command(config)]
    job = subprocess.Popen(
        line, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + 120
    while checkpoint.latest(Path(config.output)) is None and time.monotonic() < until:
        time.sleep(0.005)
    job.send_signal(signal.SIGKILL)
    job.wait()
    train(config)
    assert same(weights(config.output), weights(whole.output))


def test_two_ranks_under_torchrun_learn_what_one_does(config: Train, tiny: Path, tmp_path: Path) -> None:
    alone = replace(config, output=config.output + "-alone", micro_batch_size=4)
    train(alone)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    line = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1"]
    line += [f"--master-port={port}", *command(config, "--micro-batch-size=4")]
    done = subprocess.run(
        line, cwd=ROOT, env=os.environ | ENVIRONMENT, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("logit scale") == 1  # the first rank alone speaks
    ours, theirs = weights(config.output), weights(alone.output)
    assert all(torch.allclose(ours[name], theirs[name], atol=2e-4) for name in ours)
    losses = [[point.loss for point in read_metrics(Path(run.output))] for run in (config, alone)]
    assert np.allclose(*losses, atol=1e-4)


def test_the_job_refuses_in_one_line(tmp_path: Path) -> None:
    output = tmp_path / "run"
    line = [sys.executable, "jobs/train.py", "--shards", "nowhere", "--output", str(output)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2
    assert re.fullmatch(r"error: nowhere[^\n]*\n", done.stderr)
    assert not output.exists()


def test_the_settings_are_written_down(config: Train) -> None:
    train(config)
    written = json.loads((Path(config.output) / CONFIG).read_text())
    assert (written["seed"], written["recipe"]["batch_size"], written["online"]) == (0, 16, False)
    assert re.fullmatch("[0-9a-f]{64}", written["shards"])
