"""A trained model in the layouts that other libraries read."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import open_clip
import torch
from safetensors.torch import save_file

from curation.errors import InputError
from curation.trainer import models
from curation.trainer.models import Model, Preprocessing

Format = Literal["open_clip", "huggingface", "openai"]

_TOP = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "init_logit_scale", "output_dict"}
_OPENAI = (
    {"layers", "width", "patch_size", "image_size", "patch_dropout"},
    {"context_length", "width", "layers", "heads"},
)
_HUGGINGFACE = (_OPENAI[0] | {"head_width", "mlp_ratio"}, _OPENAI[1] | {"mlp_ratio"})
_RESAMPLING = {"bilinear": 2, "bicubic": 3}  # Pillow's numbers

# What is called otherwise there, each name once; in a block, then around the blocks.
_BLOCK = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_AROUND = {
    "logit_scale": "logit_scale",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
}
_TRANSPOSED = {"visual.proj": "visual_projection.weight", "text_projection": "text_projection.weight"}


def export_checkpoint(config: Any) -> Path:
    """Export a checkpoint into a folder that appears when it is whole.

    Args:
        config: `config.export.Export`, or what has its fields.

    Returns:
        The folder.

    Raises:
        InputError: no such checkpoint, a layout that cannot hold it, or a folder that is there already.
    """
    folder = Path(config.output)
    if folder.exists():
        raise InputError(f"{folder} is there already; give --output a folder to be made")
    model = models.load(config.checkpoint)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"_{folder.name}-", dir=folder.parent) as draft:
        made = Path(draft, "made")
        made.mkdir()
        export(model, made, config.layout)
        made.rename(folder)
    return folder


def export(model: Model, folder: Path, format: Format) -> None:
    """Write a model so that another library loads it and gives the same features.

    Args:
        model: trained.
        folder: that exists and is empty.
        format: "open_clip": `local-dir:FOLDER` there; "huggingface": `CLIPModel`, `CLIPTextModel` and
            `CLIPProcessor`; "openai": `model.pt`, a plain state dict for `clip.load`.

    Raises:
        InputError: the layout cannot hold the model; nothing is written.

    Deviates: Hugging Face's tokenizer does not mend broken text (ftfy, HTML entities) and pads with the
        end token where ours pads with 0; features of clean texts are the same.
    """
    _WRITERS[format](model, folder)


def _write_openai(model: Model, folder: Path) -> None:
    """The package infers all but what is checked here from shapes; its preprocessing is fixed."""
    vision, text = _settings(model)
    size = model.preprocessing.image_size
    reasons = _unusual(model, *_OPENAI)
    if not model.config.get("quick_gelu"):
        reasons.append("GELU instead of QuickGELU (train a name that ends in -quickgelu)")
    if text["heads"] * 64 != text["width"]:
        reasons.append(f"text_cfg.heads {text['heads']} instead of width / 64")
    if size % (vision["patch_size"] if isinstance(vision["layers"], int) else 32):
        reasons.append("an image size that is no multiple of its patches")
    if model.preprocessing != Preprocessing(size):
        reasons.append("a preprocessing that is not CLIP's")
    _refuse(model, "OpenAI's clip", reasons)
    torch.save(models.plain_weights(model.module), folder / "model.pt")


def _write_huggingface(model: Model, folder: Path) -> None:
    reasons = _unusual(model, *_HUGGINGFACE)
    if not isinstance(_settings(model)[0]["layers"], int):
        reasons.insert(0, "a ResNet")
    if model.preprocessing.resize_mode == "longest":
        reasons.append("images padded to squares")
    _refuse(model, "Hugging Face's CLIPModel", reasons)
    weights = dict(_huggingface_weights(models.plain_weights(model.module)))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _write_json(folder / "config.json", _huggingface_config(model))
    _write_json(folder / "preprocessor_config.json", _huggingface_preprocessing(model.preprocessing))
    _write_tokenizer(model, folder)


def _settings(model: Model) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the vision and the text tower, what the configuration leaves out included."""
    vision = open_clip.CLIPVisionCfg(**model.config["vision_cfg"])
    return vars(vision), vars(open_clip.CLIPTextCfg(**model.config["text_cfg"]))


def _unusual(model: Model, vision: set[str], text: set[str]) -> list[str]:
    """Settings that differ from open_clip's defaults, other than those that the layout can hold."""
    config = model.config
    parts = (
        ("", config, {}, _TOP),
        ("vision_cfg.", config["vision_cfg"], vars(open_clip.CLIPVisionCfg()), vision),
        ("text_cfg.", config["text_cfg"], vars(open_clip.CLIPTextCfg()), text),
    )
    return [
        f"{part}{key} {value}"
        for part, given, defaults, held in parts
        for key, value in given.items()
        if key not in held and value != defaults.get(key) and not _absent(value)
    ]


def _absent(value: object) -> bool:
    return value is None or value is False or value == {}  # 0 is a value: a bias may start there


def _refuse(model: Model, library: str, reasons: list[str]) -> None:
    if reasons:
        what = ", ".join(reasons)
        raise InputError(
            f"model {model.name}: {library} cannot hold it, for it has {what}; export as open_clip"
        )


def _huggingface_weights(weights: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    for key, value in weights.items():
        before, is_block, rest = key.partition("transformer.resblocks.")
        if is_block:
            number, _, inside = rest.partition(".")
            tower = "vision_model" if before else "text_model"
            for name, part in _huggingface_block(inside, value):
                yield f"{tower}.encoder.layers.{number}.{name}", part
        elif key in _TRANSPOSED:
            yield _TRANSPOSED[key], value.T.contiguous()
        else:
            yield _AROUND[key], value


def _huggingface_block(key: str, value: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    name, _, kind = key.rpartition(".")
    if kind.startswith("in_proj_"):
        for letter, part in zip("qkv", value.chunk(3), strict=True):
            yield f"self_attn.{letter}_proj.{kind.removeprefix('in_proj_')}", part.clone()
    else:
        yield f"{_BLOCK[name]}.{kind}", value


def _huggingface_config(model: Model) -> dict[str, Any]:
    config = model.config
    vision, text = _settings(model)
    shared = {
        "hidden_act": "quick_gelu" if config.get("quick_gelu") else "gelu",
        "layer_norm_eps": 1e-5,
        "projection_dim": config["embed_dim"],
    }
    towers = {
        f"{name}_config": shared
        | {
            "model_type": f"clip_{name}_model",
            "hidden_size": tower["width"],
            "intermediate_size": int(tower["width"] * tower["mlp_ratio"]),
            "num_hidden_layers": tower["layers"],
        }
        for name, tower in (("vision", vision), ("text", text))
    }
    towers["vision_config"] |= {
        "num_attention_heads": vision["width"] // vision["head_width"],
        "image_size": model.preprocessing.image_size,
        "patch_size": vision["patch_size"],
    }
    towers["text_config"] |= {
        "num_attention_heads": text["heads"],
        "max_position_embeddings": text["context_length"],
        "vocab_size": text["vocab_size"],
        "bos_token_id": model.tokenizer.sot_token_id,
        "eos_token_id": model.tokenizer.eot_token_id,  # 2, the default once, pools in an older way
        "pad_token_id": model.tokenizer.eot_token_id,
    }
    top = {"architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": config["embed_dim"]}
    return top | {"dtype": "float32"} | towers


def _huggingface_preprocessing(preprocessing: Preprocessing) -> dict[str, Any]:
    side = preprocessing.image_size
    square = {"height": side, "width": side}
    return {
        "image_processor_type": "CLIPImageProcessor",
        "processor_class": "CLIPProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": square if preprocessing.resize_mode == "squash" else {"shortest_edge": side},
        "resample": _RESAMPLING[preprocessing.interpolation],
        "do_center_crop": True,
        "crop_size": square,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": preprocessing.mean,
        "image_std": preprocessing.std,
    }


def _write_tokenizer(model: Model, folder: Path) -> None:
    """CLIP's BPE as Hugging Face reads it: only its two special tokens are spelt otherwise there."""
    start, end = "<|startoftext|>", "<|endoftext|>"
    tokenizer = model.tokenizer
    special = {tokenizer.sot_token_id: start, tokenizer.eot_token_id: end}
    vocabulary = {special.get(number, token): number for token, number in tokenizer.encoder.items()}
    folder.joinpath("vocab.json").write_bytes(msgspec.json.encode(vocabulary))
    merges = ["#version: 0.2", *(" ".join(pair) for pair in tokenizer.bpe_ranks)]
    folder.joinpath("merges.txt").write_text("\n".join(merges) + "\n", encoding="utf-8")
    tokens = {"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": end}
    _write_json(folder / "special_tokens_map.json", tokens)
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "processor_class": "CLIPProcessor",
        "model_max_length": tokenizer.context_length,
        "do_lower_case": True,
        "add_prefix_space": False,
        "errors": "replace",
    }
    _write_json(folder / "tokenizer_config.json", settings | tokens)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


_WRITERS: dict[str, Callable[[Model, Path], None]] = {
    "open_clip": models.save,
    "huggingface": _write_huggingface,
    "openai": _write_openai,
}
