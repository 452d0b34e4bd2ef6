"""The texts of images, and strings of WAT records: entities, surrogates, limits."""

import re
from html import unescape
from html.entities import html5

TEXT_CHARACTERS = 4096
"""Longest text that is kept; what is longer is a page or a program, not a caption."""

EMPTY_TEXT = "empty_text"

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|([A-Za-z][A-Za-z0-9]*));")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")  # those that do not separate words
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def accept_text(text: str, longest: int = TEXT_CHARACTERS) -> tuple[str, None] | tuple[None, str]:
    """A text without whitespace at its ends and None, or None and the reason it is dropped.

    Returns:
        (text, None) or (None, reason), the reason one of `empty_text`, `text_too_long`,
        `control_characters` (other than whitespace: binary, or text in an encoding that was guessed wrong).
    """
    text = text.strip()
    if not text:
        return None, EMPTY_TEXT
    if len(text) > longest:
        return None, "text_too_long"
    if not text.isprintable() and _CONTROLS.search(text):  # the first is quicker, and nearly always enough
        return None, "control_characters"
    return text, None


def decode_entities(value: str) -> str:
    """`value` with its HTML character references decoded, once, if they end in `;`.

    Those that do not are left alone: `html.unescape` would turn the `&copy=2` of a URL into `©=2`.
    """
    return _ENTITY.sub(_decode_entity, value) if "&" in value else value


def replace_surrogates(value: str) -> str:
    """`value` with halves of surrogate pairs, which JSON can express and UTF-8 cannot, as U+FFFD."""
    return _SURROGATES.sub("\ufffd", value)


def _decode_entity(match: re.Match[str]) -> str:
    if match[1] and f"{match[1]};" not in html5:
        return match[0]
    return unescape(match[0])
