"""What `jobs/score.py` can be told."""

from dataclasses import dataclass
from typing import Annotated

from curation.config.flags import flag
from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Score:
    """Measure how well the texts of shards fit their images, by the embeddings of a CLIP model.

    Example: jobs/score.py --checkpoint run --shards 'shards/*.tar' --output scores
    """

    checkpoint: Annotated[
        str,
        flag("RUN folder, one of its checkpoints, an open_clip folder, NAME=FILE of weights, or NAME:TAG."),
    ]
    shards: Annotated[tuple[str, ...], flag("SHARDS folders, tars, or patterns of tars.")]
    output: Annotated[str, flag("The SCORES folder to make, or to go on with.")]
    embeddings: Annotated[bool, flag("Write the embeddings too, as float16.")] = False
    batch_size: Annotated[int, flag("Images at once, on each device.")] = 256
    workers: Annotated[
        int | None,
        flag("Processes that read and decode, for each device.", default="one a core, 4 at the most"),
    ] = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise InputError(f"--batch-size is {self.batch_size}; it must be at least 1")
        if self.workers is not None and self.workers < 0:
            raise InputError(f"--workers is {self.workers}; it must be at least 0")
