"""The pages under docs/recipes: their blocks of bash, and which of them the tests run."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

PAGES = sorted((ROOT / "docs" / "recipes").glob("*.md"))
_BLOCK = re.compile(
    r"(?:^<!-- not run by the tests: (?P<reason>[^\n]+) -->\n)?^```bash\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of bash.

    Attributes:
        reason: why the tests do not run it; None where they do.
    """

    code: str
    reason: str | None


def blocks(page: Path) -> list[Block]:
    return [Block(found["code"], found["reason"]) for found in _BLOCK.finditer(page.read_text())]
