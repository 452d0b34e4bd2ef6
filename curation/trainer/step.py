"""One step of a global batch that no device could encode at once: micro-batches, and two passes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch.nn.functional import normalize

from curation.trainer.loss import contrastive
from curation.trainer.ranks import Ranks
from curation.trainer.texts import encode_texts, text_tower

if TYPE_CHECKING:
    from curation.trainer.data.loader import MicroBatch
    from curation.trainer.models import Model


@dataclass(frozen=True)
class Outcome:
    """What a step tells.

    Attributes:
        loss: float32 scalar of the global batch, on the device: reading it waits for the step.
    """

    loss: torch.Tensor


class Step:
    """Leave on every parameter the gradient that one process with one batch would find.

    All micro-batches are encoded, without gradients but for the last. The loss of the global batch gives the
    gradients with respect to the features; each micro-batch is encoded again, in the same random state, and
    takes its features' gradients back through the towers. The last, or only, one has no second pass.

    BatchNorm sees a micro-batch, as in CLIP a rank's part; each moves its running statistics once.

    Source:
        Gao et al., 2021, arXiv:2101.06983 (gradient cache).
    """

    def __init__(
        self,
        model: "Model",
        ranks: Ranks,
        *,
        precision: Literal["fp32", "bf16"],
        block_rows: int,
        compile: bool,
        checkpoint_activations: bool,
        seed: int,
    ) -> None:
        """Prepare the model, which is on the device of `ranks` and the same on all of them.

        Args:
            model: what is trained.
            ranks: this process among others.
            precision: of the towers, "bf16" being autocast; parameters, features and loss are float32.
            block_rows: rows of the loss that are computed at a time.
            compile: compile the towers.
            checkpoint_activations: compute the towers' activations anew in the backward pass, to save memory.
            seed: of dropout.
        """
        self._module, self._loss, self._ranks, self._seed = model.module, model.loss, ranks, seed
        self._precision, self._block_rows = precision, block_rows
        mean_and_deviation = (model.preprocessing.mean, model.preprocessing.std)
        self._mean, self._deviation = (
            torch.tensor(values, device=ranks.device).view(3, 1, 1) for values in mean_and_deviation
        )
        self._parameters = [parameter for parameter in self._module.parameters() if parameter.requires_grad]
        if ranks.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        if checkpoint_activations:
            self._module.set_grad_checkpointing(True)
        if compile:
            self._module.visual.compile()
            text_tower(self._module).transformer.compile(dynamic=True)  # texts come in several lengths

    def __call__(self, micro_batches: Sequence["MicroBatch"], step: int) -> Outcome:
        """Compute the loss and every parameter's gradient.

        Args:
            micro_batches: this rank's part of the global batch, cut; as many and as large on all ranks.
            step: number of the step; with the seed it determines dropout.

        Returns:
            The loss. `grad` of every parameter that needs one is the same on all ranks; zeros where the loss
            does not depend on the parameter.
        """
        self._module.train()
        for parameter in self._parameters:
            parameter.grad = None
        *earlier, last = range(len(micro_batches))
        with torch.no_grad(), _still_statistics(self._module):
            features = [self._encode(micro_batches, number, step) for number in earlier]
        features.append(self._encode(micro_batches, last, step))
        loss, images, texts = self._feature_gradients(features)
        sizes = [len(batch.images) for batch in micro_batches]
        gradients = list(zip(images.split(sizes), texts.split(sizes), strict=True))
        torch.autograd.backward(features[last], gradients[last])
        for number in earlier:
            torch.autograd.backward(self._encode(micro_batches, number, step), gradients[number])
        for parameter in self._parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self._ranks.sum_each_([loss, *(parameter.grad for parameter in self._parameters)])
        return Outcome(loss)

    def _encode(
        self, micro_batches: Sequence["MicroBatch"], number: int, step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images' and texts' features, float32 (m, d) of length 1, the same at every call."""
        device, batch = self._ranks.device, micro_batches[number]
        of_all = self._ranks.rank * len(micro_batches) + number  # dropout does not depend on the ranks
        torch.manual_seed(_seed(self._seed, step, of_all))
        images = batch.images.to(device, non_blocking=True)
        images = images.to(torch.float32, memory_format=torch.channels_last)  # convolutions are faster so
        images = images.div_(255).sub_(self._mean).div_(self._deviation)
        tokens = batch.tokens.to(device, non_blocking=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self._precision == "bf16"):
            images = self._module.encode_image(images)
            texts = encode_texts(self._module, tokens, batch.lengths)
        return normalize(images.float(), dim=-1), texts

    def _feature_gradients(
        self, features: Sequence[tuple[torch.Tensor, torch.Tensor]]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return this rank's share of the loss, and the gradients (m, d) of its images' and texts' features.

        The logit scale's and bias's shares are left on them.
        """
        images, texts = (torch.cat([pair[side].detach() for pair in features]) for side in (0, 1))
        rows = slice(self._ranks.rank * len(images), (self._ranks.rank + 1) * len(images))
        share = contrastive(
            self._ranks.gather(images),
            self._ranks.gather(texts),
            scale_parameter=self._module.logit_scale,
            bias=self._module.logit_bias,
            rows=rows,
            block_rows=self._block_rows,
            kind=self._loss,
        )
        self._module.logit_scale.grad = share.scale
        if share.bias is not None:
            self._module.logit_bias.grad = share.bias
        return share.loss, self._ranks.sum_(share.images)[rows], self._ranks.sum_(share.texts)[rows]


@contextmanager
def _still_statistics(module: torch.nn.Module) -> Iterator[None]:
    """Normalise batches as in training, but do not let them into the running statistics."""
    norms = [
        norm
        for norm in module.modules()
        if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm) and norm.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
