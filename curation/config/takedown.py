"""What `jobs/takedown.py` can be told."""

from dataclasses import dataclass
from typing import Annotated

from curation.config.flags import flag
from curation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Takedown:
    """Take images and texts out of finished shards, for good: the shards concerned are written anew.

    Of a text that is named by its uid the image stays as long as it has others.

    Example: jobs/takedown.py --shards shards --list requests.txt --dry-run
    """

    shards: Annotated[str, flag("SHARDS folder, from jobs/download.py.")]
    uid: Annotated[
        tuple[str, ...], flag("Texts by their uids, or images by their image_ids.", default=False)
    ] = ()
    url: Annotated[tuple[str, ...], flag("Images by their URLs.", default=False)] = ()
    host: Annotated[
        tuple[str, ...], flag("All images of these hosts and those below them.", default=False)
    ] = ()
    sha256: Annotated[
        tuple[str, ...], flag("Images by the sha256 of the files that were fetched.", default=False)
    ] = ()
    list: Annotated[
        tuple[str, ...],
        flag(
            "Files of any of these, one a line: 32 hex digits are a uid, 64 a sha256, what has :// is a URL, "
            "the rest hosts.",
            default=False,
        ),
    ] = ()
    dry_run: Annotated[bool, flag("Only count what would be taken down.")] = False

    def __post_init__(self) -> None:
        if not (self.uid or self.url or self.host or self.sha256 or self.list):
            raise InputError("give what is to be taken down: --uid, --url, --host, --sha256 or --list FILE")

    @property
    def output(self) -> str:
        """Where the log goes: what is changed."""
        return self.shards
