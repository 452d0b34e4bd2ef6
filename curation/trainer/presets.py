"""Presets: published settings by name. What they were published to give is in `published`."""

from dataclasses import dataclass, fields, replace
from typing import Any

from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a model is trained with.

    Attributes:
        model: name of the model.
        samples_seen: images that the model sees, repeats included.
        batch_size: images a step, of all ranks together.
        learning_rate: at its peak.
        warmup_steps: steps in which it rises to that from 0.
        beta2: of AdamW.
        weight_decay: of AdamW; none on norms, biases and the logit scale.
        clip_norm: gradients are scaled down to this norm; None leaves them.
        image_size: pixels; None is the model's own.
        context_length: tokens of a text at the most; None is the model's own.
        smallest_crop: share of an image's area that augmentation leaves at the least.
        init: whether it goes on from another run's weights.
        source: of the settings.
    """

    model: str
    samples_seen: int
    batch_size: int
    learning_rate: float = 5e-4
    warmup_steps: int = 500
    beta2: float = 0.98
    weight_decay: float = 0.2
    clip_norm: float | None = None
    image_size: int | None = None
    context_length: int | None = None
    smallest_crop: float = 0.9
    init: bool = False
    source: str = ""


_DATACOMP = "DataComp (arXiv 2304.14108), appendix N"
_METACLIP = "MetaCLIP (arXiv 2309.16671), appendix; 12.8 billion samples"
_CLIPA = "CLIPA (arXiv 2305.07017) and its configurations model_b/112_32_pre_training, unmask_tuning"

PRESETS = {
    "smoke": Recipe(
        model="tiny",
        samples_seen=12_800,
        batch_size=128,
        learning_rate=2e-3,
        warmup_steps=50,
        clip_norm=1.0,
        smallest_crop=0.5,
        source="our own: a small model for two CPU cores",
    ),
    "datacomp-small": Recipe(
        model="ViT-B-32",
        samples_seen=12_800_000,
        batch_size=4_096,
        source=_DATACOMP,
    ),
    "datacomp-medium": Recipe(
        model="ViT-B-32",
        samples_seen=128_000_000,
        batch_size=4_096,
        source=_DATACOMP,
    ),
    "datacomp-large": Recipe(
        model="ViT-B-16",
        samples_seen=1_280_000_000,
        batch_size=8_192,
        source=_DATACOMP,
    ),
    "metaclip-400m": Recipe(
        model="ViT-B-32-quickgelu",
        samples_seen=12_800_000_000,
        batch_size=32_768,
        warmup_steps=2_000,
        source=_METACLIP,
    ),
    "clipa-b16": Recipe(
        model="CLIPA-B-16-bpe",
        samples_seen=2_560_000_000,
        batch_size=32_768,
        learning_rate=1.024e-3,
        warmup_steps=1_600,
        beta2=0.95,
        image_size=112,
        context_length=16,
        smallest_crop=0.4,
        source=_CLIPA,
    ),
    "clipa-b16-full-size": Recipe(
        model="CLIPA-B-16-bpe",
        samples_seen=131_072_000,
        batch_size=32_768,
        learning_rate=1.024e-4,
        warmup_steps=800,
        beta2=0.95,
        image_size=224,
        context_length=32,
        smallest_crop=0.4,
        init=True,
        source=_CLIPA,
    ),
}


def resolve(preset: str, config: Any) -> Recipe:
    """A preset with what the user wants otherwise.

    Args:
        preset: its name.
        config: fields named as a recipe's, None where the preset's value is wanted; others are ignored.

    Returns:
        The recipe. A warm-up longer than a tenth of a shorter run than the preset's is cut to that.

    Raises:
        InputError: no such preset, or numbers that cannot be.
    """
    if preset not in PRESETS:
        raise InputError(f"no preset {preset!r}; there are {', '.join(PRESETS)}")
    names = {field.name for field in fields(Recipe)} - {"init", "source"}
    told = {name: value for name in names if (value := getattr(config, name, None)) is not None}
    recipe = replace(PRESETS[preset], **told)
    if recipe.init and not config.init:
        raise InputError(
            f"--preset {preset} goes on from a run that is there already; name it with --init RUN"
        )
    if recipe.samples_seen < recipe.batch_size:
        raise InputError(
            f"--samples-seen {recipe.samples_seen} is less than one batch of {recipe.batch_size}; "
            "see more samples or lower --batch-size"
        )
    if "warmup_steps" not in told:
        shortest = max(1, recipe.samples_seen // recipe.batch_size // 10)
        recipe = replace(recipe, warmup_steps=min(recipe.warmup_steps, shortest))
    return recipe
