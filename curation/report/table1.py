"""What the sources of a vocabulary add, beside MetaCLIP's Table 1."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curation.record import RunRecord
from curation.report.inert import inert
from curation.report.summary import summarise

_PAPER = {"digits and wordnet": 86_654, "unigrams": 251_465, "bigrams": 100_646, "titles": 61_235}
_SHOWN_ERRORS = 5


def tell_vocabulary(records: Sequence[RunRecord], log: Path) -> RenderableType:
    """Say what was built: the table, what was passed over, what could not be reached.

    Args:
        records: one, of the vocabulary.
        log: where the rest is told.

    Source:
        MetaCLIP, Table 1; figures are what a source adds to those before it.
    """
    record = records[0]
    notes = [Text.assemble(("note  ", "bold yellow"), note) for note in _notes(record)]
    return Group(_table(record), *notes, summarise(records, log))


def _table(record: RunRecord) -> Table:
    added = dict(record.facts["added"])
    first = added.pop("digits", 0) + added.pop("wordnet", 0)
    ours = ({"digits and wordnet": first} if first else {}) | added
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("source")
    table.add_column("adds", justify="right")
    table.add_column("MetaCLIP's", justify="right", style="dim")
    for name in dict.fromkeys([*_PAPER, *ours]):
        paper = f"{_PAPER[name]:,}" if name in _PAPER else ""
        table.add_row(name, f"{ours.get(name, 0):,}", paper)
    table.add_row("in all", f"{sum(ours.values()):,}", f"{sum(_PAPER.values()):,}", style="bold")
    return table


def _notes(record: RunRecord) -> list[str]:
    facts = record.facts
    notes = list(facts.get("remarks", []))
    if "articles" in facts:
        notes.append(f"read {facts['articles']:,} articles of {facts['words']:,} words")
    if facts.get("faults"):
        notes.append("passed over: " + ", ".join(f"{name} {n:,}" for name, n in facts["faults"].items()))
    errors = sorted(facts.get("errors", {}).items())
    notes += [f"could not be read on: {inert(file)}: {inert(why)}" for file, why in errors[:_SHOWN_ERRORS]]
    if len(errors) > _SHOWN_ERRORS:
        notes.append(f"and {len(errors) - _SHOWN_ERRORS} more; see {record.folder / '_run.json'}")
    return notes
