"""The contrastive losses and their gradients with respect to features, in blocks of rows."""

from collections.abc import Iterator
from dataclasses import dataclass
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

    The n x n matrix never exists: beside the features there are only a few block_rows x n matrices at a time.
    Everything is float32, under autocast too.

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
    images, texts = _leaf(images), _leaf(texts)
    scale = _leaf(scale_parameter)
    bias = None if bias is None else _leaf(bias)
    total = Gradients(
        loss=torch.zeros((), device=images.device),
        images=torch.zeros_like(images),
        texts=torch.zeros_like(texts),
        scale=torch.zeros_like(scale),
        bias=None if bias is None else torch.zeros_like(bias),
    )
    ways = [(images, texts, total.images, total.texts)]
    if kind == "softmax":  # whose rows and columns are normalised apart; the sigmoid's are the same pairs
        ways.append((texts, images, total.texts, total.images))
    with torch.autocast(images.device.type, enabled=False):  # around the backward pass too
        for block in _blocks(rows, block_rows):
            for features, others, features_total, others_total in ways:
                queries = features[block]
                loss = _block_loss(queries, others, scale, bias, first=block.start, kind=kind)
                wanted, totals = [queries, others, scale], [features_total[block], others_total, total.scale]
                if bias is not None:
                    wanted.append(bias)
                    totals.append(total.bias)
                for sum_, gradient in zip(totals, torch.autograd.grad(loss, wanted), strict=True):
                    sum_ += gradient
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


def _leaf(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().float().requires_grad_()


def _blocks(rows: slice, block_rows: int) -> Iterator[slice]:
    for start in range(rows.start, rows.stop, block_rows):
        yield slice(start, min(start + block_rows, rows.stop))
