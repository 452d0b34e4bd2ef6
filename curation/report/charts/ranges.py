"""How numbers are cut into the ranges that profiles count."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

_EXACT = 32


def octave(bound: int) -> str:
    """The range from a power of two to before the next: 1, 2-3, 512-1,023, 4k-8k, 1M-2M, in powers of two."""
    for size, letter in ((1 << 20, "M"), (1 << 10, "k")):
        if bound >= size:
            return f"{bound // size:,}{letter}-{2 * bound // size:,}{letter}"
    return str(bound) if bound < 2 else f"{bound}-{2 * bound - 1:,}"


@dataclass(frozen=True)
class Ranges:
    """How a facet of numbers is cut into ranges.

    Attributes:
        name: says the range that begins at a bound.
        after: the bound after a bound.
    """

    name: Callable[[float], str]
    after: Callable[[float], float]

    def filled(self, bounds: Collection[float]) -> list[float]:
        """These bounds and all between them, ascending."""
        found = set(bounds)
        bound, last = min(found, default=0.0), max(found, default=0.0)
        while bound < last:
            found.add(bound)
            bound = self.after(bound)
        return sorted(found)


OCTAVES = Ranges(lambda bound: octave(int(bound)), lambda bound: 2 * bound or 1)
"""0, then powers of two."""

FEW_EXACTLY = Ranges(
    lambda bound: octave(int(bound)) if bound >= _EXACT else f"{bound:g}",
    lambda bound: 2 * bound if bound >= _EXACT else bound + 1,
)
"""One by one below 32, powers of two from there."""

TENTHS = Ranges(
    lambda bound: "1" if bound >= 1 else f"{bound:g}-{bound + 0.1:.1f}", lambda bound: round(bound + 0.1, 1)
)
"""Of probabilities; what is certain has a range of its own."""

QUARTERS = Ranges(
    lambda bound: f"{2**bound:.3g}:1" if bound >= 0 else f"1:{2**-bound:.3g}", lambda bound: bound + 0.25
)
"""Of log2(width / height), said as 1.41:1."""
