"""What is trained: a model by its name, from a JSON file or from a checkpoint."""

import functools
import pickle
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import open_clip
import torch
from open_clip.tokenizer import HFTokenizer
from safetensors import SafetensorError
from safetensors.torch import save_file

from curation.errors import InputError
from curation.trainer.sources import CONFIG, WEIGHTS, Description, describe, find, line

Tokenizer = Callable[[Sequence[str]], torch.Tensor]


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes input: `image_size` is a side in pixels, `mean` and `std` of RGB within 0 to 1."""

    image_size: int
    mean: tuple[float, float, float] = open_clip.OPENAI_DATASET_MEAN
    std: tuple[float, float, float] = open_clip.OPENAI_DATASET_STD
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: Literal["shortest", "longest", "squash"] = "shortest"


@dataclass(frozen=True)
class Model:
    """Two towers with all that is needed to use, train, save and build them again.

    `config` is open_clip's model configuration, complete; `tokenizer` maps texts to int64 tokens
    (n, context length); `loss` is "sigmoid" for models with a logit bias (SigLIP), else "softmax".
    """

    name: str
    config: dict[str, Any]
    module: torch.nn.Module
    tokenizer: Tokenizer
    preprocessing: Preprocessing
    loss: Literal["softmax", "sigmoid"]


def create(
    name: str,
    *,
    seed: int = 0,
    image_size: int | None = None,
    context_length: int | None = None,
    device: str = "cpu",
) -> Model:
    """A model with random weights, which depend on `seed` alone.

    Args:
        name: of open_clip's models or ours (`sources.names()`), each also with `-quickgelu` at its end,
            or the path of a JSON file: open_clip's model configuration, or an `open_clip_config.json`.
        seed: of the weights.
        image_size: side of the images in pixels, if not the configuration's.
        context_length: of the texts in tokens, if not the configuration's.
        device: "meta" builds shapes without memory, and no tokenizer that a hub would have to give.

    Raises:
        InputError: the name is unknown, the file is wrong, the model trains with a loss that is not here
            (CoCa), or a part has to come from a hub that cannot be reached.

    Deviates: `CLIPA-B-16-bpe` is CLIPA's B/16 with CLIP's own BPE in place of BERT's WordPiece, which a
        hub would have to give. CLIPA strips the end token, so that its pooled last position always
        holds padding; CLIP's BPE keeps it, so that the last position of a text that fills the context
        holds the end token. The tower sees all positions from there either way.
    """
    description = describe(name)
    _adapt(description.config, image_size, context_length)
    return _build(description, seed=seed, device=device)


def load(
    checkpoint: str, *, image_size: int | None = None, context_length: int | None = None, device: str = "cpu"
) -> Model:
    """A trained model; positional embeddings are interpolated to another image size or context length.

    Args:
        checkpoint: the folder of a run (its latest checkpoint), any open_clip folder, `NAME=FILE` for a
            name that `create` takes and a file of weights, or `NAME:TAG` for weights that open_clip knows
            and may download.
        image_size: side of the images in pixels, if not the checkpoint's.
        context_length: of the texts in tokens, if not the checkpoint's.
        device: where the model goes.

    Raises:
        InputError: nothing there, or weights that do not fit, cannot be had, or are more than weights:
            what a pickle wants to run is not run.
    """
    description, weights = find(checkpoint)
    _adapt(description.config, image_size, context_length)
    model = _build(description, seed=0, device="cpu")
    _fill(model, weights)
    model.module.to(device)
    return model


def save(model: Model, folder: Path) -> None:
    """Write an open_clip folder: configuration, weights, and the tokenizer's files if it came from a hub.

    Args:
        model: to be saved.
        folder: that exists.
    """
    preprocess = {key: value for key, value in asdict(model.preprocessing).items() if key != "image_size"}
    content = {"name": model.name, "model_cfg": model.config, "preprocess_cfg": preprocess}
    (folder / CONFIG).write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    save_file(plain_weights(model.module), folder / WEIGHTS, metadata={"format": "pt"})
    if isinstance(model.tokenizer, HFTokenizer):
        model.tokenizer.save_pretrained(folder)


def plain_weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A module's weights on the CPU, each in memory of its own, as safetensors wants them."""
    weights: dict[str, torch.Tensor] = {}
    places: set[int] = set()
    for key, value in module.state_dict().items():
        plain = value.detach().cpu().contiguous()
        weights[key] = plain.clone() if plain.data_ptr() in places else plain  # tied, as in mT5
        places.add(plain.data_ptr())
    return weights


def _adapt(config: dict[str, Any], image_size: int | None, context_length: int | None) -> None:
    """Change a configuration that `describe` or `find` has just made."""
    if image_size is not None:
        config["vision_cfg"]["image_size"] = image_size
    if context_length is not None:
        config["text_cfg"]["context_length"] = context_length
    # Weights that a hub has are not asked for: `create` starts from nothing, `load` fills everything.
    if "hf_model_name" in config["text_cfg"]:
        config["text_cfg"]["hf_model_pretrained"] = False
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False


def _build(description: Description, *, seed: int, device: str) -> Model:
    name, config = description.name, description.config
    if "multimodal_cfg" in config:
        raise InputError(
            f"model {name}: CoCa also learns to write captions, a loss that is not here; "
            "take a model without a text decoder"
        )
    return Model(
        name=name,
        config=config,
        module=_module(name, config, seed=seed, device=device),
        tokenizer=_tokenizer(description, device=device),
        preprocessing=_preprocessing(description),
        loss="sigmoid" if config.get("init_logit_bias") is not None else "softmax",
    )


def _module(name: str, config: dict[str, Any], *, seed: int, device: str) -> torch.nn.Module:
    arguments = dict(config)
    tower = config["text_cfg"].get("hf_model_name")
    custom = arguments.pop("custom_text", False) or tower
    try:
        # Built on the CPU whatever the device: its generator gives the same weights everywhere.
        with torch.random.fork_rng(devices=[]), torch.device("meta" if device == "meta" else "cpu"):
            torch.default_generator.manual_seed(seed)
            return (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**arguments).to(device)
    except (OSError, ImportError) as error:
        raise InputError(_needs_hub(name, f"text tower {tower}", error)) from error
    except (TypeError, ValueError, RuntimeError, AssertionError, ZeroDivisionError) as error:
        raise InputError(f"model {name}: cannot be built: {line(error)}") from error


def _tokenizer(description: Description, *, device: str) -> Tokenizer:
    text = description.config["text_cfg"]
    options = text.get("tokenizer_kwargs") or {}
    length = text.get("context_length", 77)
    source = text.get("hf_tokenizer_name")
    if not source:
        return open_clip.SimpleTokenizer(context_length=length, **options) if options else _clips(length)
    if device == "meta":
        return _no_tokenizer
    if description.folder is not None and (description.folder / "tokenizer_config.json").is_file():
        source = str(description.folder)
    try:
        return HFTokenizer(
            source, context_length=length, tokenizer_mode=text.get("tokenizer_mode"), **options
        )
    except (OSError, ImportError, ValueError) as error:
        raise InputError(_needs_hub(description.name, f"tokenizer {source}", error)) from error


@functools.cache
def _clips(length: int) -> Tokenizer:
    return open_clip.SimpleTokenizer(context_length=length)  # a tenth of a second to build


def _no_tokenizer(texts: Sequence[str]) -> torch.Tensor:
    raise RuntimeError("on the meta device there is no tokenizer that comes from a hub")


def _needs_hub(name: str, part: str, error: BaseException) -> str:
    return (
        f"model {name}: its {part} comes from the Hugging Face hub, with the library transformers, "
        f"and cannot be had: {line(error)}"
    )


def _preprocessing(description: Description) -> Preprocessing:
    size = description.config["vision_cfg"].get("image_size", 224)
    width, height = size if isinstance(size, list | tuple) else (size, size)
    if width != height:
        raise InputError(f"model {description.name}: images of {width} x {height} pixels; take a square")
    given = {key: value for key, value in description.preprocess.items() if value is not None}
    try:
        return msgspec.convert(given | {"image_size": width}, Preprocessing)
    except msgspec.ValidationError as error:
        raise InputError(f"model {description.name}: preprocess_cfg: {error}") from error


def _fill(model: Model, weights: Path) -> None:
    if weights.suffix not in (".safetensors", ".pt", ".pth", ".bin"):
        raise InputError(f"{weights}: weights are read from .safetensors, .pt, .pth and .bin")
    try:
        open_clip.load_checkpoint(model.module, str(weights), weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{weights}: no plain file of weights; its pickle holds more, which could run code: "
            "convert it to .safetensors where you trust it"
        ) from error
    except (OSError, EOFError, SafetensorError) as error:
        raise InputError(f"{weights}: cannot be read: {line(error)}") from error
    except (RuntimeError, KeyError, TypeError, AttributeError, AssertionError, StopIteration) as error:
        raise InputError(f"{weights}: does not fit model {model.name}: {line(error)}") from error
