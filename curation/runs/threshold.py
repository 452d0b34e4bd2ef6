"""Choosing t: the size curve, and the point on it that was asked for."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from curation.config import Balance
from curation.core.expectation import UNIT
from curation.core.lists import Lists, Settings
from curation.errors import InputError
from curation.schemas import SIZE_CURVE
from curation.stages.expect import expect

NEXT_TO_NOTHING = 1e-9  # a t that stands for the smallest
TOLERANCE = 0.001  # of the rows asked for, or one row
_ROUNDS = 8


@dataclass(frozen=True)
class Sizes:
    """What some settings are expected to keep.

    Attributes:
        settings: g of them.
        rows: float64 (g), pairs expected to be kept.
        deviation: float64 (g), standard deviation of their number over all seeds.
    """

    settings: Settings
    rows: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]

    def __getitem__(self, places: slice) -> "Sizes":
        return Sizes(self.settings[places], self.rows[places], self.deviation[places])


def choose(matches: DataFrame, lists: Lists, config: Balance) -> tuple[Sizes, Sizes]:
    """Find the setting that a configuration asks for.

    Args:
        matches: anything with `entry_ids`; read once, and once more for a target.
        lists: the counts of all entries.
        config: how it asks: with t, the tail share or a target.

    Returns:
        The setting, and the size curve over the fixed grid.

    Raises:
        InputError: there is no list for t to begin with; or the target is out of reach.
    """
    grid = lists.grid()
    if config.target is None:
        setting = _given(lists, config)
        sizes = _expected(matches, lists, setting + grid)
        return sizes[:1], sizes[1:]
    _require_leader(lists)
    wanted = config.target / config.expected_yield
    sizes = _expected(matches, lists, lists.with_t([NEXT_TO_NOTHING]) + grid)
    _require_reach(wanted, config, float(sizes.rows[0]), float(sizes.rows[-1]))
    return _at_size(wanted, sizes, matches, lists), sizes[1:]


def size_curve(sizes: Sizes, lists: Lists) -> pa.Table:
    """The size curve as a table of `SIZE_CURVE`; t is that of the leading list, null if none leads."""
    t = pa.nulls(len(sizes.rows), pa.float64()) if lists.leader is None else sizes.settings.t[lists.leader]
    return pa.table([t, sizes.settings.tail_share, sizes.rows, sizes.deviation], schema=SIZE_CURVE)


def require_settings(lists: Lists, config: Balance, rows: int) -> None:
    """Refuse what can be seen to be impossible before any work.

    Args:
        lists: the counts of all entries.
        config: what is asked for.
        rows: pairs that match.
    """
    if config.tail_share is None:
        _require_leader(lists)
    if config.target is not None and config.target / config.expected_yield > rows:
        _require_reach(config.target / config.expected_yield, config, 0, rows)


def _given(lists: Lists, config: Balance) -> Settings:
    if config.tail_share is not None:
        return lists.with_tail_shares([config.tail_share])
    assert config.t is not None  # the configuration has made sure of one of the three
    _require_leader(lists)
    return lists.with_t([config.t])


def _require_leader(lists: Lists) -> None:
    if lists.leader is None:
        raise InputError("no English matches to tell the other languages' t from; give --tail-share")


def _require_reach(wanted: float, config: Balance, least: float, most: float) -> None:
    slack = max(TOLERANCE * wanted, 1)
    if least - slack <= wanted <= most + slack:
        return
    low, high = (size * config.expected_yield for size in (least, most))
    raise InputError(
        f"--target {config.target} with --yield {config.expected_yield} needs {wanted:,.0f} pairs; "
        f"in reach are targets from {max(1, np.ceil(low)):,.0f} to {np.floor(high):,.0f}"
    )


def _at_size(wanted: float, sizes: Sizes, matches: DataFrame, lists: Lists) -> Sizes:
    """Look between the two points round the size, and there again if it is not near enough."""
    assert lists.leader is not None
    for _ in range(_ROUNDS):
        above = min(max(1, int(np.searchsorted(sizes.rows, wanted))), len(sizes.rows) - 1)
        low, high = sizes.settings.t[lists.leader, above - 1 : above + 1]
        sizes = _expected(matches, lists, lists.between(float(low), float(high)))
        nearest = int(np.argmin(np.abs(sizes.rows - wanted)))
        if abs(sizes.rows[nearest] - wanted) <= max(TOLERANCE * wanted, 1):
            return sizes[nearest : nearest + 1]
    below = sizes.rows[sizes.rows < wanted].max(initial=0)
    raise InputError(
        f"no t is expected to keep {wanted:,.0f} pairs: the sizes next to it are {below:,.0f} and "
        f"{sizes.rows[sizes.rows >= wanted].min(initial=np.inf):,.0f}"
    )


def _expected(matches: DataFrame, lists: Lists, settings: Settings) -> Sizes:
    sums = np.zeros((2, len(settings)))
    for row in expect(matches, lists=lists, settings=settings).collect():
        sums[:, row["setting"]] = [float(row[name]) / UNIT for name in ("expected", "variance")]
    return Sizes(settings, sums[0], np.sqrt(sums[1]))


def by_language(lists: Lists, setting: Settings) -> dict[str, float]:
    """The t of each list under one setting."""
    return dict(zip(lists.languages, setting.t[:, 0].tolist(), strict=True))
