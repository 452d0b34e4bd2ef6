"""The data card as a web page: one file, which asks nothing of any network and runs no words of others."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import pyarrow as pa
import vl_convert
from jinja2 import Environment, StrictUndefined

import curation
from curation.report.card.content import Content
from curation.report.card.entries import Entries
from curation.report.card.gallery import SHARDS, Sample
from curation.report.card.text import harmless, number, share
from curation.report.charts.theme import config

FIRST = 50
"""Entries that are in the page's own table, before its script takes over."""

_CHAPTERS = (
    ("texts", "Languages and texts", "How long they are, and how many entries they hold."),
    ("web", "Hosts and opt-outs", "Where images come from. Hosts are those of the images' URLs."),
    ("images", "Images", "Sizes are those of the files as they came."),
    ("training", "Training", "What models came to that were trained on this data."),
)  # fmt: skip

_SECTIONS = ("funnel", "balance", *(name for name, _, _ in _CHAPTERS))

_COLUMNS = (
    ("rank", "rank", "number"),
    ("entry", "entry", "web"),
    ("language", "language", "web"),
    ("count", "before", "number"),
    ("kept_count", "after", "number"),
    ("probability", "probability", "number"),
)


def page(content: Content, *, stem: str, today: str) -> str:
    """Write the page.

    Args:
        content: of the card.
        stem: of the names of the files beside it.
        today: the date, in words.

    Returns:
        HTML.
    """
    scripts = [_bundle(), _file("card.js")]
    style = _file("card.css")
    entries = content.entries
    languages = sorted(entries.table["language"].unique().to_pylist()) if entries else []
    return _environment().from_string(_file("card.html.j2")).render(
        facts=content.facts,
        sections={name: content.figures.get(name, []) for name in _SECTIONS},
        chapters=_CHAPTERS,
        contents=_contents(content),
        entries=entries,
        first_entries=entries.table.slice(0, FIRST).to_pylist() if entries else [],
        columns=[column for column in _COLUMNS if column[0] != "language" or len(languages) > 1],
        several=languages if len(languages) > 1 else [],
        groups=_groups(content.samples),
        gallery_shards="one shard" if _shards(content.samples) == 1 else f"{_shards(content.samples)} shards",
        pictures=content.pictures,
        unanswered=sum(answer.by == "nobody" for _, answers in content.facts.topics for answer in answers),
        data=_json(_data(content)),
        scripts=scripts,
        style=style,
        policy=_policy(scripts, style),
        share=share,
        stem=stem,
        today=today,
        version=curation.__version__,
    )  # fmt: skip


def _data(content: Content) -> dict[str, Any]:
    """What the page's script works with."""
    figures = [figure for chapter in content.figures.values() for figure in chapter]
    return {
        "entries": _packed(content.entries),
        "charts": {figure.name: figure.spec for figure in figures},
        "themes": {"light": _theme(dark=False), "dark": _theme(dark=True)},
    }


def _contents(content: Content) -> list[tuple[str, str]]:
    """The sections that there are, with their titles."""
    figures = content.figures
    return [
        ("glance", "At a glance"),
        ("funnel", "From the web to the data set"),
        *([("balance", "Balance")] if figures.get("balance") else []),
        *([("entries", "Entries")] if content.entries else []),
        *([("gallery", "Samples")] if content.samples else []),
        *((name, title) for name, title, _ in _CHAPTERS if figures.get(name)),
        ("datasheet", "Datasheet"),
        ("making", "How it was made"),
    ]


def _shards(samples: Sequence[Sample]) -> int:
    return min(SHARDS, len({sample.shard for sample in samples}))


def _groups(samples: Sequence[Sample]) -> list[tuple[str, str, list[Sample]]]:
    head = [sample for sample in samples if not sample.tail]
    tail = [sample for sample in samples if sample.tail]
    groups = [
        ("From the head", "All their entries have more matches than t: a draw let these through.", head),
        ("From the tail", "The marked entries have at most t matches, and keep all their pairs.", tail),
    ]  # fmt: skip
    return [group for group in groups if group[2]]


def _packed(entries: Entries | None) -> dict[str, Any] | None:
    """Columns, with languages as numbers: half the size of rows."""
    if entries is None:
        return None
    languages = pa.array(entries.table["language"].to_pylist(), pa.string()).dictionary_encode()
    names = ("rank", "entry", "count", "kept_count")
    probability = [float(f"{value:.6g}") for value in entries.table["probability"].to_pylist()]
    return {
        **{name: entries.table[name].to_pylist() for name in names},
        "probability": probability,
        "language": languages.indices.to_pylist(),
        "languages": languages.dictionary.to_pylist(),
    }


def _theme(*, dark: bool) -> dict[str, Any]:
    """The colours of charts. The page has the paper, and the words for who cannot see."""
    return config(dark=dark) | {"background": None, "aria": False}


def _json(value: Any) -> str:
    """JSON that ends no script, whatever its strings are."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _policy(scripts: Sequence[str], style: str) -> str:
    """Nothing from anywhere, and no scripts and styles but these, by their checksums."""
    hashes = " ".join(f"'sha256-{_checksum(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'sha256-{_checksum(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _checksum(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, which comes with vl-convert."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle


def _file(name: str) -> str:
    return (files(__package__) / "page" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {
        "number": number,
        "harmless": harmless,
        "harmless_lines": lambda text: "\n".join(harmless(line, 2000) for line in text.splitlines()),
        "paragraphs": lambda text: [harmless(part, 5000) for part in text.split("\n\n") if part.strip()],
        "by_size": by_size,
        "probability": lambda value: "1" if value >= 1 else f"{value:.3g}",
    }
    return environment


def by_size(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names and numbers, the largest first."""
    return sorted(
        ((harmless(name, 80), n) for name, n in counts.items()), key=lambda item: (-item[1], item[0])
    )
