"""What `jobs/evaluate.py` can be told."""

from dataclasses import dataclass
from typing import Annotated, Literal

from curation.config.flags import flag
from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure a model: zero-shot classification, retrieval and, if asked for, linear probes.

    Example: jobs/evaluate.py --checkpoint run --datasets evaluation-sets --output result.json
    """

    checkpoint: Annotated[
        str,
        flag("A RUN folder, one of its checkpoints, an open_clip folder, or NAME=FILE (model, weights)."),
    ]
    datasets: Annotated[
        tuple[str, ...],
        flag("Folders in CLIP_benchmark's WebDataset layout, or folders of such folders."),
    ]
    output: Annotated[str, flag("The RESULT.json to write; outcomes per image go beside it.")]
    counts: Annotated[
        str | None,
        flag("CURATED/counts: also tell accuracy against the entry count of the class's name."),
    ] = None
    probe: Annotated[
        bool, flag("Also fit linear probes, on data sets that have a train/ beside their test/.")
    ] = False
    batch_size: Annotated[int, flag("Images, or texts, encoded at once.")] = 256
    workers: Annotated[
        int | None,
        flag("Processes that decode images; 0 decodes in the main one.", default="one a core, 4 at the most"),
    ] = None
    precision: Annotated[
        Literal["fp32", "bf16"], flag("Of the model's arithmetic; results are compared at the same one.")
    ] = "fp32"
    seed: Annotated[int, flag("Of the resampled images behind the intervals, and of the probe's split.")] = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1 or (self.workers or 0) < 0:
            raise InputError("--batch-size must be positive, and --workers must not be negative")
