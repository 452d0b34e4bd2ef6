"""The ranks that torchrun starts, one process a GPU: who is who, and what they tell each other."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from curation.errors import InputError

_PATIENCE = timedelta(hours=2)  # the first rank indexes shards while the others wait
_CPU = torch.device("cpu")
_MESSAGE_BYTES = 64 << 20  # small tensors travel together: a message each would cost more than its content


@dataclass(frozen=True)
class Ranks:
    """One process among those that train one model.

    Attributes:
        rank: number of this process, from 0.
        ranks: how many there are.
        local_rank: number of this process on its machine.
        device: where it computes.
    """

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    device: torch.device = _CPU

    @property
    def is_first(self) -> bool:
        """Say whether this is the process that writes files and reports."""
        return self.rank == 0

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensors of all ranks, equally shaped, one below the other in rank order."""
        if self.ranks == 1:
            return tensor.detach()
        tensor = tensor.detach().contiguous()
        gathered = tensor.new_empty(self.ranks * len(tensor), *tensor.shape[1:])
        distributed.all_gather_into_tensor(gathered, tensor)
        return gathered

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        """Replace the contiguous tensor by the sum over all ranks' tensors, and return it."""
        if self.ranks > 1:
            distributed.all_reduce(tensor)
        return tensor

    def sum_each_(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace every tensor by the sum over all ranks' tensors, in few messages.

        Args:
            tensors: of one type; their number and shapes are the same on all ranks.
        """
        if self.ranks == 1:
            return
        for message in _messages(tensors):
            flat = self.sum_(torch.cat([tensor.flatten() for tensor in message]))
            for tensor, summed in zip(message, flat.split([t.numel() for t in message]), strict=True):
                tensor.copy_(summed.view_as(tensor))

    def barrier(self) -> None:
        """Wait until all ranks have come here."""
        if self.ranks > 1:
            distributed.barrier()


def start() -> Ranks:
    """Join the processes that torchrun started, or be the only one.

    Returns:
        This process; its device is the GPU of its local rank, or the CPU where there are no GPUs.

    Raises:
        InputError: torchrun started more processes on this machine than it has GPUs.
    """
    rank, ranks, local_rank, local_ranks = (
        int(os.environ.get(name, default))
        for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0), ("LOCAL_WORLD_SIZE", 1))
    )
    gpus = torch.cuda.device_count()
    if gpus and local_ranks > gpus:
        raise InputError(
            f"torchrun started {local_ranks} processes on this machine, which has {gpus} GPUs: "
            f"give it --nproc-per-node={gpus}"
        )
    device = torch.device("cuda", local_rank) if gpus else _CPU
    if gpus:
        torch.cuda.set_device(device)
    if ranks > 1:
        distributed.init_process_group(
            "nccl" if gpus else "gloo", device_id=device if gpus else None, timeout=_PATIENCE
        )
    return Ranks(rank=rank, ranks=ranks, local_rank=local_rank, device=device)


def stop(ranks: Ranks) -> None:
    """Leave the other processes; the last thing that a process does with them."""
    if ranks.ranks > 1:
        distributed.destroy_process_group()


def workers(asked: int | None, *, most: int, sharing: int = 1) -> int:
    """How many processes are to decode images for this one.

    Args:
        asked: what the user wants; None: one a core.
        most: how many there are at the most, unless the user wants more.
        sharing: processes that share the cores.
    """
    return asked if asked is not None else max(1, min(most, len(os.sched_getaffinity(0)) // sharing))


def _messages(tensors: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Cut the tensors, in their order, into lists of at most `_MESSAGE_BYTES`, or of one that is larger."""
    message: list[torch.Tensor] = []
    for tensor in tensors:
        if message and sum(t.nbytes for t in message) + tensor.nbytes > _MESSAGE_BYTES:
            yield message
            message = []
        message.append(tensor)
    if message:
        yield message
