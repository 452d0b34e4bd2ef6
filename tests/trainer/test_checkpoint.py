from pathlib import Path

import open_clip
import pytest
import torch

from curation.errors import InputError
from curation.trainer import checkpoint, models
from curation.trainer.optimizer import adamw


@pytest.fixture
def model() -> models.Model:
    return models.create("tiny", seed=3)


def optimizer_of(model: models.Model) -> torch.optim.Optimizer:
    return adamw(model.module, lr=1e-3, beta1=0.9, beta2=0.98, eps=1e-6, weight_decay=0.2)


def step(model: models.Model, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.module.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()


def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path, model: models.Model) -> None:
    optimizer = optimizer_of(model)
    step(model, optimizer, 1)
    model.module.visual.bn1.running_mean.add_(1.0)  # buffers are state, too
    folder = checkpoint.save(tmp_path, model, optimizer, {"samples_seen": 256})
    step(model, optimizer, 2)
    other = models.create("tiny", seed=4)
    its_optimizer = optimizer_of(other)
    assert checkpoint.restore(folder, other, its_optimizer) == {"samples_seen": 256}
    step(other, its_optimizer, 2)
    for name, value in model.module.state_dict().items():
        assert torch.equal(value, other.module.state_dict()[name]), name


def test_the_latest_whole_one_counts(tmp_path: Path, model: models.Model) -> None:
    assert checkpoint.latest(tmp_path) is None
    optimizer = optimizer_of(model)
    step(model, optimizer, 1)
    folders = [checkpoint.save(tmp_path, model, optimizer, {"samples_seen": seen}) for seen in (900, 1000)]
    assert checkpoint.latest(tmp_path) == folders[1]
    (folders[1] / checkpoint.STATE).unlink()  # as if it had been removed halfway
    (tmp_path / checkpoint.FOLDER / "_000000002000").mkdir()
    assert checkpoint.latest(tmp_path) == folders[0]


def test_earlier_ones_keep_their_weights_alone(tmp_path: Path, model: models.Model) -> None:
    optimizer = optimizer_of(model)
    step(model, optimizer, 1)
    first = checkpoint.save(tmp_path, model, optimizer, {"samples_seen": 1})
    second = checkpoint.save(tmp_path, model, optimizer, {"samples_seen": 2})
    assert not (first / checkpoint.OPTIMIZER).exists()
    assert (second / checkpoint.OPTIMIZER).exists()
    assert torch.equal(models.load(str(first)).module.visual.conv1.weight, model.module.visual.conv1.weight)


def test_open_clip_reads_a_checkpoint(tmp_path: Path, model: models.Model) -> None:
    folder = checkpoint.save(tmp_path, model, optimizer_of(model), {"samples_seen": 1})
    theirs = open_clip.create_model(f"local-dir:{folder}")
    tokens = model.tokenizer(["a cat"])
    model.module.eval()
    theirs.eval()
    assert torch.equal(theirs.encode_text(tokens), model.module.encode_text(tokens))


def test_saving_again_replaces(tmp_path: Path, model: models.Model) -> None:
    optimizer = optimizer_of(model)
    checkpoint.save(tmp_path, model, optimizer, {"samples_seen": 1})
    step(model, optimizer, 1)
    folder = checkpoint.save(tmp_path, model, optimizer, {"samples_seen": 1})
    assert list(folder.parent.iterdir()) == [folder]
    assert torch.equal(models.load(str(folder)).module.visual.conv1.weight, model.module.visual.conv1.weight)


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", checkpoint.OPTIMIZER])
def test_a_damaged_file_is_one_line(tmp_path: Path, model: models.Model, name: str) -> None:
    optimizer = optimizer_of(model)
    step(model, optimizer, 1)
    folder = checkpoint.save(tmp_path, model, optimizer, {"samples_seen": 1})
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cannot be gone on from") as error:
        checkpoint.restore(folder, model, optimizer)
    assert "\n" not in str(error.value)
