"""What `jobs/hash_images.py` can be told."""

from dataclasses import dataclass, field
from typing import Annotated

from curation.config.flags import flag


@dataclass(frozen=True)
class HashImages:
    """Hash the images of evaluation sets, for jobs/download.py --exclude-hashes.

    A DATASET is a folder, searched to its depths, or a single file: images; tars of them, as WebDataset and
    CLIP_benchmark have them; Parquet with a column image of bytes, as on the Hugging Face hub. Captions are
    the lines of .txt files, "caption" of .json files, and the columns caption, captions and text. A set is
    called what its folder or file is, or NAME as in NAME=DATASET.

    Example: jobs/hash_images.py imagenet=/data/imagenet/val /data/flickr30k.tar --output hashes
    """

    dataset: Annotated[tuple[str, ...], flag("Evaluation sets.")]
    output: Annotated[str, flag("The HASHES folder to make.")] = field(kw_only=True)
