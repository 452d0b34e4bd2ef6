"""What `jobs/compare.py` can be told."""

from dataclasses import dataclass
from typing import Annotated

from curation.config.flags import flag
from curation.config.train import MachineOptions, RecipeOptions
from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Compare(RecipeOptions, MachineOptions):
    """Train on several data sets under one budget, evaluate, and say which is better and how sure that is.

    An arm is a name and the shards that it trains on; lists from jobs/subset.py make many arms of one SHARDS
    folder: what another t keeps, the most similar, a random subset of the same size. What is trained and
    evaluated already is not done again, so arms and seeds can be added later.

    Example: jobs/compare.py --arms balanced=t20/shards unbalanced=all/shards random=random.parquet
    --seeds 0 1 2 --datasets /data/imagenet --output comparison
    """

    arms: Annotated[
        tuple[str, ...], flag("NAME=SHARDS, two or more; the first is what others are held against.")
    ]
    datasets: Annotated[
        tuple[str, ...], flag("Evaluation sets in CLIP_benchmark's layout, or folders of them.")
    ]
    output: Annotated[str, flag("The COMPARISON folder to make, or to go on with.")]
    seeds: Annotated[
        tuple[int, ...], flag("Each arm is trained once with each; three or more tell noise.")
    ] = (0, 1, 2)
    online: Annotated[
        tuple[str, ...], flag("Names of arms that are balanced anew in every epoch.", default="none")
    ] = ()
    counts: Annotated[
        str | None,
        flag(
            "CURATED/counts folder, to tell classes of tail entries from those of head entries.",
            default=False,
        ),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [arm.partition("=")[0] for arm in self.arms]
        for arm in self.arms:
            name, _, shards = arm.partition("=")
            if not name or not shards or "/" in name:
                raise InputError(f"--arms {arm}: an arm is NAME=SHARDS, the name without a slash")
        if len(names) < 2 or len(set(names)) < len(names):
            raise InputError("--arms needs two or more, each with a name of its own")
        if unknown := set(self.online) - set(names):
            raise InputError(f"--online {', '.join(sorted(unknown))}: no such arm")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError("--seeds needs one or more, each once")
