"""The table at the end of a job: what went in, what was dropped and why, and what to do next."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curation.record import RunRecord
from curation.report.inert import inert

_ERRORS = 5
_ERROR_LENGTH = 60
_MUCH_DNS = 0.02
_FEW = 0.5

_NEXT = {
    "build_vocabulary": "jobs/match.py --pool POOL --vocabulary {folder} --output MATCHES",
    "extract": "jobs/match.py --pool {folder} --vocabulary metadata/english --output MATCHES",
    "match": "jobs/balance.py --matches {folder} --t 20000 --output CURATED",
    "balance": "jobs/download.py --curated {folder} --output SHARDS",
    "hash_images": "jobs/download.py --curated CURATED --exclude-hashes {folder} --output SHARDS",
}
_UNITS = {"build_vocabulary": "entries", "hash_images": "images"}


def summarise(records: Sequence[RunRecord], log: Path) -> RenderableType:
    """Say what the steps did.

    Args:
        records: of the steps, in their order.
        log: where the rest is told.

    Returns:
        Something for a `rich.console.Console` to print.
    """
    last = records[-1]
    lines = [line for record in records for line in warnings(record)]
    if last.job in _NEXT:
        lines.append(
            Text.assemble(("next  ", "bold"), "python " + _NEXT[last.job].format(folder=last.folder))
        )
    else:
        lines.append(Text.assemble(("shards  ", "bold"), str(last.folder)))
    lines.append(Text.assemble(("log  ", "bold"), str(log)))
    return Group(funnel(records), *lines)


def funnel(records: Sequence[RunRecord]) -> Table:
    """Pairs after every step, with the reasons for which the others were dropped."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("step")
    table.add_column(_UNITS.get(records[0].job, "pairs"), justify="right")
    table.add_column("share", justify="right", style="dim")
    table.add_column("dropped", overflow="fold")
    table.add_column("seconds", justify="right", style="dim")
    first = records[0]
    if first.job == "extract":
        table.add_row("found in the files", f"{first.rows['in']:,}", "", "", "")
    for record in records:
        reasons = sorted(record.dropped.items(), key=lambda item: (-item[1], item[0]))
        table.add_row(
            record.job,
            f"{record.rows['out']:,}",
            f"{record.rows['out'] / record.rows['in']:.1%}" if record.rows["in"] else "",
            "\n".join(f"{reason} {n:,}" for reason, n in reasons),
            f"{record.seconds:.1f}" if record.fresh else "done before",
        )
    return table


def warnings(record: RunRecord) -> list[Text]:
    """What went wrong in a step without stopping it."""
    found = {"extract": _extract_warnings, "download": _download_warnings}.get(record.job, lambda _: [])(
        record
    )
    return [Text.assemble(("note  ", "bold yellow"), warning) for warning in found]


def _extract_warnings(record: RunRecord) -> list[str]:
    facts, ledger = record.facts, record.folder / "files"
    found = []
    if facts["files_with_errors"]:
        found.append(f"files with errors: {facts['files_with_errors']:,} of {facts['files']:,}; see {ledger}")
    if facts["files_truncated"]:
        found.append(f"files cut off: {facts['files_truncated']:,} of {facts['files']:,}; see {ledger}")
    if facts["faults"]:
        faults = ", ".join(f"{name} {n:,}" for name, n in facts["faults"].items())
        found.append(f"passed over: {faults}; by file in {ledger}")
    if not record.rows["out"]:
        found.append("the pool is empty")
    return found


def _download_warnings(record: RunRecord) -> list[str]:
    facts = record.facts
    images, came = facts["images"], facts["images_by_status"].get("success", 0)
    found = []
    if facts["retries"]:
        last = facts["retries"][-1]
        found.append(f"of {last['count']:,} images that were fetched again {last['successes']:,} came")
    if came < images:
        commonest = list(facts["errors"].items())[:_ERRORS]
        errors = "; ".join(f"{_brief(message)} ({n:,})" for message, n in commonest)
        found.append(f"{images - came:,} of {images:,} images are not there: {errors}")
    if facts["errors"].get("dns_error", 0) > _MUCH_DNS * images:
        found.append(
            "the look-up of many names failed for now: the resolver of your workers may be overwhelmed; run "
            "one on each, then --retry-failed"
        )
    if came < _FEW * images:
        found.append(f"only {came / images:.0%} of the images came; look at the errors before you go on")
    look_alikes = facts["duplicates"]
    if any(look_alikes.values()):
        found.append(
            f"duplicates: {look_alikes['same_bytes']:,} images have the bytes of another one, "
            f"{look_alikes['look_alike']:,} look like one; see {record.folder / 'duplicates'}"
        )
    if facts["captions_in_evaluation_sets"]:
        sets = ", ".join(f"{name} {n:,}" for name, n in facts["captions_in_evaluation_sets"].items())
        found.append(f"texts that are captions of evaluation sets, and stay: {sets}")
    return found


def _brief(message: str) -> str:
    """An error message of another program, in a line and not a long one."""
    line = inert(message)
    return line if len(line) <= _ERROR_LENGTH else line[:_ERROR_LENGTH] + "…"
