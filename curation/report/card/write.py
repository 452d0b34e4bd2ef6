"""The files of a data card."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from curation.config import Datacard
from curation.errors import InputError
from curation.report.card.answers import read_answers
from curation.report.card.content import Content, collect
from curation.report.card.croissant import croissant
from curation.report.card.markdown import markdown
from curation.report.card.page import page
from curation.report.card.text import size
from curation.report.tables import Run


def datacard(config: Datacard) -> RenderableType:
    """Write the data card of a run: a page, Markdown for Hugging Face, and Croissant.

    Args:
        config: of which run, and where to; the other files have the page's stem.

    Returns:
        What was written, to be printed.

    Raises:
        InputError: there is no run, or the answers or the output cannot be used.
    """
    path = Path(config.output).absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"--output {config.output}: give the name of a file in a folder that exists")
    run, answers = Run.open(config.work), read_answers(config.answers)
    content = collect(run, answers, beside=path.parent, samples=config.samples)
    written = {
        path: page(content, stem=path.stem, today=f"{datetime.now(UTC):%Y-%m-%d}"),
        path.with_suffix(".md"): markdown(content),
        path.with_suffix(".croissant.json"): _json(croissant(content.facts)),
    }
    for target, text in written.items():
        _write(target, text)
    return _told(content, list(written))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    """Write a file that a reader sees whole or not at all."""
    draft = path.with_name(f"_{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(f"--output {path}: {error.strerror}") from None


def _told(content: Content, paths: list[Path]) -> RenderableType:
    page_size = size(paths[0].stat().st_size)
    lines = [
        Text.assemble(
            ("card  ", "bold"), f"{paths[0]} ({page_size}); beside it {paths[1].name} and {paths[2].name}"
        )
    ]
    for part in content.facts.missing:
        lines.append(Text.assemble(("note  ", "bold yellow"), f"it lacks {part.what}: {part.how}"))
    unanswered = [
        answer.name for _, answers in content.facts.topics for answer in answers if answer.by == "nobody"
    ]
    if unanswered:
        lines.append(
            Text.assemble(
                ("open  ", "bold"),
                f"{len(unanswered)} questions are yours, for --answers: {', '.join(unanswered)}",
            )
        )
    return Group(*lines)
