"""The data card as Markdown, with the header that Hugging Face reads of a dataset card.

Source:
    Hugging Face, hub-docs, `datasetcard.md`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curation.report.card.content import Content
from curation.report.card.facts import NONE, Answer, Facts
from curation.report.card.figures import Numbers
from curation.report.card.text import harmless, number, share

_POWERS = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
_CODE = re.compile(r"[a-z]{2,3}")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$:@-])")
_ROWS = 20
_HEAVIEST = 50


def markdown(content: Content) -> str:
    """Write the card as Markdown.

    Args:
        content: of the card.

    Returns:
        A `README.md` for the folder that has the shards in it. What others wrote is escaped.
    """
    facts = content.facts
    parts = [
        "\n".join(["---", *_yaml(header(facts)), "---"]),
        f"# {escaped(facts.name)}",
        _paragraphs(facts.summary),
        _figures(facts),
        _missing(facts),
        _funnel(facts),
        *_charts(content),
        _entries(content),
        *(_topic(title, answers) for title, answers in facts.topics),
        *_making(facts),
        *_licences(facts),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def header(facts: Facts) -> dict[str, Any]:
    """The metadata of a dataset card, in the names and values of Hugging Face."""
    languages = [language for language in facts.languages if _CODE.fullmatch(language)]
    values: dict[str, Any] = {
        "pretty_name": facts.name,
        "license": "unknown",
        "language": languages,
        "multilinguality": ["multilingual" if len(languages) > 1 else "monolingual"] if languages else [],
        "size_categories": [size_category(facts.samples)],
        "task_categories": ["image-to-text", "text-to-image", "zero-shot-image-classification"],
        "annotations_creators": ["no-annotation"],
        "language_creators": ["found"],
        "source_datasets": ["original"],
        "tags": ["image-text-pairs", "clip", "common-crawl", "webdataset", "balanced", "croissant"],
    }
    values |= _licence(facts)
    if facts.run.shards is not None:
        files = {"split": "train", "path": f"{facts.place}/[0-9]*.tar"}
        values["configs"] = [{"config_name": "default", "data_files": [files]}]
    return {name: value for name, value in values.items() if value}


def _licence(facts: Facts) -> dict[str, str]:
    given = facts.answers.get("licence")
    if given is None:
        return {}
    if re.fullmatch(r"[A-Za-z0-9.+-]+", given):
        return {"license": given.lower()}
    name = {"license": "other", "license_name": "other"}
    return name | ({"license_link": given} if given.startswith("https://") else {})


def size_category(samples: int) -> str:
    """The class of a number of samples, as Hugging Face names it."""
    steps = [10 ** (3 + power) for power in range(len(_POWERS))]
    below = sum(samples >= step for step in steps)
    if below == 0:
        return "n<1K"
    return f"{_POWERS[below - 1]}<n<{_POWERS[below]}" if below < len(_POWERS) else "n>1T"


def _yaml(value: Any, indent: int = 0) -> Iterator[str]:
    """Block style for lists and dictionaries, JSON for what is in them: both are YAML."""
    space = "  " * indent
    for name, item in value.items():
        if isinstance(item, list):
            yield f"{space}{name}:"
            for part in item:
                if isinstance(part, dict):
                    first, *rest = _yaml(part, indent + 1)
                    yield f"{space}- {first.strip()}"
                    yield from rest
                else:
                    yield f"{space}- {json.dumps(part, ensure_ascii=False)}"
        else:
            yield f"{space}{name}: {json.dumps(item, ensure_ascii=False)}"


def escaped(text: str, longest: int = 5000) -> str:
    """Words of others as Markdown that shows them as they are: no markup, links, mentions or HTML."""
    return _MARKUP.sub(r"\\\1", harmless(text, longest))


def _paragraphs(text: str) -> str:
    return "\n\n".join(escaped(part) for part in text.split("\n\n") if part.strip())


def _figures(facts: Facts) -> str:
    return "\n".join(f"- **{figure.value}** {figure.label} ({figure.note})" for figure in facts.figures)


def _missing(facts: Facts) -> str:
    if not facts.missing:
        return ""
    return "Not in this card, for it is not there yet:\n\n" + "\n".join(
        f"- {escaped(part.what)}: `{part.how}`" for part in facts.missing
    )


def _funnel(facts: Facts) -> str:
    rows = [
        [
            step.name,
            number(step.rows_in),
            number(step.rows_out),
            share(step.rows_out, step.rows_in),
            ", ".join(
                f"{escaped(reason, 60)} {count:,}"
                for reason, count in sorted(step.dropped.items(), key=lambda item: (-item[1], item[0]))
            ),
        ]
        for step in facts.funnel
    ]
    return "## From the web to the data set\n\n" + _table(["step", "in", "out", "kept", "dropped"], rows)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _charts(content: Content) -> Iterator[str]:
    """What charts say, and their numbers where those are few."""
    for chapter, figures in content.figures.items():
        for figure in figures:
            if chapter != "funnel":
                yield f"### {escaped(figure.title)}\n\n{escaped(figure.says)}" + _few(figure.numbers)


def _few(numbers: Numbers) -> str:
    if len(numbers.rows) + numbers.left_out > _ROWS:
        return ""
    rows = [[escaped(cell, 120) for cell in row] for row in numbers.rows]
    return "\n\n" + _table([column.name for column in numbers.columns], rows)


def _entries(content: Content) -> str:
    if content.entries is None:
        return ""
    rows = [
        [
            number(row["rank"]),
            escaped(row["entry"]),
            row["language"],
            number(row["count"]),
            number(row["kept_count"]),
        ]
        for row in content.entries.table.slice(0, _HEAVIEST).to_pylist()
    ]
    says = f"The heaviest of {content.entries.matched:,} entries that match, in pairs."
    return f"### Entries\n\n{says}\n\n" + _table(["rank", "entry", "language", "before", "after"], rows)


def _topic(title: str, answers: Sequence[Answer]) -> str:
    lines = [f"## {title}"]
    for answer in answers:
        told = _paragraphs(answer.text) if answer.text else f"*For the author to answer ({answer.name}).*"
        lines.append(f"**{answer.question}**\n\n{told}")
    return "\n\n".join(lines)


def _making(facts: Facts) -> Iterator[str]:
    yield "## How it was made"
    for step in facts.steps:
        pairs = [*step.settings, *step.versions]
        rows = [[escaped(name), escaped(value)] for name, value in pairs if value != NONE]
        yield f"### {step.name}\n\nRun `{step.run_id}`.\n\n" + _table(["setting", "value"], rows)


def _licences(facts: Facts) -> Iterator[str]:
    licences: Mapping[str, str] = facts.licences
    if licences:
        yield "## Licences of the vocabulary"
    for source, text in licences.items():
        lines = [f"    {harmless(line, 2000)}" for line in text.splitlines()]
        yield f"### {escaped(source)}\n\n" + "\n".join(lines)
