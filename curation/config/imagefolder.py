"""What `jobs/imagefolder.py` can be told."""

from dataclasses import dataclass
from typing import Annotated

from curation.config.flags import flag


@dataclass(frozen=True, kw_only=True)
class ImageFolder:
    """Make shards and an evaluation set of a folder of class folders, or a tar of one.

    A part is held out by hash, in CLIP_benchmark's layout; the rest are shards with captions from class names
    and templates, to train on.

    Example: jobs/imagefolder.py --source cifar10.tar --output cifar --test-share 0.2
    """

    source: Annotated[str, flag("A folder, or a tar, of CLASS/IMAGE.jpg (.png, .webp).")]
    output: Annotated[str, flag("The folder to make, with shards/ and the evaluation set.")]
    test_share: Annotated[float, flag("Share of the images to hold out.")] = 0.2
    test_size: Annotated[
        int | None, flag("Images to hold out, instead of a share.", default="by --test-share")
    ] = None
    seed: Annotated[int, flag("Of the split, and of the choice of templates.")] = 0
