"""Rates of a machine: processor time for a unit of work in each step, as `--calibrate` measures them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curation import io
from curation.config.plan import LEAST, MOST
from curation.errors import InputError
from curation.plan.figures import Figure

SHIPPED = Path(__file__).with_name("rates.json")

UNITS: Mapping[str, str] = {
    "extract": "CPU s a MB",
    "deduplicate": "CPU s a pair",
    "match": "CPU s a pair",
    "balance": "CPU s a pair",
    "download": "CPU s an image",
}
"""What the rate of each step is for: a MB of gzipped WAT, a pair that goes in, an image that comes."""


@dataclass(frozen=True)
class Rates:
    """Processor time of driver, JVM and Python workers, start-up apart.

    Attributes:
        at: when it was measured, ISO 8601.
        machine: what on.
        how: by what.
        cpu_seconds: by step, in the units of `UNITS`.
    """

    at: str
    machine: str
    how: str
    cpu_seconds: Mapping[str, float]

    def figures(self) -> list[Figure]:
        """The rates as figures, named `extract_seconds` and so on."""
        source = f"{self.machine}, {self.at[:10]}; {self.how}"
        return [
            Figure(f"{step}_seconds", self.cpu_seconds[step], unit, "measured", source)
            for step, unit in UNITS.items()
        ]


def read_rates(path: str | None) -> Rates:
    """Read rates.

    Args:
        path: as `--calibrate` wrote them; None for those that come with the project.

    Raises:
        InputError: there is no such file, or it holds no rates.
    """
    data = io.read_bytes(str(SHIPPED) if path is None else path, "--rates")
    try:
        told = json.loads(data)
        rates = Rates(**{name: told[name] for name in ("at", "machine", "how", "cpu_seconds")})
        usable = _usable(rates)
    except (ValueError, TypeError, KeyError, RecursionError):
        usable = False
    if not usable:
        raise InputError(f"--rates {path} holds no rates; make it with jobs/plan.py --calibrate {path}")
    return rates


def _usable(rates: Rates) -> bool:
    """Whether words are texts and rates are numbers: the file may have been changed by hand."""
    numbers = [rates.cpu_seconds[step] for step in UNITS]
    return all(isinstance(word, str) for word in (rates.at, rates.machine, rates.how)) and all(
        type(number) in (int, float) and LEAST <= number <= MOST for number in numbers
    )
