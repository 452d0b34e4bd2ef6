"""Micro-batches of a rank, made by worker processes, the same ones for any number of them."""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from curation.errors import InputError
from curation.trainer.data.order import Order
from curation.trainer.data.samples import Augmentation, Fault, Reader

_ATTEMPTS = 10
_PREFETCHED = 2  # micro-batches a worker

Tokenizer = Callable[[Sequence[str]], torch.Tensor]


class _Preprocessing(Protocol):
    image_size: int


class _Model(Protocol):
    tokenizer: Tokenizer
    preprocessing: _Preprocessing


@dataclass
class MicroBatch:
    """Samples that are encoded together.

    Attributes:
        images: uint8 (m, 3, s, s), RGB, not normalised.
        tokens: int64 (m, context).
        lengths: int64 (m), tokens up to and including the end of the text; on the CPU.
        faults: samples that could not be used and were replaced, by reason.
    """

    images: torch.Tensor
    tokens: torch.Tensor
    lengths: torch.Tensor
    faults: dict[str, int]

    def pin_memory(self) -> "MicroBatch":
        """The same in memory that a device can fetch from by itself; the DataLoader calls this."""
        return MicroBatch(self.images.pin_memory(), self.tokens.pin_memory(), self.lengths, self.faults)


def micro_batches(
    order: Order,
    *,
    model: _Model,
    start: int,
    stop: int,
    batch_size: int,
    micro_batch_size: int,
    rank: int,
    ranks: int,
    workers: int,
    smallest_crop: float = 0.9,
) -> Iterator[MicroBatch]:
    """The micro-batches of one rank, from one position of the run to another.

    Global batch b holds positions start + b · batch_size and on; rank r has the r-th part of it, in
    micro-batches one after the other, the last of which may be smaller. `workers` decides the speed alone.

    Args:
        order: of the run.
        model: has the tokenizer, which must pickle, and the size of its images.
        start: first position, in samples of the whole run.
        stop: position after the last; `stop - start` is a multiple of `batch_size`.
        batch_size: samples of a global batch, a multiple of `ranks`.
        micro_batch_size: samples of a micro-batch.
        rank: of this process.
        ranks: processes that train together.
        workers: processes that read and decode; 0: this one does it.
        smallest_crop: share of an image's area that is seen at the least.

    Raises:
        ValueError: the sizes do not fit together.
        InputError: a worker died; ten samples in a row cannot be read; shards have changed.
    """
    if batch_size % ranks or (stop - start) % batch_size:
        raise ValueError(f"{ranks} ranks, {batch_size} a batch, {stop - start} in all do not fit together")
    samples = _Samples(order, model.tokenizer, model.preprocessing.image_size, smallest_crop)
    schedule = _Schedule(order, start, stop, batch_size, micro_batch_size, rank, ranks)
    return _deliver(samples, schedule, workers)


def text_lengths(tokens: torch.Tensor, empty: torch.Tensor) -> torch.Tensor:
    """How many tokens of each text come before padding.

    Args:
        tokens: int64 (m, context).
        empty: int64 (context), the tokens of an empty text, which end with padding.

    Returns:
        int64 (m). Where texts are padded with the token that ends them, one of these is counted.
    """
    padding = empty[-1]
    ends_with_padding = int((empty != padding).sum()) < 2  # a start, and no end to be told from padding
    places = torch.arange(1, tokens.shape[1] + 1)
    lengths = ((tokens != padding) * places).amax(dim=1) + ends_with_padding
    return lengths.clamp(1, tokens.shape[1])


class _Task(NamedTuple):
    """A micro-batch to be made."""

    positions: npt.NDArray[np.int64]
    epochs: npt.NDArray[np.int64]
    samples: npt.NDArray[np.int64]


class _Schedule(Sampler[_Task]):
    """The micro-batches of a rank, in order."""

    def __init__(
        self,
        order: Order,
        start: int,
        stop: int,
        batch_size: int,
        micro_batch_size: int,
        rank: int,
        ranks: int,
    ) -> None:
        self._order, self._batches, self._micro = order, range(start, stop, batch_size), micro_batch_size
        self._part = batch_size // ranks
        self._skipped = rank * self._part

    def __iter__(self) -> Iterator[_Task]:
        for batch in self._batches:
            positions = np.arange(batch + self._skipped, batch + self._skipped + self._part)
            epochs, samples = self._order.at(positions)
            for at in range(0, self._part, self._micro):
                cut = slice(at, at + self._micro)
                yield _Task(positions[cut], epochs[cut], samples[cut])

    def __len__(self) -> int:
        return len(self._batches) * -(-self._part // self._micro)


class _Samples(Dataset[MicroBatch | InputError]):
    """Makes micro-batches, in a worker or here."""

    def __init__(self, order: Order, tokenizer: Tokenizer, image_size: int, smallest_crop: float) -> None:
        self._order, self.tokenizer, self._image_size = order, tokenizer, image_size
        self._smallest_crop = smallest_crop
        self._tools: tuple[Reader, Augmentation, torch.Tensor] | None = None

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_tools": None}

    def __getitem__(self, task: _Task) -> MicroBatch | InputError:
        try:
            return self._make(task)
        except InputError as error:
            return error  # raised in a worker, it would come with a stack

    def _make(self, task: _Task) -> MicroBatch:
        if self._tools is None:
            crop = Augmentation(
                seed=self._order.seed, image_size=self._image_size, smallest_crop=self._smallest_crop
            )
            self._tools = Reader(self._order.index), crop, self.tokenizer([""])[0]
        rows = np.empty_like(task.samples)
        for epoch in np.unique(task.epochs).tolist():
            here = task.epochs == epoch
            rows[here] = self._order.texts(epoch, task.samples[here])
        faults: Counter[str] = Counter()
        images = np.empty((len(rows), 3, self._image_size, self._image_size), np.uint8)
        texts = []
        for place, (position, epoch, sample, row) in enumerate(zip(*task, rows, strict=True)):
            images[place], text = self._readable(int(position), int(epoch), int(sample), int(row), faults)
            texts.append(text)
        tokens = self.tokenizer(texts)
        return MicroBatch(
            torch.from_numpy(images), tokens, text_lengths(tokens, self._tools[2]), dict(faults)
        )

    def _readable(
        self, position: int, epoch: int, sample: int, row: int, faults: Counter[str]
    ) -> tuple[npt.NDArray[np.uint8], str]:
        """Image and text of a sample, or of the first of its replacements that can be read."""
        reader, crop, _ = self._tools
        index = self._order.index
        for attempt in range(_ATTEMPTS):
            text = index.texts[row]
            try:
                return crop(reader.image(sample), epoch, text["id"]), reader.text(sample, int(text["number"]))
            except Fault as fault:
                faults[fault.reason] += 1
                last = f"{index.name_of(sample)}: {fault.reason}"
            sample = self._order.replacement(epoch, position, attempt)
            row = self._order.text(epoch, sample)
        raise InputError(
            f"{_ATTEMPTS} samples in a row cannot be read, the last being {last}; are shards damaged?"
        )


def _deliver(samples: "_Samples", schedule: "_Schedule", workers: int) -> Iterator[MicroBatch]:
    loader = DataLoader(
        samples,
        sampler=schedule,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=_PREFETCHED if workers else None,
        pin_memory=torch.cuda.is_available(),
        # Forked from a server that has neither threads nor CUDA, but all modules.
        multiprocessing_context=_context(samples.tokenizer) if workers else None,
        generator=torch.Generator(),  # or it draws from the one that the model uses
    )
    made = iter(loader)
    while True:
        try:
            item = next(made)
        except StopIteration:
            return
        except (RuntimeError, EOFError, OSError) as error:
            if not workers or str(error).startswith("Caught "):  # what a worker raised
                raise
            # A worker is missed, or the connection that it handed its tensors over by.
            item = InputError(
                "a worker that reads samples was killed: too little memory, or too little in /dev/shm; "
                "use fewer workers or smaller micro-batches"
            )
        if isinstance(item, InputError):
            del made  # ends the workers, whoever keeps the error
            raise item
        yield item


def _context(tokenizer: Tokenizer) -> multiprocessing.context.BaseContext:
    """Where workers come from: a server that has imported what they need, once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__, type(tokenizer).__module__])
    return context
