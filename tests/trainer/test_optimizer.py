import math

import open_clip
import pytest
import torch
from open_clip_train.scheduler import cosine_lr

from curation.trainer.optimizer import adamw, clamp_scale, learning_rate


def create(vision=None):
    with torch.device("meta"):
        return open_clip.CLIP(
            embed_dim=8,
            vision_cfg={"layers": 1, "width": 16, "head_width": 8, "image_size": 32} | (vision or {}),
            text_cfg={"width": 16, "heads": 2, "layers": 1, "vocab_size": 100},
            init_logit_bias=-10,
        )


def decays(module):
    """Return parameter name → weight decay."""
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    optimizer = adamw(module, lr=1e-3, beta1=0.9, beta2=0.98, eps=1e-6, weight_decay=0.2)
    return {names[id(p)]: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}


def test_only_matrices_decay():
    found = decays(create())
    assert found["positional_embedding"] == found["visual.positional_embedding"] == 0.2
    assert found["token_embedding.weight"] == found["text_projection"] == found["visual.proj"] == 0.2
    assert found["visual.conv1.weight"] == found["transformer.resblocks.0.mlp.c_fc.weight"] == 0.2
    assert found["logit_scale"] == found["logit_bias"] == found["visual.class_embedding"] == 0
    assert found["ln_final.weight"] == found["transformer.resblocks.0.mlp.c_fc.bias"] == 0


@pytest.mark.parametrize("vision", [{}, {"layers": [1, 1, 1, 1]}, {"scaled_cosine_attn": True}])
def test_groups_are_open_clips(vision):
    module = create(vision)

    def excluded(name, parameter):  # as open_clip_train/main.py 3.3 has it
        return parameter.ndim < 2 or any(part in name for part in ("bn", "ln", "bias", "logit_scale"))

    expected = {name: 0 if excluded(name, p) else 0.2 for name, p in module.named_parameters()}
    assert decays(module) == expected


def test_matrices_that_are_biases_or_scales_by_their_names_do_not_decay():
    module = torch.nn.Module()
    for name in ("relative_position_bias_table", "bn1_weight", "ln_1_weight", "attn_logit_scale", "weight"):
        setattr(module, name, torch.nn.Parameter(torch.zeros(2, 2)))
    assert [name for name, decay in decays(module).items() if decay] == ["weight"]


def test_frozen_parameters_are_left_out():
    module = create()
    module.visual.proj.requires_grad_(False)
    assert "visual.proj" not in decays(module)
    assert len(decays(module)) == len(list(module.parameters())) - 1


def test_settings_reach_adamw():
    optimizer = adamw(create(), lr=1e-3, beta1=0.8, beta2=0.98, eps=1e-6, weight_decay=0.2)
    for group in optimizer.param_groups:
        assert (group["lr"], group["betas"], group["eps"]) == (1e-3, (0.8, 0.98), 1e-6)


def test_a_step_is_that_of_plain_adamw():
    def trained(make):
        torch.manual_seed(0)
        layer = torch.nn.Linear(7, 5)
        optimizer = make(layer)
        for _ in range(5):
            optimizer.zero_grad()
            layer(torch.randn(3, 7)).square().sum().backward()
            optimizer.step()
        return torch.cat([layer.weight.flatten(), layer.bias]).detach()

    ours = trained(lambda layer: adamw(layer, lr=1e-2, beta1=0.9, beta2=0.98, eps=1e-6, weight_decay=0.2))
    plain = trained(
        lambda layer: torch.optim.AdamW(
            [{"params": [layer.weight], "weight_decay": 0.2}, {"params": [layer.bias], "weight_decay": 0.0}],
            lr=1e-2, betas=(0.9, 0.98), eps=1e-6, foreach=False, fused=False,
        )
    )  # fmt: skip
    torch.testing.assert_close(ours, plain, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("warmup", "steps"), [(10, 100), (0, 7), (500, 1000), (5, 5)])
def test_learning_rate_is_open_clips(warmup, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1)
    theirs = cosine_lr(optimizer, 5e-4, warmup, steps)
    for step in range(steps):
        assert learning_rate(step, peak=5e-4, warmup=warmup, steps=steps) == theirs(step)


def test_learning_rate_by_hand():
    rates = [learning_rate(step, peak=1.0, warmup=4, steps=12) for step in range(12)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[8] == pytest.approx(0.5)
    assert rates[11] == pytest.approx((1 + math.cos(math.pi * 7 / 8)) / 2)


@pytest.mark.parametrize(("before", "after"), [(5.0, math.log(100)), (-1.0, 0.0), (2.0, 2.0)])
def test_clamp_scale(before, after):
    module = torch.nn.Module()
    module.logit_scale = torch.nn.Parameter(torch.tensor(before))
    clamp_scale(module)
    assert module.logit_scale.item() == pytest.approx(after)
    assert module.logit_scale.requires_grad
