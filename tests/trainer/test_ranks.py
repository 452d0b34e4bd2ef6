import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from curation.errors import InputError
from curation.trainer.ranks import Ranks, _messages, start, stop, workers

TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@pytest.fixture(autouse=True)
def _no_torchrun(monkeypatch):
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)


def test_one_process_without_torchrun():
    ranks = start()
    assert ranks == Ranks(rank=0, ranks=1, local_rank=0, device=torch.device("cpu"))
    assert ranks.is_first
    tensor = torch.ones(2, 3, requires_grad=True)
    assert torch.equal(ranks.gather(tensor), tensor)
    assert not ranks.gather(tensor).requires_grad
    assert ranks.sum_(tensor) is tensor
    ranks.sum_each_([tensor])
    ranks.barrier()
    stop(ranks)
    assert not torch.distributed.is_initialized()


def pretend(monkeypatch, *, gpus, **torchrun):
    """Return what would be told to torch.distributed and torch.cuda."""
    told = {}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: told.update(device=device))
    monkeypatch.setattr(
        torch.distributed,
        "init_process_group",
        lambda kind, device_id, timeout: told.update(kind=kind, id=device_id),
    )
    for name, value in torchrun.items():
        monkeypatch.setenv(name, str(value))
    return told


def test_each_process_has_the_gpu_of_its_local_rank(monkeypatch):
    told = pretend(monkeypatch, gpus=4, RANK=6, WORLD_SIZE=8, LOCAL_RANK=2, LOCAL_WORLD_SIZE=4)
    device = torch.device("cuda", 2)
    assert start() == Ranks(rank=6, ranks=8, local_rank=2, device=device)
    assert told == {"device": device, "kind": "nccl", "id": device}
    assert not Ranks(rank=6, ranks=8).is_first


def test_one_process_with_a_gpu(monkeypatch):
    told = pretend(monkeypatch, gpus=2)
    assert start() == Ranks(device=torch.device("cuda", 0))
    assert told == {"device": torch.device("cuda", 0)}


def test_processes_without_gpus_speak_gloo(monkeypatch):
    told = pretend(monkeypatch, gpus=0, RANK=1, WORLD_SIZE=2, LOCAL_RANK=1, LOCAL_WORLD_SIZE=2)
    assert start().device == torch.device("cpu")
    assert told == {"kind": "gloo", "id": None}


def test_more_processes_than_gpus(monkeypatch):
    told = pretend(monkeypatch, gpus=2, RANK=0, WORLD_SIZE=4, LOCAL_RANK=0, LOCAL_WORLD_SIZE=4)
    with pytest.raises(
        InputError, match=r"4 processes on this machine, which has 2 GPUs: .*--nproc-per-node=2$"
    ):
        start()
    assert told == {}


def test_messages_keep_the_order_and_the_size(monkeypatch):
    monkeypatch.setattr("curation.trainer.ranks._MESSAGE_BYTES", 40)
    tensors = [torch.zeros(size) for size in (3, 7, 1, 20, 2, 8)]
    sizes = [[tensor.numel() for tensor in message] for message in _messages(tensors)]
    assert sizes == [[3, 7], [1], [20], [2, 8]]
    assert list(_messages([])) == []


def test_two_processes(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    processes = [
        subprocess.Popen([sys.executable, __file__], env=shared | {"RANK": rank, "LOCAL_RANK": rank})
        for rank in ("0", "1")
    ]
    try:
        assert [process.wait(timeout=250) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()


def as_rank():
    ranks = start()
    number = float(os.environ["RANK"])
    assert (ranks.rank, ranks.ranks, ranks.is_first) == (number, 2, number == 0)
    mine = (torch.arange(6.0).view(2, 3) + 10 * number).requires_grad_()
    gathered = ranks.gather(mine.T)  # not contiguous
    assert gathered.tolist() == [[0, 3], [1, 4], [2, 5], [10, 13], [11, 14], [12, 15]]
    assert not gathered.requires_grad
    summed = torch.tensor([number, 5.0])
    assert ranks.sum_(summed) is summed
    assert summed.tolist() == [1, 10]
    many = [torch.tensor(number), torch.full((2, 3), 1 + number), torch.full((3, 2), number).T]
    ranks.sum_each_(many)
    assert [tensor.tolist() for tensor in many] == [1, [[3.0] * 3] * 2, [[1.0] * 3] * 2]
    ranks.barrier()
    stop(ranks)
    assert not torch.distributed.is_initialized()


if __name__ == "__main__":
    as_rank()


def test_workers_are_one_a_core_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(32)))
    assert [workers(None, most=12, sharing=sharing) for sharing in (1, 4, 64)] == [12, 8, 1]
    assert [workers(asked, most=4) for asked in (0, 7)] == [0, 7]
