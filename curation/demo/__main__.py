"""The whole chain on the small web: `make demo`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.text import Text

import curation
from curation import io
from curation.cli import main
from curation.config import Curate, Datacard
from curation.demo.server import HOST, Server
from curation.demo.wat import write_wats
from curation.demo.web import Web, rare_names
from curation.errors import InputError
from curation.log import announce
from curation.record import RunRecord
from curation.report.card.write import datacard
from curation.report.heaviest import heaviest
from curation.report.summary import funnel, warnings
from curation.runs import curate
from curation.spark import Session
from curation.vocabulary.vocabulary import read_vocabulary

VOCABULARY = Path(curation.__file__).parents[1] / "metadata" / "wordnet"
PORTS = range(8765, 8785)
T = 10.0
CARD = "card.html"


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Draw a small web, serve it on 127.0.0.1, and turn it into a balanced data set.

    Example: make demo
    """

    output: Annotated[str, Parameter(help="The folder to make: web/ and work/.")]


def demo(session: Session, config: Demo) -> list[RunRecord]:
    """Serve the small web, run the chain on it, and write its data card.

    Args:
        session: starts Spark when there is work.
        config: where.

    Returns:
        The records of the steps.

    Raises:
        InputError: there is no checkout or no port, or as the steps say.
    """
    if not VOCABULARY.is_dir():
        raise InputError(f"{VOCABULARY} is missing; run the demo in a checkout of the project")
    output = io.local_folder(config.output, "--output")
    web = Web(rare_names(read_vocabulary(str(VOCABULARY)).entries("en").to_pylist()))
    with serve(web, output / "web") as server:
        pages = web.pages(server.origin)
        wats = write_wats(pages, output / "web" / str(server.port))
        announce(
            f"A small web, drawn for this demo: {len(pages)} pages with {len(web.links):,} image links,\n"
            f"served on {server.origin}; nothing goes over a network.\n"
        )
        chain = Curate(
            input=tuple(map(str, wats)),
            vocabulary=str(VOCABULARY),
            t=T,
            output=str(output / "work"),
            shard_size=100,
            timeout_seconds=2,
            retries=0,
            threads=16,
            allow_hosts=(HOST,),
        )
        records = curate(session, chain)
    datacard(Datacard(work=str(output / "work"), output=str(output / CARD)))
    return records


def serve(web: Web, folder: Path) -> Server:
    """Give the web a server: on the port of an earlier demo, whose pages name it, or on a free one.

    Args:
        web: what to serve.
        folder: holds a folder of pages for each port, named by it.

    Raises:
        InputError: all ports in question are taken.
    """
    ports = [int(path.name) for path in folder.glob("[0-9]*")] or PORTS
    for port in ports:
        try:
            return Server(web.answer, port)
        except OSError:
            continue  # with the next: somebody else listens there
    which = f"port {ports[0]}" if len(ports) == 1 else f"each of the ports {ports[0]} to {ports[-1]}"
    raise InputError(f"{which} of {HOST} is taken; free it, or name another --output")


def tell(records: Sequence[RunRecord], log: Path) -> RenderableType:
    """The end of the demo: what happened, and what to do next."""
    shards = _short(records[-1].folder)
    look = _short(log.parent / "look")
    lines = {
        "shards": f"{shards}: WebDataset tars, and a Parquet row for every image",
        "look": f"mkdir {look}; tar -C {look} -xf {shards / '00000.tar'}",
        "card": f"{_short(log.parent / CARD)}: what is in the data, for your browser",
        "log": f"{_short(log)}",
        "next": ".venv/bin/python jobs/curate.py --help   (README.md tells the rest)",
    }
    card = io.read_json(records[-2].folder / "datacard.json")
    ends = [Text.assemble((f"{name:<8}", "bold"), line) for name, line in lines.items()]
    notes = [note for record in records for note in warnings(record)]
    blank = Text()
    return Group(blank, funnel(records), blank, heaviest(card), _reading(card), blank, *notes, blank, *ends)


def _reading(card: Mapping[str, Any]) -> Text:
    """How to read the bars, and what they do not show."""
    (english,) = card["languages"].values()
    return Text(
        f"█ kept  ░ cut towards t = {english['t']:g}; pairs with a rarer entry come on top\n"
        f"entries under t lose nothing: {english['tail_share_before']:.0%} of all matches before, "
        f"{english['tail_share_after']:.0%} after",
        style="dim",
    )


def _short(path: Path) -> Path:
    """A path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    main(demo, Demo, tell)
