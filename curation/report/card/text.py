"""Words from the web, made harmless before a page shows them."""

from typing import Any

LONGEST = 600
_KEPT = frozenset("\u200c\u200d\u200e\u200f\u061c")
"""Joiners, which Persian, Hindi and emoji need, and marks of direction, which reach no further than a letter.
Overrides and embeddings, which turn what stands around them, are not among them."""


def harmless(text: str, longest: int = LONGEST) -> str:
    """One line of what can be seen: no control characters, overrides of direction, or texts without end.

    Markup stays as it is, for the writers escape it.

    Args:
        text: of whoever.
        longest: characters; what is longer ends in an ellipsis.
    """
    line = " ".join(text[: 4 * longest].split())
    shown = "".join(
        character if character.isprintable() or character in _KEPT else "\ufffd" for character in line
    )
    return shown if len(shown) <= longest else shown[:longest] + "…"


def harmless_within(value: Any) -> Any:
    """The same structure of lists and dictionaries with all its strings harmless, keys excepted."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, dict):
        return {name: harmless_within(item) for name, item in value.items()}
    if isinstance(value, list):
        return [harmless_within(item) for item in value]
    return value


def number(value: float) -> str:
    """A number as people read it: whole ones with commas, others to four digits."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def share(part: float, whole: float) -> str:
    """A part of a whole, in per cent."""
    if not whole:
        return "0%"
    percent = 100 * part / whole
    return f"{percent:.0f}%" if percent >= 10 or percent == int(percent) else f"{percent:.2g}%"


def size(size_bytes: float) -> str:
    """Bytes as people read them, in powers of a thousand."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.4g} {unit}" if unit == "bytes" else f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.4g} TB"


def listed(words: list[str]) -> str:
    """Words as a list in a sentence."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def counted(count: int, thing: str) -> str:
    """A number of things: 1 file, 2 files."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
