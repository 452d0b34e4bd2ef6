"""What notebooks show besides charts: tables and images, with everything from the web made harmless."""

import html
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.errors import InputError
from curation.report.card.gallery import Sample
from curation.report.card.thumbnails import thumbnails
from curation.report.inert import inert
from curation.report.looking import Pair

_LONGEST = 300  # characters of a cell
_SHARES = ("share", "probability")  # what columns of shares end in
_STYLE = "padding: 2px 8px; vertical-align: top; text-align: left; max-width: 36em; overflow-wrap: anywhere"
_NUMBER_STYLE = "padding: 2px 8px; vertical-align: top; text-align: right; white-space: nowrap"
_BOX = (
    "display: inline-block; vertical-align: top; width: 17em; margin: 0 1em 1.5em 0; overflow-wrap: anywhere"
)


class Shown:
    """A piece of HTML that Jupyter shows.

    Args:
        markup: with everything from outside escaped.
    """

    def __init__(self, markup: str) -> None:
        self._markup = markup

    def _repr_html_(self) -> str:
        return self._markup


@contextmanager
def optional() -> Iterator[None]:
    """Say what a part of a notebook lacks, and go on without it."""
    try:
        yield
    except InputError as error:
        print(f"Left out: {error}")  # noqa: T201  what a notebook's cell prints is read below it


def listing(table: pa.Table, rows: int = 50) -> Shown:
    """A table to be read: numbers to the right, shares in per cent.

    Args:
        table: any; columns called `…share` or `…probability` are shares.
        rows: how many to show.
    """
    kinds = {
        name: _kind(name, kind) for name, kind in zip(table.column_names, table.schema.types, strict=True)
    }
    head = "".join(
        f'<th style="{_style(kind)}">{html.escape(name.replace("_", " "))}</th>'
        for name, kind in kinds.items()
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{_style(kind)}">{_cell(row[name], kind)}</td>' for name, kind in kinds.items())
        + "</tr>"
        for row in table.slice(0, rows).to_pylist()
    )
    left = len(table) - rows
    more = f"<p>and {left:,} more rows</p>" if left > 0 else ""
    return Shown(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}")


def gallery(shards: Path, samples: Sequence[Sample]) -> Shown:
    """Images with their texts, and the entries that kept them.

    Args:
        shards: folder of the shards.
        samples: of it.
    """
    pictures = _pictures(shards, samples)
    return Shown("".join(_figure(sample, pictures) for sample in samples) or "<p>There are no images.</p>")


def side_by_side(shards: Path, pairs: Sequence[Pair]) -> Shown:
    """Images that look alike, beside what they look like.

    Args:
        shards: folder of the shards.
        pairs: of images in it.
    """
    pictures = _pictures(shards, [sample for pair in pairs for sample in (pair.image, pair.original)])
    shown = [
        f"<div><p><b>{_distance(pair)}</b></p>"
        f"{_figure(pair.original, pictures)}{_figure(pair.image, pictures)}</div>"
        for pair in pairs
    ]
    return Shown("".join(shown) or "<p>No two images look alike.</p>")


def _pictures(shards: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
    """Thumbnails by key; made in a thread, for Jupyter has an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(thumbnails, shards, samples).result()


def _figure(sample: Sample, pictures: Mapping[str, str]) -> str:
    url = pictures.get(sample.key)
    # The text below is what the picture's alternative would say.
    picture = f'<img src="{url}" alt="" style="max-width: 100%">' if url else "<i>no picture</i>"
    texts = "".join(
        f"<p>“{_text(text.text)}”<br><small>kept with probability {text.keep_probability:.3g}"
        + "".join(
            f"<br>{_text(entry.entry)}: {entry.probability:.3g} (t / {entry.count:,})"
            if entry.probability < 1
            else f"<br>{_text(entry.entry)}: 1 ({entry.count:,} pairs, all kept)"
            for entry in text.entries
        )
        + "</small></p>"
        for text in sample.texts
    )
    facts = " · ".join(_text(fact) for fact in (sample.key, sample.size, sample.host) if fact)
    return f'<div style="{_BOX}">{picture}<br><small>{facts}</small>{texts}</div>'


def _distance(pair: Pair) -> str:
    if pair.same_bytes:
        return "the same bytes"
    return "the same hash" if not pair.distance else f"{pair.distance} of 64 bits differ"


def _kind(name: str, kind: pa.DataType) -> str:
    if name.endswith(_SHARES):
        return "share"
    return "number" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else "words"


def _style(kind: str) -> str:
    return _STYLE if kind == "words" else _NUMBER_STYLE


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "share":
        return f"{value:.2%}"
    if kind == "number":
        return (
            f"{value:,}"
            if isinstance(value, int)
            else f"{value:,.4g}"
            if abs(value) < 1000
            else f"{value:,.0f}"
        )
    return _text(str(value))


def _text(text: str) -> str:
    """Words from anywhere: in one line, without controls, escaped, not too long."""
    line = inert(text)
    return html.escape(line if len(line) <= _LONGEST else line[:_LONGEST] + "…")
