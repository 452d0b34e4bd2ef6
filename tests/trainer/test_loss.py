import math

import pytest
import torch
from open_clip.loss import ClipLoss, SigLipLoss
from torch.nn.functional import normalize
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from curation.trainer.loss import contrastive

N, D = 24, 8
PLAIN = {"softmax": ClipLoss(), "sigmoid": SigLipLoss()}


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def batch(kind, *, n=N, shape=()):
    generator = torch.Generator().manual_seed(3)
    images, texts = (normalize(torch.randn(n, D, generator=generator), dim=-1) for _ in range(2))
    bias = torch.full(shape, -3.0) if kind == "sigmoid" else None
    return images, texts, torch.full(shape, math.log(1 / 0.07)), bias


def plain(kind, images, texts, scale, bias):
    """Return open_clip's loss of the whole matrix and autograd's gradients."""
    leaves = [x.clone().requires_grad_() for x in (images, texts, scale, bias) if x is not None]
    loss = PLAIN[kind](leaves[0], leaves[1], leaves[2].exp(), *leaves[3:])
    loss.backward()
    return [loss.detach(), *(leaf.grad for leaf in leaves)]


def in_shares(kind, images, texts, scale, bias, *, ranks, block_rows):
    m = len(images) // ranks
    shares = [
        contrastive(
            images,
            texts,
            scale_parameter=scale,
            bias=bias,
            rows=slice(rank * m, (rank + 1) * m),
            block_rows=block_rows,
            kind=kind,
        )
        for rank in range(ranks)
    ]
    parts = [[share.loss, share.images, share.texts, share.scale, share.bias] for share in shares]
    return [sum(part) for part in zip(*parts, strict=True) if part[0] is not None]


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
@pytest.mark.parametrize("block_rows", [1, 5, 8, 24, 100])
@pytest.mark.parametrize("kind", PLAIN)
def test_loss_and_gradients_are_those_of_the_full_matrix(kind, block_rows, ranks):
    values = batch(kind)
    found, expected = in_shares(kind, *values, ranks=ranks, block_rows=block_rows), plain(kind, *values)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", PLAIN)
def test_the_scale_of_some_models_is_a_vector_of_one(kind):
    values = batch(kind, shape=(1,))
    found = in_shares(kind, *values, ranks=2, block_rows=5)
    assert found[3].shape == (1,)
    for ours, theirs in zip(found, plain(kind, *values), strict=True):
        torch.testing.assert_close(ours, theirs.reshape(ours.shape), atol=1e-6, rtol=1e-6)


def test_a_model_with_softmax_and_a_bias():
    images, texts, scale, _ = batch("softmax")
    values = (images, texts, scale, torch.tensor(-2.0))
    assert in_shares("softmax", *values, ranks=1, block_rows=5)[4].abs() < 1e-6  # it moves all logits alike


@pytest.mark.parametrize("kind", PLAIN)
def test_everything_is_float32_under_autocast(kind):
    values = batch(kind)
    half = tuple(None if value is None else value.bfloat16() for value in values)
    with torch.autocast("cpu", torch.bfloat16):
        found = in_shares(kind, *half, ranks=1, block_rows=7)
    expected = plain(kind, *(None if value is None else value.float() for value in half))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", PLAIN)
def test_nothing_that_was_given_is_changed(kind):
    values = batch(kind)
    parameter = torch.nn.Parameter(values[2])
    before = [value.clone() for value in values if value is not None]
    share = in_shares(kind, *values[:2], parameter, values[3], ranks=1, block_rows=7)
    assert parameter.grad is None
    assert not any(part.requires_grad for part in share)
    assert all(torch.equal(a, b) for a, b in zip(before, [v for v in values if v is not None], strict=True))


class Largest(TorchDispatchMode):
    """Note the size of the largest tensor that any operation returns, backward passes included."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        results = function(*args, **(kwargs or {}))
        for result in tree_leaves(results):
            if isinstance(result, torch.Tensor):
                self.numel = max(self.numel, result.numel())
        return results


@pytest.mark.parametrize("kind", PLAIN)
def test_no_tensor_is_larger_than_a_block_of_rows(kind):
    n, block_rows = 256, 16
    values = batch(kind, n=n)
    with Largest() as largest:
        plain(kind, *values)
    assert largest.numel == n * n
    with Largest() as largest:
        in_shares(kind, *values, ranks=1, block_rows=block_rows)
    assert largest.numel == block_rows * n


@pytest.mark.parametrize("kind", PLAIN)
def test_blocks_are_freed_as_they_are_done(kind):
    n, block_rows = 512, 16
    values = batch(kind, n=n)
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        in_shares(kind, *values, ranks=1, block_rows=block_rows)
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    assert 0 < peak < 8 * block_rows * n * 4 + 8 * n * D * 4 < n * n * 4
