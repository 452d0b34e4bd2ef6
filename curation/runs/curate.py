"""The whole chain in one go."""

from dataclasses import fields
from typing import Any, TypeVar

from curation import io
from curation.config import Balance, Curate, Download, Extract, Match
from curation.record import RunRecord
from curation.runs.balance import balance
from curation.runs.download import download
from curation.runs.extract import extract
from curation.runs.match import match
from curation.spark import Session

Config = TypeVar("Config")


def curate(session: Session, config: Curate) -> list[RunRecord]:
    """Extract, match, balance and download into the folders of one work folder.

    Steps that are done are not done again, so a chain that was stopped goes on where it was.

    Args:
        session: starts Spark when there is work.
        config: of all steps.

    Returns:
        The records of the steps, in their order.

    Raises:
        InputError: as each step says.
    """
    work = io.local_folder(config.output, "--output")
    pool, matches, curated, shards = (str(work / name) for name in ("pool", "matches", "curated", "shards"))
    return [
        *extract(session, _part(Extract, config, output=pool)),
        *match(session, _part(Match, config, pool=pool, output=matches)),
        *balance(session, _part(Balance, config, matches=(matches,), output=curated)),
        *download(session, _part(Download, config, curated=curated, output=shards)),
    ]


def _part(config_class: type[Config], config: Curate, **paths: Any) -> Config:
    """The settings of one step, with the paths that the chain gives it."""
    names = {field.name for field in fields(config_class)} - paths.keys()  # type: ignore[arg-type]
    return config_class(**{name: getattr(config, name) for name in names}, **paths)
