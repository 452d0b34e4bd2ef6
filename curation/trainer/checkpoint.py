"""Checkpoints: everything that a run goes on from, in files that hold numbers and nothing that runs.

A checkpoint is a folder that open_clip reads (`open_clip_config.json`, `open_clip_model.safetensors`), with
`optimizer.safetensors` and `state.json` beside. It is written under a name that begins with `_` and renamed
when it is whole. Of earlier checkpoints the weights stay and the optimizer's state goes.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from curation.errors import InputError
from curation.trainer import models
from curation.trainer.models import Model
from curation.trainer.sources import WEIGHTS

FOLDER = "checkpoints"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"
_DIGITS = 12


def save(run: Path, model: Model, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> Path:
    """Write a checkpoint.

    Args:
        run: the RUN folder.
        model: what is trained.
        optimizer: of its parameters.
        state: what else the run goes on from; `samples_seen` names the checkpoint.

    Returns:
        Its folder.
    """
    folder = run / FOLDER / f"{state['samples_seen']:0{_DIGITS}d}"
    draft = folder.with_name(f"_{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    models.save(model, draft)
    save_file(_optimizer_tensors(model.module, optimizer), draft / OPTIMIZER)
    (draft / STATE).write_text(json.dumps(state, indent=2) + "\n")
    for path in draft.iterdir():
        _flush(path)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    _flush(folder.parent)
    for earlier in _all(run)[:-1]:
        (earlier / OPTIMIZER).unlink(missing_ok=True)
    return folder


def latest(run: Path) -> Path | None:
    """The last whole checkpoint of a run, if there is one."""
    return next(reversed(_all(run)), None)


def restore(folder: Path, model: Model, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Put a checkpoint's weights and optimizer's state in place.

    Args:
        folder: of the checkpoint.
        model: as it was built for the run.
        optimizer: of its parameters.

    Returns:
        The state that was saved with them.

    Raises:
        InputError: a file is damaged, or is of another model.
    """
    try:
        model.module.load_state_dict(load_file(folder / WEIGHTS))
        _load_optimizer(model.module, optimizer, load_file(folder / OPTIMIZER))
        state: dict[str, Any] = json.loads((folder / STATE).read_text())
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{folder} cannot be gone on from: {reason}; remove it to use an earlier one"
        ) from None
    return state


def _all(run: Path) -> list[Path]:
    return sorted(path for path in (run / FOLDER).glob("[0-9]*") if (path / STATE).is_file())


def _optimizer_tensors(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimizer's state of each parameter, under the parameter's name."""
    return {
        f"{name}:{key}": value.contiguous()
        for name, parameter in module.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def _load_optimizer(
    module: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]
) -> None:
    parameters = dict(module.named_parameters())
    for name, tensor in tensors.items():
        parameter, _, key = name.rpartition(":")
        place = parameters[parameter].device if key != "step" else tensor.device
        optimizer.state[parameters[parameter]][key] = tensor.to(place)


def _flush(path: Path) -> None:
    """Have the disk hold what was written, before a rename says that it is there."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
