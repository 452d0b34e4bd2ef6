"""The whole chain on the small web: `make demo`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.text import Text

import curation
from curation import io
from curation.cli import main
from curation.config import Curate
from curation.demo.server import Server
from curation.demo.web import Web, write_wats
from curation.errors import InputError
from curation.log import announce
from curation.record import RunRecord
from curation.report.heaviest import heaviest
from curation.report.summary import funnel, warnings
from curation.runs import curate
from curation.spark import Session

VOCABULARY = Path(curation.__file__).parents[1] / "metadata" / "wordnet"


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Draw a small web, serve it on 127.0.0.1, and turn it into a balanced data set.

    Example: make demo
    """

    output: Annotated[str, Parameter(help="The folder to make: web/ and work/.")]
    t: Annotated[float, Parameter(help="Entries with more matches than this are cut.")] = 10.0
    port: Annotated[int, Parameter(help="Where to serve; the URLs depend on it.")] = 8765


def demo(session: Session, config: Demo) -> list[RunRecord]:
    """Serve the small web and run the chain on it.

    Args:
        session: starts Spark when there is work.
        config: where, and how strongly to balance.

    Returns:
        The records of the steps.

    Raises:
        InputError: the port is taken, there is no checkout, or as the steps say.
    """
    if not VOCABULARY.is_dir():
        raise InputError(f"{VOCABULARY} is missing; run the demo in a checkout of the project")
    output = io.local_folder(config.output, "--output")
    web = Web(f"http://127.0.0.1:{config.port}")
    try:
        server = Server(web.answer, config.port)
    except OSError as error:
        raise InputError(
            f"port {config.port} of 127.0.0.1 is taken; name another --port and --output"
        ) from error
    with server:
        wats = write_wats(web, output / "web")
        announce(f"A small web of {web.pages} pages and {len(web.links):,} image links is at {web.origin}\n")
        chain = Curate(
            input=tuple(map(str, wats)),
            vocabulary=str(VOCABULARY),
            t=config.t,
            output=str(output / "work"),
            shard_size=100,
            timeout_seconds=2,
            retries=0,
            threads=16,
        )
        return curate(session, chain)


def tell(records: Sequence[RunRecord], log: Path) -> RenderableType:
    """The end of the demo: what happened, and what to do next."""
    curated, shards = records[-2].folder, records[-1].folder
    lines = {
        "shards": f"{shards}",
        "look": f"tar xf {shards / '00000.tar'} --one-top-level=/tmp/shard",
        "card": f"{curated / 'datacard.json'}",
        "log": f"{log}",
        "next": "python jobs/curate.py --help   (README.md: your own files, Common Crawl, a cluster)",
    }
    card = io.read_json(curated / "datacard.json")
    ends = [Text.assemble((f"{name:<8}", "bold"), line) for name, line in lines.items()]
    notes = [note for record in records for note in warnings(record)]
    blank = Text()
    return Group(blank, funnel(records), blank, heaviest(card), blank, *notes, blank, *ends)


if __name__ == "__main__":
    main(demo, Demo, tell)
