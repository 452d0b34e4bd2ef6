"""Where a model comes from: a name, a JSON file, a folder, a file of weights or open_clip's downloads."""

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import open_clip

from curation.errors import InputError

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
_OTHER_WEIGHTS = ("open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
_CONFIGS = Path(__file__).parent / "configs"
_QUICK = "-quickgelu"


@dataclass(frozen=True)
class Description:
    """What a model is built from: open_clip's model_cfg and preprocess_cfg, and the folder they lie in."""

    name: str
    config: dict[str, Any]
    preprocess: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None


class _Config(msgspec.Struct):
    """What every model_cfg has; the rest is open_clip's to check."""

    embed_dim: int
    vision_cfg: dict[str, Any]
    text_cfg: dict[str, Any]


def names() -> list[str]:
    """Names that `describe` knows: open_clip's and ours. Each may be followed by `-quickgelu`."""
    return [*open_clip.list_models(), *sorted(path.stem for path in _CONFIGS.glob("*.json"))]


def describe(name: str) -> Description:
    """A model by its name, or from a JSON file.

    Args:
        name: one of `names()`, with `/` for `-` where papers write it so, or a path that ends in .json.

    Raises:
        InputError: an unknown name, or a file with no model in it.
    """
    if name.endswith(".json"):
        return _read(Path(name))
    known = name.replace("/", "-")
    if (own := _CONFIGS / f"{known}.json").is_file():
        return _read(own)
    if (config := open_clip.get_model_config(known)) is not None:
        return Description(known, config)
    plain = known.removesuffix(_QUICK)
    if plain != known and plain in names():
        model = describe(plain)
        return Description(known, model.config | {"quick_gelu": True}, model.preprocess)
    near = difflib.get_close_matches(known, names(), n=4, cutoff=0.5) or ["tiny", "ViT-B-32"]
    raise InputError(f"model {name}: unknown; near it: {', '.join(near)}; or a file whose path ends in .json")


def find(checkpoint: str) -> tuple[Description, Path]:
    """A trained model and the file of its weights.

    Args:
        checkpoint: as `models.load` takes it.

    Raises:
        InputError: there is none, or it cannot be downloaded.
    """
    folder = Path(checkpoint)
    if folder.is_dir():
        return _find_in(_latest(folder))
    name, sign, file = checkpoint.partition("=")
    if sign:
        if not Path(file).is_file():
            raise InputError(f"checkpoint {checkpoint}: no file {file}")
        return describe(name), Path(file)
    name, sign, tag = checkpoint.partition(":")
    if sign:
        return _download(name, tag)
    raise InputError(f"checkpoint {checkpoint}: no such folder; NAME=FILE and NAME:TAG are read too")


def line(error: BaseException) -> str:
    """An error of another library, on one line."""
    return " ".join(str(error).split())[:300]


def _read(path: Path) -> Description:
    try:
        content = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a model's JSON file: {line(error)}") from error
    config, preprocess = content.get("model_cfg", content), content.get("preprocess_cfg", {})
    try:
        msgspec.convert((config, preprocess), tuple[_Config, dict[str, Any]])
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: no model of open_clip's in it: {error}") from error
    stem = path.parent.name if path.name == CONFIG else path.stem
    return Description(content.get("name", stem), config, preprocess, path.parent)


def _latest(folder: Path) -> Path:
    """The latest checkpoint of a run; any other folder is one itself."""
    if not (folder / "checkpoints").is_dir():
        return folder
    complete = [path for path in (folder / "checkpoints").iterdir() if path.name.isdigit()]
    if not complete:
        raise InputError(f"checkpoint {folder}: the run has no complete checkpoint yet")
    return max(complete, key=lambda path: int(path.name))


def _find_in(folder: Path) -> tuple[Description, Path]:
    weights = next((folder / name for name in (WEIGHTS, *_OTHER_WEIGHTS) if (folder / name).is_file()), None)
    if weights is None or not (folder / CONFIG).is_file():
        raise InputError(f"checkpoint {folder}: no {CONFIG} with {WEIGHTS} in it")
    return _read(folder / CONFIG), weights


def _download(name: str, tag: str) -> tuple[Description, Path]:
    model = describe(name)
    known = open_clip.get_pretrained_cfg(model.name, tag)
    if not known:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model.name)) or "none"
        raise InputError(f"checkpoint {name}:{tag}: open_clip has no such weights, but {tags}")
    try:
        weights = Path(open_clip.download_pretrained(known))
    except (OSError, RuntimeError, ImportError) as error:
        raise InputError(f"checkpoint {name}:{tag}: cannot be downloaded: {line(error)}") from error
    # The activation that the weights were trained with counts; open_clip warns and takes the name's.
    config = model.config | ({"quick_gelu": True} if known.get("quick_gelu") else {})
    return Description(model.name, config, known), weights
