"""What `jobs/export.py` can be told."""

from dataclasses import dataclass
from typing import Annotated, Literal

from curation.config.flags import flag


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a model in a layout that another library loads.

    Example: jobs/export.py --checkpoint run --layout huggingface --output clip-hf
    """

    checkpoint: Annotated[
        str, flag("A RUN folder, one of its checkpoints, an open_clip folder, or NAME=FILE.")
    ]
    layout: Annotated[
        Literal["open_clip", "huggingface", "openai"],
        flag(
            "open_clip: create_model('local-dir:FOLDER'); huggingface: CLIPModel.from_pretrained, for ViTs "
            "with CLIP's tokens; openai: clip.load of its model.pt, for QuickGELU models."
        ),
    ]
    output: Annotated[str, flag("The folder to make.")]
