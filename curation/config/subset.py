"""What `jobs/subset.py` can be told."""

from dataclasses import dataclass
from typing import Annotated

from curation.config.flags import flag
from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Subset:
    """List the samples of shards that one arm of a comparison trains on; each filter narrows the list.

    Example: jobs/subset.py --shards shards --scores scores --top-share 0.3 --output top30.parquet
    """

    shards: Annotated[tuple[str, ...], flag("SHARDS folders, tars, or patterns of tars.")]
    output: Annotated[str, flag("The list to write, a Parquet file that jobs/train.py takes as --shards.")]
    curated: Annotated[
        str | None, flag("Texts of this CURATED folder, from jobs/balance.py, alone.", default=False)
    ] = None
    scores: Annotated[
        str | None,
        flag("SCORES folder of these shards, for --min-similarity and --top-share.", default=False),
    ] = None
    min_similarity: Annotated[
        float | None, flag("Texts at least as similar to their image (LAION-2B: 0.28).", default=False)
    ] = None
    top_share: Annotated[
        float | None,
        flag("This share of all scored texts, the most similar (DataComp: 0.3).", default=False),
    ] = None
    size: Annotated[
        int | None,
        flag("So many images, of those that the other filters leave, by chance.", default=False),
    ] = None
    seed: Annotated[int, flag("Of the chance: with the same, a smaller --size is part of a larger.")] = 0

    def __post_init__(self) -> None:
        by_score = self.min_similarity is not None or self.top_share is not None
        if by_score and self.scores is None:
            raise InputError("--min-similarity and --top-share need --scores, from jobs/score.py")
        if self.scores is not None and not by_score:
            raise InputError("--scores needs --min-similarity or --top-share")
        if self.min_similarity is not None and not -1 <= self.min_similarity <= 1:
            raise InputError(f"--min-similarity is {self.min_similarity}; it must lie between -1 and 1")
        if self.top_share is not None and not 0 < self.top_share <= 1:
            raise InputError(f"--top-share is {self.top_share}; it must be above 0 and at most 1")
        if self.size is not None and self.size < 1:
            raise InputError(f"--size is {self.size}; it must be at least 1")
        if not self.output.endswith(".parquet"):
            raise InputError(f"--output {self.output}: the list is a Parquet file; end its name in .parquet")
