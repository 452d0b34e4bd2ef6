import open_clip
import pytest
import torch
from open_clip.model import CLIP, CustomTextCLIP

from curation.trainer.texts import encode_texts, groups_apply, text_tower

VOCABULARY, END = 100, 99
VISION = {"layers": 1, "width": 16, "head_width": 8, "patch_size": 16, "image_size": 16}
CUT = {
    "CLIP": (CLIP, {}, {}),
    "QuickGELU": (CLIP, {"quick_gelu": True}, {}),
    "worldwide": (CustomTextCLIP, {}, {"pool_type": "eos", "eos_id": 90}),  # not the greatest: pads are 95
    "own text tower": (CustomTextCLIP, {}, {"proj_type": "linear", "proj_bias": True}),
    "no projection": (CustomTextCLIP, {}, {"proj_type": "none"}),
    "own blocks": (CustomTextCLIP, {}, {"qk_norm": True, "scale_fc": True, "ls_init_value": 0.5}),
    "CLIP that ends at eos": (CLIP, {}, {"pool_type": "eos", "eos_id": 90}),
}
WHOLE = {
    "CLIPA": {"no_causal_mask": True, "pool_type": "last"},
    "both ways": {"no_causal_mask": True, "pool_type": "argmax"},
    "last": {"pool_type": "last"},
    "first": {"pool_type": "first"},
}


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def create(kind, model, text, *, context=77):
    torch.manual_seed(0)
    text = {"width": 16, "heads": 2, "layers": 2, "vocab_size": VOCABULARY, "context_length": context} | text
    return kind(
        embed_dim=16 if text.get("proj_type") == "none" else 8, vision_cfg=VISION, text_cfg=text, **model
    )


def texts(lengths, *, context=77, end=END, pad=0):
    generator = torch.Generator().manual_seed(len(lengths))
    tokens = torch.full((len(lengths), context), pad)
    for row, length in enumerate(lengths):
        tokens[row, : length - 1] = torch.randint(1, 90, (length - 1,), generator=generator)
        tokens[row, length - 1] = end
    return tokens, torch.tensor(lengths)


def tokens_for(name, lengths, **kwargs):
    return texts(
        lengths, **kwargs, **({"end": 90, "pad": 95} if CUT[name][2].get("pool_type") == "eos" else {})
    )


def gradients(module, features):
    """Of a random linear function of the features."""
    module.zero_grad()
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    (features * weights).sum().backward()
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param([5, 77, 16, 20, 1, 33, 17, 32, 3], id="all groups, at their borders"),
        pytest.param([40, 77], id="long only"),
        pytest.param([2, 60, 16, 9], id="none between 17 and 32"),
        pytest.param([7], id="one text"),
    ],
)
@pytest.mark.parametrize("name", CUT)
def test_features_and_gradients_are_those_of_padded_texts(name, lengths):
    module = create(*CUT[name])
    tokens, sizes = tokens_for(name, lengths)
    features = encode_texts(module, tokens, sizes)
    expected = module.encode_text(tokens, normalize=True)
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
    found, wanted = gradients(module, features), gradients(module, expected)
    assert found.keys() == wanted.keys()
    assert len(wanted) > 10
    for parameter, gradient in wanted.items():
        torch.testing.assert_close(found[parameter], gradient, atol=1e-5, rtol=1e-4, msg=parameter)


def test_random_lengths_of_every_context():
    for context in (8, 16, 20, 32, 64):
        module = create(CLIP, {}, {}, context=context)
        lengths = torch.randint(1, context + 1, (40,)).tolist()
        tokens, sizes = texts(lengths, context=context)
        expected = module.encode_text(tokens, normalize=True)
        torch.testing.assert_close(encode_texts(module, tokens, sizes.int()), expected, atol=1e-5, rtol=0)


def test_short_texts_are_encoded_at_their_own_length(monkeypatch):
    module = create(CLIP, {}, {})
    shapes = []
    monkeypatch.setattr(module.transformer, "forward", lambda x, attn_mask: shapes.append(x.shape[:2]) or x)
    encode_texts(module, *texts([5, 77, 16, 20, 1, 32]))
    assert shapes == [(3, 16), (2, 32), (1, 77)]


@pytest.mark.parametrize("name", WHOLE)
def test_towers_that_see_or_read_behind_the_end_are_never_cut(name):
    module = create(CustomTextCLIP, {}, WHOLE[name])
    assert not groups_apply(module)
    tokens, sizes = texts([5, 40, 20])
    expected = module.encode_text(tokens, normalize=True)
    assert torch.equal(encode_texts(module, tokens, sizes), expected)


def test_which_models_of_open_clip_are_cut(monkeypatch):
    cut = {
        "RN50": True,
        "ViT-B-32": True,
        "ViT-L-14-336-quickgelu": True,
        "ViT-B-16-plus-240": True,
        "ViT-H-14-worldwide": True,
        "ViT-L-14-CLIPA": False,
        "ViT-B-16-SigLIP": False,
        "ViT-B-32-SigLIP2-256": False,
        "coca_base": False,
    }
    for name, expected in cut.items():
        config = open_clip.get_model_config(name)
        kind = CustomTextCLIP if config.pop("custom_text", False) else CLIP
        config.pop("multimodal_cfg", None)
        config["vision_cfg"] = VISION
        config["text_cfg"] |= {"layers": 1}
        with torch.device("meta"):
            assert groups_apply(kind(**config)) is expected, name


def test_a_tower_of_another_library_is_never_cut():
    class Foreign(torch.nn.Module):
        attn_mask, cls_emb, pool_type, eos_id = torch.zeros(77, 77), None, "argmax", 2

    module = create(CustomTextCLIP, {}, {})
    module.text = Foreign()
    assert not groups_apply(module)


def test_a_class_of_open_clip_that_encodes_texts_in_its_own_way_is_never_cut():
    class Other(CustomTextCLIP):
        pass

    assert not groups_apply(create(Other, {}, {}))


def test_features_are_normalised_in_float32_under_autocast():
    for text in ({}, WHOLE["CLIPA"]):
        module = create(CustomTextCLIP, {}, text)
        with torch.autocast("cpu", torch.bfloat16):
            features = encode_texts(module, *texts([5, 40, 20]))
        assert features.dtype == torch.float32
        torch.testing.assert_close(features.norm(dim=-1), torch.ones(3), atol=1e-6, rtol=0)


def test_text_tower():
    assert isinstance(text_tower(create(CLIP, {}, {})), CLIP)
    module = create(CustomTextCLIP, {}, {})
    assert text_tower(module) is module.text
