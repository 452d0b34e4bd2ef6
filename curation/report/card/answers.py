"""What the author of a data set says of it, from a file."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from curation import io
from curation.errors import InputError
from curation.report.card.questions import TOPICS

NAMED = ("name", "summary", "licence", "version", "url", "citation")
"""What an author can give beside answers: the name, a sentence or two, an SPDX licence or its URL, …"""

_HEADING = re.compile(r"^#{1,6}\s+(\S.*?)\s*#*$")


def read_answers(path: str | None) -> dict[str, str]:
    """Read an author's answers.

    Args:
        path: a JSON object of strings by name, or Markdown in which each heading is a name and what follows
            the answer; None for no answers.

    Returns:
        Answers by name; those that are empty are left out.

    Raises:
        InputError: the file cannot be read, or has a name that is no question's.
    """
    if path is None:
        return {}
    text = "\n".join(io.read_lines(path, "--answers"))
    found = _json(path, text) if Path(path).suffix == ".json" else dict(_sections(text))
    known = [*NAMED, *(question.name for topic in TOPICS for question in topic.questions)]
    answers: dict[str, str] = {}
    for name, answer in found.items():
        if name.lower() not in known:
            raise InputError(f"--answers {path}: {name} is no question; those are {', '.join(known)}")
        if answer.strip():
            answers[name.lower()] = answer.strip()
    return answers


def _json(path: str, text: str) -> Mapping[str, str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError(f"--answers {path} is no JSON: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(answer, str) for answer in found.values()):
        raise InputError(f"--answers {path} must be an object of strings")
    return found


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """The headings of a Markdown text, each with the lines below it."""
    name, lines = "", list[str]()
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        if name:
            yield name, "\n".join(lines)
        name, lines = heading[1], []
    if name:
        yield name, "\n".join(lines)
