import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

if __name__ == "__main__":
    sys.modules["transformers"] = None  # seconds of import that open_clip can do without

import pytest
import torch
from open_clip.loss import ClipLoss, SigLipLoss
from open_clip.model import CLIP, CustomTextCLIP
from torchvision.transforms.functional import normalize

from curation.trainer import step
from curation.trainer.loss import contrastive
from curation.trainer.ranks import Ranks, start, stop
from curation.trainer.step import Step

N, SIZE, CONTEXT, END = 16, 32, 77, 99
LENGTHS = [3, 16, 9, 12, 5, 1, 16, 14, 20, 77, 32, 17, 50, 33, 18, 76]  # the halves have no group in common
MEAN, DEVIATION = (0.48, 0.45, 0.40), (0.26, 0.27, 0.28)
TOWER = {"width": 16, "layers": 2}
VISION = TOWER | {"head_width": 8, "patch_size": 8, "image_size": SIZE}
TEXT = TOWER | {"heads": 2, "vocab_size": END + 1, "context_length": CONTEXT}
SIGLIP = TEXT | {"no_causal_mask": True, "pool_type": "last", "proj_bias": True}
RESNET = {"layers": [1, 1, 1, 1], "width": 8, "head_width": 8, "image_size": SIZE}
KINDS = {
    "CLIP": (CLIP, "softmax", {"vision_cfg": VISION, "text_cfg": TEXT}),
    "worldwide": (
        CustomTextCLIP,
        "softmax",
        {"vision_cfg": VISION, "text_cfg": TEXT | {"pool_type": "eos", "eos_id": END}, "quick_gelu": True},
    ),
    "SigLIP": (
        CustomTextCLIP,
        "sigmoid",
        {"vision_cfg": VISION, "text_cfg": SIGLIP, "init_logit_bias": -4.0},
    ),
    "dropout": (CLIP, "softmax", {"vision_cfg": VISION | {"patch_dropout": 0.5}, "text_cfg": TEXT}),
    "ResNet": (CLIP, "softmax", {"vision_cfg": RESNET, "text_cfg": TEXT}),
}
EXACT = ("CLIP", "worldwide", "SigLIP")


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def create(kind):
    of_class, loss, config = KINDS[kind]
    torch.manual_seed(0)
    module = of_class(embed_dim=8, **config)
    return SimpleNamespace(module=module, loss=loss, preprocessing=SimpleNamespace(mean=MEAN, std=DEVIATION))


def samples():
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (N, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)
    tokens = torch.randint(1, END, (N, CONTEXT), generator=generator)
    for text, length in zip(tokens, LENGTHS, strict=True):
        text[length - 1] = END
        text[length:] = 0
    return images, tokens, torch.tensor(LENGTHS)


def micro_batches(size, *, rank=0, ranks=1):
    images, tokens, lengths = (part.chunk(ranks)[rank] for part in samples())
    parts = zip(images.split(size), tokens.split(size), lengths.split(size), strict=True)
    return [SimpleNamespace(images=i, tokens=t, lengths=n) for i, t, n in parts]


def prepare(model, ranks=Ranks(), **settings):  # noqa: B008
    plain = {"precision": "fp32", "compile": False, "checkpoint_activations": False, "seed": 0}
    return Step(model, ranks, block_rows=5, **(plain | settings))


def gradients(model):
    return {name: p.grad.clone() for name, p in model.module.named_parameters() if p.grad is not None}


def take(kind, size, **settings):
    """Return the loss and the gradients of a step."""
    model = create(kind)
    outcome = prepare(model, **settings)(micro_batches(size), 0)
    return {"loss": outcome.loss, **gradients(model)}


def expect(kind):
    """Return the loss and the gradients of the whole batch at once, padded, by open_clip's means."""
    model = create(kind)
    images, tokens, _ = samples()
    features = (
        model.module.encode_image(normalize(images / 255, MEAN, DEVIATION), normalize=True),
        model.module.encode_text(tokens, normalize=True),
    )
    scale, bias = model.module.logit_scale.exp(), model.module.logit_bias
    loss = SigLipLoss()(*features, scale, bias) if kind == "SigLIP" else ClipLoss()(*features, scale)
    loss.backward()
    return {"loss": loss.detach(), **gradients(model)}


def assert_same(found, expected, *, tolerance=1e-5):
    """Compare tensors; each may be off by `tolerance` of its own greatest number."""
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        off = (found[name] - tensor).abs().max().item()
        assert off <= tolerance * tensor.abs().max().item(), name


@pytest.mark.parametrize("size", [16, 8, 4, 6])
@pytest.mark.parametrize("kind", EXACT)
def test_gradients_do_not_depend_on_micro_batches(kind, size):
    expected = expect(kind)
    assert {"loss", "logit_scale"} | ({"logit_bias"} if kind == "SigLIP" else set()) < expected.keys()
    assert_same(take(kind, size), expected)


def test_two_processes_equal_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(__file__).parents[2]
    shared = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "PYTHONPATH": str(root),
    }
    command = [sys.executable, __file__, str(tmp_path)]
    processes = [
        subprocess.Popen(command, env=shared | {"RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")
    ]
    try:
        assert [process.wait(timeout=250) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert first.keys() == {(kind, size) for kind in (*EXACT, "dropout") for size in (8, 4)}
    for (kind, size), found in first.items():
        assert_same(found, second[kind, size], tolerance=0)
        assert_same(found, take(kind, size) if kind == "dropout" else expect(kind))


def as_rank(folder):
    torch.set_num_threads(1)
    ranks = start()
    outcomes = {}
    for kind in (*EXACT, "dropout"):
        for size in (8, 4):
            model = create(kind)
            outcome = prepare(model, ranks)(micro_batches(size, rank=ranks.rank, ranks=ranks.ranks), 0)
            outcomes[kind, size] = {"loss": outcome.loss, **gradients(model)}
    torch.save(outcomes, folder / f"{ranks.rank}.pt")
    stop(ranks)


def features_of(model, step_number, size, **settings):
    """Return the image tower's outputs, in the order in which the step computes them."""
    outputs = []
    hook = model.module.visual.register_forward_hook(lambda *call: outputs.append(call[2]))
    prepare(model, **settings)(micro_batches(size), step_number)
    hook.remove()
    return outputs


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_passes_drop_the_same_patches(precision):
    first_0, first_1, last, second_0, second_1 = features_of(create("dropout"), 0, 6, precision=precision)
    assert len(last) == 4
    assert torch.equal(first_0, second_0)
    assert torch.equal(first_1, second_1)


def test_what_is_dropped_depends_on_seed_step_and_place_alone():
    features = features_of(create("dropout"), 7, 16, seed=3)[0]
    torch.rand(5)
    assert torch.equal(features, features_of(create("dropout"), 7, 16, seed=3)[0])
    assert not torch.equal(features, features_of(create("dropout"), 8, 16, seed=3)[0])
    assert not torch.equal(features, features_of(create("dropout"), 7, 16, seed=4)[0])
    model = create("dropout")
    same = micro_batches(8)[0]
    outputs = []
    model.module.visual.register_forward_hook(lambda *call: outputs.append(call[2].detach()))
    prepare(model)([same, same], 0)
    assert not torch.equal(outputs[0], outputs[1])


def test_all_but_the_last_micro_batch_are_encoded_twice_first_without_a_graph():
    assert [output.requires_grad for output in features_of(create("CLIP"), 0, 16)] == [True]
    outputs = features_of(create("CLIP"), 0, 6)
    assert [len(output) for output in outputs] == [6, 6, 4, 6, 6]
    assert [output.requires_grad for output in outputs] == [False, False, True, True, True]


def test_images_arrive_as_convolutions_like_them():
    model, images = create("ResNet"), []
    model.module.visual.register_forward_pre_hook(lambda _, inputs: images.append(inputs[0]))
    prepare(model)(micro_batches(16), 0)
    assert images[0].is_contiguous(memory_format=torch.channels_last)


def test_statistics_of_batch_norm_move_once_a_micro_batch():
    model, expected = create("ResNet"), create("ResNet")
    model.module.eval()
    prepare(model)(micro_batches(8), 0)
    for batch in reversed(micro_batches(8)):
        expected.module.encode_image(normalize(batch.images / 255, MEAN, DEVIATION))
    statistics = dict(model.module.visual.named_buffers())
    assert statistics["bn1.num_batches_tracked"] == 2
    assert_same(statistics, dict(expected.module.visual.named_buffers()))
    assert all(m.track_running_stats for m in model.module.modules() if isinstance(m, torch.nn.BatchNorm2d))


def test_batch_norm_normalises_the_same_in_both_passes():
    first, _, second = features_of(create("ResNet"), 0, 8)
    assert torch.equal(first, second)


def test_statistics_are_let_in_again_after_an_error():
    model = create("ResNet")
    batches = micro_batches(8)
    batches[0].tokens = batches[0].tokens + 1000
    model.module.visual.bn2.track_running_stats = False
    with pytest.raises(IndexError):
        prepare(model)(batches, 0)
    assert model.module.visual.bn1.track_running_stats
    assert not model.module.visual.bn2.track_running_stats


def test_bf16_is_near_and_leaves_float32():
    found, expected = take("CLIP", 8, precision="bf16"), take("CLIP", 8)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert tensor.dtype == torch.float32
        assert not torch.equal(tensor, expected[name]), name
    joined = [torch.cat([tensor.flatten() for tensor in tensors.values()]) for tensors in (found, expected)]
    assert torch.cosine_similarity(*joined, dim=0) > 0.99


def test_checkpointed_activations_give_the_same_gradients(monkeypatch):
    calls = []
    original = torch.utils.checkpoint.checkpoint
    monkeypatch.setattr(
        "open_clip.transformer.checkpoint", lambda *a, **k: calls.append(1) or original(*a, **k)
    )
    assert_same(take("dropout", 8, checkpoint_activations=True), take("dropout", 8))
    assert calls


def test_compiled_towers_give_the_same_gradients(monkeypatch):
    compiled = []

    def compile_(function, **settings):
        compiled.append(settings)
        return eager(function, **settings)

    eager = partial(torch.compile, backend="eager")
    monkeypatch.setattr(torch, "compile", compile_)
    assert_same(take("worldwide", 8, compile=True), expect("worldwide"))
    assert compiled == [{}, {"dynamic": True}]


def test_gradients_left_over_and_parameters_without_use():
    model = create("CLIP")
    model.module.unused = torch.nn.Parameter(torch.ones(3))
    model.module.frozen = torch.nn.Parameter(torch.ones(3), requires_grad=False)
    for parameter in model.module.parameters():
        parameter.grad = torch.full_like(parameter, 9) if parameter.requires_grad else None
    outcome = prepare(model)(micro_batches(8), 0)
    found = gradients(model)
    assert torch.equal(found.pop("unused"), torch.zeros(3))
    assert_same({"loss": outcome.loss, **found}, expect("CLIP"))


def test_the_loss_is_computed_in_blocks_of_rows(monkeypatch):
    told = {}
    monkeypatch.setattr(
        step, "contrastive", lambda *a, **settings: told.update(settings) or contrastive(*a, **settings)
    )
    take("CLIP", 8)
    assert told["block_rows"] == 5


def test_the_loss_is_a_number_without_a_graph():
    loss = take("CLIP", 8)["loss"]
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert not loss.requires_grad


if __name__ == "__main__":
    as_rank(Path(sys.argv[1]))
