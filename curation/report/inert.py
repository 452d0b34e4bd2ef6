"""Words from the web and from others' programs, made harmless before a terminal sees them."""


def inert(text: str) -> str:
    """One line of what can be printed: runs of whitespace as spaces, control characters as U+FFFD."""
    line = " ".join(text.split())
    return "".join(character if character.isprintable() else "\ufffd" for character in line)
