"""Images and texts of shards through a model: read and decoded by workers, encoded in batches."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch.nn.functional import normalize
from torch.utils.data import DataLoader, Dataset

from curation.errors import InputError
from curation.trainer.data.index import Index
from curation.trainer.data.loader import text_lengths
from curation.trainer.data.samples import Fault, Reader
from curation.trainer.evaluation.features import Encoder, decode, evaluation_transform
from curation.trainer.models import Preprocessing, Tokenizer
from curation.trainer.scores import Embeddings
from curation.trainer.texts import encode_texts


@dataclass
class _Batch:
    """Samples as they go to the model: what cannot be read is blank, and lost."""

    images: torch.Tensor
    tokens: torch.Tensor
    lengths: torch.Tensor
    lost_images: npt.NDArray[np.bool_]
    lost_texts: npt.NDArray[np.bool_]
    faults: Counter[str]

    def pin_memory(self) -> "_Batch":
        """The same in memory that a device can fetch from by itself; the DataLoader calls this."""
        self.images, self.tokens = self.images.pin_memory(), self.tokens.pin_memory()
        return self


def encode_samples(encoder: Encoder, index: Index, batches: Sequence[range]) -> Iterator[Embeddings]:
    """The embeddings of each batch of samples, in their order.

    Args:
        encoder: the model, and how it is run.
        index: of the shards.
        batches: samples that are encoded together.

    Raises:
        InputError: a shard has changed since it was indexed.
    """
    loader = DataLoader(
        _Samples(index, encoder.model.tokenizer, encoder.model.preprocessing),
        sampler=batches,
        batch_size=None,
        num_workers=encoder.workers,
        pin_memory=encoder.device.type == "cuda",
        multiprocessing_context="forkserver" if encoder.workers else None,
        generator=torch.Generator(),  # or it draws from the global one
    )
    for batch in loader:
        if isinstance(batch, InputError):
            raise batch
        yield _encode(encoder, batch)


class _Samples(Dataset[_Batch | InputError]):
    """Makes batches, in a worker or here."""

    def __init__(self, index: Index, tokenizer: Tokenizer, preprocessing: Preprocessing) -> None:
        self._index, self._tokenizer, self._preprocessing = index, tokenizer, preprocessing
        self._tools: tuple[Reader, Callable[[Image], torch.Tensor], torch.Tensor] | None = None

    def __getitem__(self, samples: range) -> _Batch | InputError:
        if self._tools is None:
            transform = evaluation_transform(self._preprocessing)
            self._tools = Reader(self._index), transform, self._tokenizer([""])[0]
        try:
            return self._read(samples)
        except InputError as error:
            return error  # raised in a worker, it would come with a stack

    def _read(self, samples: range) -> _Batch:
        _, transform, empty = self._tools
        faults: Counter[str] = Counter()
        pictures = [self._image(sample, faults) for sample in samples]
        texts = [
            self._text(sample, number, faults)
            for sample in samples
            for number in self._index.texts_of(sample)["number"].tolist()
        ]
        side = self._preprocessing.image_size
        blank = torch.zeros(3, side, side)
        tokens = self._tokenizer([text or "" for text in texts])
        return _Batch(
            images=torch.stack([blank if picture is None else transform(picture) for picture in pictures]),
            tokens=tokens,
            lengths=text_lengths(tokens, empty),
            lost_images=np.array([picture is None for picture in pictures]),
            lost_texts=np.array([text is None for text in texts]),
            faults=faults,
        )

    def _image(self, sample: int, faults: Counter[str]) -> Image | None:
        try:
            picture = decode(self._tools[0].image(sample))
        except Fault as fault:
            faults[fault.reason] += 1
            return None
        faults.update(["bad_image"] if picture is None else [])
        return picture

    def _text(self, sample: int, number: int, faults: Counter[str]) -> str | None:
        try:
            return self._tools[0].text(sample, number)
        except Fault as fault:
            faults[fault.reason] += 1
            return None


@torch.inference_mode()
def _encode(encoder: Encoder, batch: _Batch) -> Embeddings:
    module, size = encoder.model.module, encoder.batch_size
    pixels = batch.images.to(encoder.device, non_blocking=True)
    tokens = batch.tokens.to(encoder.device, non_blocking=True)
    with torch.autocast(encoder.device.type, torch.bfloat16, enabled=encoder.precision == "bf16"):
        images = normalize(module.encode_image(pixels).float(), dim=-1)
        # An image can have any number of texts.
        texts = [
            encode_texts(module, *part)
            for part in zip(tokens.split(size), batch.lengths.split(size), strict=True)
        ]
    faults = batch.faults
    return Embeddings(
        _numbers(images, batch.lost_images, faults),
        _numbers(torch.cat(texts), batch.lost_texts, faults),
        faults,
    )


def _numbers(
    features: torch.Tensor, lost: npt.NDArray[np.bool_], faults: Counter[str]
) -> npt.NDArray[np.float32]:
    numbers: npt.NDArray[np.float32] = features.cpu().numpy()
    broken = ~np.isfinite(numbers).all(axis=1)
    faults["not_finite"] += int((broken & ~lost).sum())
    numbers[broken | lost] = np.nan
    return numbers
