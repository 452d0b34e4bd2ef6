"""What `jobs/balance.py` can be told."""

from dataclasses import dataclass
from typing import Annotated, Literal

from curation.config.flags import flag
from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class BalanceOptions:
    """How strongly the head is cut: exactly one of t, tail_share and target."""

    t: Annotated[
        float | None,
        flag("Entries with more matches than T are cut to about T. CLIP's and MetaCLIP's: 20000."),
    ] = None
    tail_share: Annotated[
        float | None, flag("Choose t so that the tail holds this share of all matches, such as 0.06.")
    ] = None
    target: Annotated[
        int | None, flag("Choose t so that about so many pairs are expected after the download.")
    ] = None
    expected_yield: Annotated[
        float, flag("The share of images that will download, for --target.", name="--yield")
    ] = 1.0
    texts_per_image: Annotated[
        Literal["all", "one"],
        flag("Balance all texts of an image, or one of those that match, chosen by --seed."),
    ] = "all"
    online: Annotated[
        bool,
        flag(
            "Write every match with its keep_probability and cut nothing: for loaders that balance anew in "
            "every epoch."
        ),
    ] = False
    seed: Annotated[int, flag("The one source of chance.")] = 0

    def __post_init__(self) -> None:
        given = [value for value in (self.t, self.tail_share, self.target) if value is not None]
        if len(given) != 1:
            raise InputError("give exactly one of --t T, --tail-share P and --target ROWS")
        if self.t is not None and not 0 < self.t < float("inf"):
            raise InputError(f"--t is {self.t}; it must be a number above 0")
        if self.t is not None:
            object.__setattr__(self, "t", float(self.t))  # 20 and 20.0 are one configuration
        if self.tail_share is not None and not 0 <= self.tail_share <= 1:
            raise InputError(f"--tail-share is {self.tail_share}; it must lie between 0 and 1")
        if self.target is not None and self.target < 1:
            raise InputError(f"--target is {self.target}; it must be at least 1")
        if not 0 < self.expected_yield <= 1:
            raise InputError(f"--yield is {self.expected_yield}; it must lie above 0 and at most at 1")


@dataclass(frozen=True, kw_only=True)
class Balance(BalanceOptions):
    """Keep the tail whole and cut the head, entry by entry, by a seeded draw for each pair.

    Example: jobs/balance.py --matches matches --t 20000 --output curated
    """

    matches: Annotated[
        tuple[str, ...], flag("MATCHES folders, from jobs/match.py; several must come of disjoint pools.")
    ]
    output: Annotated[str, flag("The CURATED folder to make.")]
