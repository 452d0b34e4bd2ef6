"""The contrastive losses and their gradients with respect to features, in blocks of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import torch
from torch.nn.functional import cross_entropy, logsigmoid


@dataclass(frozen=True)
class Gradients:
    """A share of the loss and of its gradients: the shares of all ranks add up to the whole.

    Attributes:
        loss: float32 scalar.
        images: float32 (n, d), with respect to all images' features.
        texts: float32 (n, d), with respect to all texts' features.
        scale: float32, shaped as the parameter that holds the logarithm of the logit scale.
        bias: float32, shaped as the logit bias; None without one.
    """

    loss: torch.Tensor
    images: torch.Tensor
    texts: torch.Tensor
    scale: torch.Tensor
    bias: torch.Tensor | None

    @classmethod
    def zeros(
        cls, images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None
    ) -> "Gradients":
        """What nothing adds up to, for features and parameters like these."""
        images, texts, scale = map(torch.zeros_like, (images, texts, scale))
        bias = None if bias is None else torch.zeros_like(bias)
        return cls(torch.zeros((), device=images.device), images, texts, scale, bias)


def contrastive(
    images: torch.Tensor,
    texts: torch.Tensor,
    *,
    scale_parameter: torch.Tensor,
    bias: torch.Tensor | None,
    rows: slice,
    block_rows: int,
    kind: Literal["softmax", "sigmoid"],
) -> Gradients:
    """Compute what some rows contribute to the loss of a global batch, and its gradients.

    The n x n matrix never exists: only a few of block_rows x n do. All is float32, under autocast too.

    Args:
        images: features (n, d) of length 1; row i belongs to row i of `texts`.
        texts: features (n, d) of length 1.
        scale_parameter: logarithm of the logit scale, one number.
        bias: logit bias, one number, or None.
        rows: which rows to compute: a rank's own.
        block_rows: how many rows at a time.
        kind: "softmax", the mean over the batch and both directions of the cross entropy; "sigmoid", the
            logistic loss of all n x n image-text pairs, divided by n.

    Source:
        Radford et al., 2021, arXiv:2103.00020, figure 3; Zhai et al., 2023, arXiv:2303.15343, algorithm 1.
    """
    images, texts, scale, bias = map(_leaf, (images, texts, scale_parameter, bias))
    total = Gradients.zeros(images, texts, scale, bias)
    ways = [(images, texts, total.images, total.texts)]
    if kind == "softmax":  # whose rows and columns are normalised apart; the sigmoid's are the same pairs
        ways.append((texts, images, total.texts, total.images))
    steps = product(_blocks(rows, block_rows), ways)
    with torch.autocast(images.device.type, enabled=False):  # around the backward pass too
        for block, (features, others, features_total, others_total) in steps:
            leaves = features[block], others, scale, bias
            loss = _block_loss(*leaves, first=block.start, kind=kind)
            _add_gradients(loss, leaves, (features_total[block], others_total, total.scale, total.bias))
            total.loss.add_(loss.detach())
    return total


def _block_loss(
    queries: torch.Tensor,
    others: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor | None,
    *,
    first: int,
    kind: Literal["softmax", "sigmoid"],
) -> torch.Tensor:
    """Return the part of the loss of rows `queries`, the first of which belongs to `others[first]`."""
    rows, n = len(queries), len(others)
    logits = scale.exp() * queries @ others.T
    if bias is not None:
        logits = logits + bias
    partners = torch.arange(first, first + rows, device=logits.device)
    if kind == "softmax":
        return cross_entropy(logits, partners, reduction="sum") / (2 * n)
    signs = torch.full_like(logits, -1).scatter_(1, partners[:, None], 1)
    return -logsigmoid(signs * logits).sum() / n


def _add_gradients(
    loss: torch.Tensor, leaves: Sequence[torch.Tensor | None], totals: Sequence[torch.Tensor | None]
) -> None:
    """Add what the loss gives for each leaf to its total; of a leaf that is None there is neither."""
    wanted = [leaf for leaf in leaves if leaf is not None]
    sums = [total for total in totals if total is not None]
    for total, gradient in zip(sums, torch.autograd.grad(loss, wanted), strict=True):
        total += gradient


def _leaf(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else tensor.detach().float().requires_grad_()


def _blocks(rows: slice, block_rows: int) -> Iterator[slice]:
    for start in range(rows.start, rows.stop, block_rows):
        yield slice(start, min(start + block_rows, rows.stop))
