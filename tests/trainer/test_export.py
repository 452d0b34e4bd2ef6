import copy
import json
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import packaging.version
import pytest
import torch
from PIL import Image

from curation.config import Export
from curation.errors import InputError
from curation.trainer import export as exporting
from curation.trainer import models
from curation.trainer.export import export, export_checkpoint

VIT = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 128, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},
}
RESNET = VIT | {"vision_cfg": {"image_size": 64, "layers": [1, 2, 1, 1], "width": 16, "patch_size": None}}
# All that CLIPModel can hold and that OpenAI's package cannot.
FREE = {
    "embed_dim": 24,
    "vision_cfg": VIT["vision_cfg"] | {"head_width": 16, "mlp_ratio": 3.3, "patch_dropout": 0.5},
    "text_cfg": VIT["text_cfg"] | {"context_length": 18, "heads": 4, "mlp_ratio": 2.1, "pool_type": "argmax"},
}
# CLIPA's kind, with a bias: only open_clip can hold it.
ODD = {
    "embed_dim": 24,
    "custom_text": True,
    "init_logit_bias": -10,
    "vision_cfg": VIT["vision_cfg"] | {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True},
    "text_cfg": VIT["text_cfg"] | {"context_length": 16, "pool_type": "last", "no_causal_mask": True},
}
TEXTS = [
    "a photo of a dog",
    "Ein  schöner TAG's end, don't! 12 cats; 3½ 北京 😀",
    " ".join(["word"] * 100),
    "",
    "!!! ... (c) ñandú naïve İstanbul Straße 42nd we'll I'd you're",
    "supercalifragilisticexpialidocious\tantidisestablishmentarianism\nこんにちは مرحبا",
]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def clip(monkeypatch):
    """OpenAI's package; its old import of packaging through setuptools is gone from new setuptools."""
    monkeypatch.setitem(sys.modules, "pkg_resources", types.SimpleNamespace(packaging=packaging))
    return pytest.importorskip("clip")


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers")


def trained(folder: Path, config: dict, preprocess: dict | None = None) -> models.Model:
    """A model none of whose parameters has the value it starts with."""
    content = {"model_cfg": copy.deepcopy(config), "preprocess_cfg": preprocess or {}}
    (folder / "small.json").write_text(json.dumps(content))
    model = models.create(str(folder / "small.json"), seed=1)
    numbers = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for key, value in model.module.state_dict().items():
            if value.is_floating_point():
                noise = torch.randn(value.shape, generator=numbers)
                value += 0.05 * (noise.abs() if key.endswith("running_var") else noise)
    model.module.eval()
    return model


def exported(folder: Path, model: models.Model, format: str) -> Path:
    target = folder / format
    target.mkdir()
    export(model, target, format)
    return target


def images(model: models.Model, count: int = 3) -> torch.Tensor:
    size = model.preprocessing.image_size
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def features(model: models.Model) -> tuple[torch.Tensor, torch.Tensor]:
    return model.module.encode_image(images(model)), model.module.encode_text(model.tokenizer(TEXTS))


def agree(left: torch.Tensor, right: torch.Tensor, tolerance: float = 1e-5) -> bool:
    assert left.shape == right.shape
    assert left.std() > 0.01  # features that say something
    return bool((left - right).abs().max() <= tolerance * right.abs().max())


def picture(width: int = 90, height: int = 60) -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("config", [VIT, RESNET, FREE, ODD], ids=["vit", "resnet", "free", "odd"])
def test_open_clip_loads_it_and_gives_the_same(tmp_path, config):
    preprocess = {"mean": [0.1, 0.2, 0.3], "std": [0.9, 0.8, 0.7], "resize_mode": "squash"}
    model = trained(tmp_path, config, preprocess)
    folder = exported(tmp_path, model, "open_clip")
    theirs, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    theirs.eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS)
    image_features, text_features = features(model)
    with torch.no_grad():
        assert agree(theirs.encode_image(images(model)), image_features)
        assert agree(theirs.encode_text(tokens), text_features)
    assert torch.equal(theirs.logit_scale, model.module.logit_scale)
    size = model.preprocessing.image_size
    black = Image.new("RGB", (90, 60))
    expected = torch.tensor([-1 / 9, -2 / 8, -3 / 7])[:, None, None].expand(3, size, size)
    torch.testing.assert_close(transform(black), expected)
    again = models.load(str(folder))
    assert again.config == model.config
    assert again.preprocessing == model.preprocessing


@pytest.mark.parametrize("config", [VIT, FREE], ids=["quickgelu", "gelu"])
def test_hugging_face_loads_it_and_gives_the_same(tmp_path, transformers, config):
    model = trained(tmp_path, config)
    folder = exported(tmp_path, model, "huggingface")
    theirs, info = transformers.CLIPModel.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values())
    processor = transformers.CLIPProcessor.from_pretrained(folder)
    given = processor.tokenizer(TEXTS, padding="max_length", truncation=True, return_tensors="pt")
    image_features, text_features = features(model)
    with torch.no_grad():
        their_texts = theirs.get_text_features(**given)
        their_images = theirs.get_image_features(images(model))
        ours = theirs.get_text_features(input_ids=model.tokenizer(TEXTS))  # padded with 0
    assert agree(getattr(their_images, "pooler_output", their_images), image_features)
    assert agree(getattr(their_texts, "pooler_output", their_texts), text_features)
    assert agree(getattr(ours, "pooler_output", ours), text_features)
    assert torch.equal(theirs.logit_scale, model.module.logit_scale)
    assert theirs.config.text_config.eos_token_id == 49407
    assert theirs.config.vision_config.image_size == 32


def test_hugging_face_gives_the_same_tokens_up_to_padding(tmp_path, transformers):
    model = trained(tmp_path, FREE)
    folder = exported(tmp_path, model, "huggingface")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    ours = model.tokenizer(TEXTS)
    theirs = tokenizer(TEXTS, padding="max_length", truncation=True, return_tensors="pt").input_ids
    assert theirs.shape == ours.shape == (len(TEXTS), 18)
    ends = ours.argmax(dim=1)
    for mine, other, end in zip(ours, theirs, ends, strict=True):
        assert mine[: end + 1].tolist() == other[: end + 1].tolist()
        assert set(other[end + 1 :].tolist()) <= {49407}
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, len(tokenizer)) == (49406, 49407, 49408)
    assert tokenizer.decode(theirs[0], skip_special_tokens=True) == "a photo of a dog"


def test_hugging_faces_text_tower_alone_gives_the_same_states(tmp_path, transformers):
    model = trained(tmp_path, VIT)
    folder = exported(tmp_path, model, "huggingface")
    tower, info = transformers.CLIPTextModel.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["mismatched_keys"]
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    given = tokenizer(TEXTS, padding="max_length", truncation=True, return_tensors="pt")
    tokens, ours = model.tokenizer(TEXTS), model.module
    with torch.no_grad():
        theirs = tower(input_ids=given.input_ids).last_hidden_state
        states = ours.token_embedding(tokens) + ours.positional_embedding
        states = ours.ln_final(ours.transformer(states, attn_mask=ours.attn_mask))
    for row, end in enumerate(tokens.argmax(dim=1)):
        assert agree(theirs[row, : end + 1], states[row, : end + 1])


@pytest.mark.parametrize("mode", ["shortest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_hugging_face_prepares_images_alike(tmp_path, transformers, mode, interpolation):
    preprocess = {
        "resize_mode": mode,
        "interpolation": interpolation,
        "mean": [0.4, 0.5, 0.6],
        "std": [0.3, 0.2, 0.1],
    }
    model = trained(tmp_path, VIT, preprocess)
    folder = exported(tmp_path, model, "huggingface")
    processor = transformers.CLIPProcessor.from_pretrained(folder)
    theirs = processor.image_processor(picture(), return_tensors="pt").pixel_values[0]
    transform = open_clip.image_transform(
        32,
        is_train=False,
        mean=(0.4, 0.5, 0.6),
        std=(0.3, 0.2, 0.1),
        interpolation=interpolation,
        resize_mode=mode,
    )
    ours = transform(picture())
    assert theirs.shape == ours.shape == (3, 32, 32)
    # Their resizing rounds otherwise; a wrong crop, filter or order of channels is ten times as far.
    assert (theirs - ours).abs().mean() < 0.02


@pytest.mark.parametrize("name", ["ViT-B-32-quickgelu", "ViT-L-14-336", "ViT-bigG-14"])
def test_shapes_are_those_that_hugging_face_expects(transformers, name):
    model = models.create(name, device="meta")
    ours = dict(exporting._huggingface_weights(model.module.state_dict()))
    config = transformers.CLIPConfig(**exporting._huggingface_config(model))
    with torch.device("meta"):
        theirs = transformers.CLIPModel(config).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.filterwarnings("ignore:.torch.jit.load:FutureWarning")
@pytest.mark.parametrize("config", [VIT, RESNET], ids=["vit", "resnet"])
def test_openais_package_loads_it_and_gives_the_same(tmp_path, clip, config):
    model = trained(tmp_path, config)
    file = exported(tmp_path, model, "openai") / "model.pt"
    theirs, transform = clip.load(str(file), device="cpu")
    image_features, text_features = features(model)
    tokens = clip.tokenize(TEXTS, truncate=True)
    assert torch.equal(tokens.long(), model.tokenizer(TEXTS))
    theirs.float()
    with torch.no_grad():
        assert agree(theirs.encode_image(images(model)), image_features, 5e-3)  # it rounded to float16
        assert agree(theirs.encode_text(tokens), text_features, 5e-3)
        theirs.load_state_dict(torch.load(file, weights_only=True))
        assert agree(theirs.encode_image(images(model)), image_features)
        assert agree(theirs.encode_text(tokens), text_features)
    size = model.preprocessing.image_size
    ours = open_clip.image_transform(size, is_train=False)
    torch.testing.assert_close(transform(picture()), ours(picture()))


def changed(config: dict, **changes: object) -> dict:
    merged = copy.deepcopy(config)
    for key, value in changes.items():
        merged[key] = merged[key] | value if isinstance(value, dict) else value
    return merged


@pytest.mark.parametrize(
    ("format", "config", "preprocess", "reason"),
    [
        ("openai", changed(VIT, quick_gelu=False), {}, "GELU instead of QuickGELU"),
        ("openai", changed(RESNET, quick_gelu=False), {}, "GELU instead of QuickGELU"),
        ("openai", changed(VIT, text_cfg={"heads": 2}), {}, "text_cfg.heads 2 instead of width / 64"),
        ("openai", changed(VIT, vision_cfg={"head_width": 32}), {}, "vision_cfg.head_width 32"),
        ("openai", changed(RESNET, vision_cfg={"head_width": 32}), {}, "vision_cfg.head_width 32"),
        ("openai", changed(VIT, text_cfg={"mlp_ratio": 2.0}), {}, "text_cfg.mlp_ratio 2.0"),
        ("openai", changed(VIT, vision_cfg={"image_size": 36}), {}, "no multiple of its patches"),
        ("openai", changed(RESNET, vision_cfg={"image_size": 80}), {}, "no multiple of its patches"),
        ("openai", VIT, {"resize_mode": "squash"}, "preprocessing that is not CLIP's"),
        ("openai", changed(ODD, quick_gelu=True), {}, "custom_text True, init_logit_bias -10"),
        ("huggingface", RESNET, {}, "a ResNet"),
        ("huggingface", ODD, {}, "vision_cfg.pool_type avg.*text_cfg.pool_type last"),
        ("huggingface", changed(VIT, init_logit_bias=0), {}, "init_logit_bias 0"),
        ("huggingface", changed(VIT, text_cfg={"vocab_size": 500}), {}, "text_cfg.vocab_size 500"),
        ("huggingface", changed(VIT, vision_cfg={"ls_init_value": 0.1}), {}, "vision_cfg.ls_init_value 0.1"),
        ("huggingface", changed(VIT, text_cfg={"tokenizer_kwargs": {"clean": "canonicalize"}}), {}, "clean"),
        ("huggingface", VIT, {"resize_mode": "longest"}, "images padded to squares"),
    ],
)
def test_what_a_layout_cannot_hold_is_refused_with_the_reason(tmp_path, format, config, preprocess, reason):
    model = trained(tmp_path, config, preprocess)
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(InputError, match=f"model small: .*cannot hold it.*{reason}") as caught:
        export(model, target, format)
    assert "\n" not in str(caught.value)
    assert not list(target.iterdir())


def test_a_checkpoint_is_exported_whole_or_not_at_all(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    models.save(models.create("tiny"), run)
    good = Export(checkpoint=str(run), layout="open_clip", output=str(tmp_path / "good"))
    assert export_checkpoint(good) == tmp_path / "good"
    assert (tmp_path / "good" / "open_clip_model.safetensors").is_file()
    with pytest.raises(InputError, match="there already"):
        export_checkpoint(good)
    for layout in ("huggingface", "openai"):
        with pytest.raises(InputError, match="tiny"):
            export_checkpoint(replace(good, layout=layout, output=str(tmp_path / layout)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good", "run"]
