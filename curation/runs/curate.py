"""The whole chain in one go."""

from curation import io
from curation.config import Balance, Curate, Download, Extract, Match, part
from curation.record import RunRecord
from curation.runs.balance import balance
from curation.runs.download import download
from curation.runs.extract import extract
from curation.runs.match import match
from curation.spark import Session


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
        *extract(session, part(Extract, config, output=pool)),
        *match(session, part(Match, config, pool=pool, output=matches)),
        *balance(session, part(Balance, config, matches=(matches,), output=curated)),
        *download(session, part(Download, config, curated=curated, output=shards)),
    ]
