"""What `jobs/train.py` can be told."""

from dataclasses import dataclass
from typing import Annotated, Literal

from curation.config.flags import flag
from curation.errors import InputError

_PRESET = "the preset's"


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """What a model is trained with, where it is not what the preset says."""

    preset: Annotated[
        str,
        flag(
            "Published settings by name: smoke (a tiny model, minutes on two cores), datacomp-small, "
            "datacomp-medium, datacomp-large, metaclip-400m, clipa-b16, clipa-b16-full-size."
        ),
    ] = "smoke"
    model: Annotated[
        str | None,
        flag(
            "A model of open_clip by name (ViT-B-32), tiny, or a JSON file like open_clip's.", default=_PRESET
        ),
    ] = None
    samples_seen: Annotated[
        int | None, flag("Images that the model sees, repeats included.", default=_PRESET)
    ] = None
    batch_size: Annotated[int | None, flag("Images a step, of all ranks together.", default=_PRESET)] = None
    learning_rate: Annotated[float | None, flag("At its peak.", default=_PRESET)] = None
    warmup_steps: Annotated[int | None, flag("Steps in which it rises to that.", default=_PRESET)] = None
    weight_decay: Annotated[float | None, flag("Of AdamW.", default=_PRESET)] = None
    image_size: Annotated[int | None, flag("Pixels.", default="the preset's or the model's")] = None
    context_length: Annotated[
        int | None, flag("Tokens of a text at the most.", default="the preset's or the model's")
    ] = None

    def __post_init__(self) -> None:
        for name in ("samples_seen", "batch_size", "learning_rate", "image_size", "context_length"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InputError(f"--{name.replace('_', '-')} must be positive, and is {value}")


@dataclass(frozen=True, kw_only=True)
class MachineOptions:
    """How the work is done; what comes out is the same but for rounding."""

    micro_batch_size: Annotated[
        int | None,
        flag(
            "Images that a device encodes at once. A batch of several is encoded twice, and its gradients "
            "are those of the whole batch.",
            default="a rank's whole part of the batch",
        ),
    ] = None
    workers: Annotated[
        int | None, flag("Processes that decode images, a rank.", default="1 without a GPU, else up to 12")
    ] = None
    precision: Annotated[
        Literal["auto", "fp32", "bf16"], flag("Of the towers; auto is bf16 on GPUs, else fp32.")
    ] = "auto"
    compile: Annotated[bool, flag("Compile the towers with torch.compile.")] = False
    checkpoint_activations: Annotated[
        bool, flag("Compute activations twice rather than keep them: less memory, more time.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class Train(RecipeOptions, MachineOptions):
    """Train a CLIP model on shards. The same command goes on with a run that was stopped.

    Example: jobs/train.py --shards 'work/shards/*.tar' --output run

    Example: torchrun --nproc-per-node 8 jobs/train.py --shards '/data/shards/*.tar' --output run
    --preset datacomp-medium --micro-batch-size 512
    """

    shards: Annotated[
        tuple[str, ...],
        flag("Tars of shards: paths, quoted globs, folders, or lists from jobs/subset.py (.parquet)."),
    ]
    output: Annotated[str, flag("The RUN folder to make, or to go on with.")]
    seed: Annotated[int, flag("Of the weights, the order and the augmentation.")] = 0
    online: Annotated[
        bool,
        flag("Balance anew in every epoch, on shards of balance --online (MetaCLIP 1.2)."),
    ] = False
    init: Annotated[
        str | None,
        flag("Weights to begin with: a RUN, a folder of open_clip, or MODEL=FILE.", default="random"),
    ] = None
    checkpoint_every: Annotated[
        int | None, flag("Samples between checkpoints.", default="a tenth of --samples-seen")
    ] = None
