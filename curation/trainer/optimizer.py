"""AdamW, its learning rate, and the bound of the logit scale, as published for CLIP."""

import math

import torch

_UNDECAYED = ("bn", "ln", "bias", "logit_scale")  # open_clip's, which tell a parameter's role by its name


def adamw(
    module: torch.nn.Module, *, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float
) -> torch.optim.AdamW:
    """Create the optimizer: no weight decay on norms, biases, the logit scale and other vectors.

    As in open_clip, embeddings and projections that are matrices decay, positional and token embeddings among
    them; a ViT's class embedding, a vector, does not.

    Args:
        module: what is trained; parameters that need no gradient are left out.
        lr: learning rate until somebody sets another.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        eps: added to the root of the second moment.
        weight_decay: decoupled; multiplied by the learning rate.

    Returns:
        An optimizer with two groups: parameters without decay, parameters with.

    Source:
        open_clip 3.3, open_clip_train/main.py; Loshchilov and Hutter, 2019, arXiv:1711.05101.
    """
    trained = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for name, p in trained if not _decays(name, p)], "weight_decay": 0.0},
        {"params": [p for name, p in trained if _decays(name, p)], "weight_decay": weight_decay},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=(beta1, beta2), eps=eps, fused=True)


def _decays(name: str, parameter: torch.nn.Parameter) -> bool:
    return parameter.ndim >= 2 and not any(word in name for word in _UNDECAYED)


def learning_rate(step: int, *, peak: float, warmup: int, steps: int) -> float:
    """Return the learning rate of a step: linear warm-up from peak / warmup to peak, then a half cosine to 0.

    Args:
        step: from 0 to steps - 1.
        peak: greatest learning rate.
        warmup: number of steps of the warm-up.
        steps: number of all steps, the warm-up's included.

    Source:
        open_clip 3.3, `cosine_lr`; Radford et al., 2021, arXiv:2103.00020, section 2.5.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) * peak


@torch.no_grad()
def clamp_scale(module: torch.nn.Module) -> None:
    """Hold the logit scale between 1 and 100; to be called after every step of the optimizer.

    Source:
        Radford et al., 2021, arXiv:2103.00020, section 2.5 (the upper bound); open_clip 3.3 (both).
    """
    module.logit_scale.clamp_(0, math.log(100))
