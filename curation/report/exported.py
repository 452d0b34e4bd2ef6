"""The end of an export."""

from pathlib import Path

from rich.text import Text


def tell(folder: Path) -> Text:
    """Say where the files are.

    Args:
        folder: what was made.
    """
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    return Text.assemble((f"{folder}  ", "bold"), files)
