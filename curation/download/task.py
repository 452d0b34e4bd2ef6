"""One task: the images of some shards, fetched, decoded and sealed, one shard flowing into the next."""

import asyncio
import hashlib
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from curation import io
from curation.config import DownloadOptions, part
from curation.download.decoders import Decoders
from curation.download.draft import Draft, Image, Outcome
from curation.download.errors import FETCH_ERRORS, FetchError
from curation.download.fetch import Fetched, Fetcher, FetchOptions
from curation.download.hosts import Hosts, Limits, Turn
from curation.download.image import ImageError, ImageOptions
from curation.download.overlap import EvaluationSets
from curation.download.review import Classifier, review
from curation.download.shard import (
    FAILED_TO_DOWNLOAD,
    FAILED_TO_RESIZE,
    REMOVED,
    SUCCESS,
    Shard,
    seal_shard,
    shard_number,
    shard_statistics,
    whole_shard,
)
from curation.download.urls import host_of

DONE = pa.schema([("shard", pa.int32()), ("images", pa.int64()), ("successes", pa.int64())])
"""What a task says of a shard that it made."""

OTHER_BYTES = "other_bytes"
BLOCKED_HASH = "blocked_hash"
BAD_BOXES = "bad_boxes"

OPEN_SHARDS = 3
"""Shards that are fetched at once: the last images of one, whose hosts rest, keep nobody from the next."""
_IMAGES_A_CONNECTION = 2
"""Images in memory for each connection: one that comes, and one that waits for a decoder."""
_REST_SECONDS = 5.0
"""What a host is given that asks for a pause and does not say how long."""
_MOST_REST_SECONDS = 120.0
"""Who asks for more is not asked again in this run."""
_RETRY_SECONDS = 1.0
_REPORT_SECONDS = 1.0
_GIVEN_UP = "not tried: its host failed several times in a row"
_SILENT = frozenset({"timeout", "connection_failed", "dns_error"})


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What all tasks are told.

    Attributes:
        output: folder of the shards.
        options: of the download.
        reports: folder in which each task says how far it is.
        share: of what a host bears, the part of one task.
        decoders: processes of one task.
        blocked: sha256 of images that are left out.
        evaluation: what to keep apart from.
    """

    output: str
    options: DownloadOptions
    reports: str | None = None
    share: float = 1.0
    decoders: int = 1
    blocked: frozenset[str] = frozenset()
    evaluation: EvaluationSets | None = None


def download_shards(folders: Sequence[str], *, orders: Orders) -> Iterator[pa.RecordBatch]:
    """Make the shards whose images are in these folders, except those that are there and whole.

    They are sealed, for `curation.download.shard.gather`.

    Args:
        folders: Parquet of one shard each, as `curation.stages.images` makes it, in a folder `shard=N`.
        orders: how, and where to.

    Yields:
        A row of `DONE` for each.
    """
    output = Path(orders.output)
    missing = [folder for folder in folders if whole_shard(output, shard_number(folder)) is None]
    if missing:
        asyncio.run(_download(missing, orders))
    yield from (done(output, shard_number(folder)) for folder in folders)


def done(output: Path, number: int) -> pa.RecordBatch:
    """The row of `DONE` of a shard that was made."""
    told = shard_statistics(output, number)
    return pa.record_batch(
        {"shard": [number], "images": [told["count"]], "successes": [told["successes"]]}, DONE
    )


async def _download(folders: Sequence[str], orders: Orders) -> None:
    fetching = part(FetchOptions, orders.options)
    decoding = part(ImageOptions, orders.options, encode_quality=orders.options.quality)
    async with Fetcher(fetching) as fetcher, Decoders(decoding, processes=orders.decoders) as decoders:
        await _Crew(orders, fetcher, decoders).work(folders)


class _Crew:
    """All that goes on in a task at once: images are fetched, decoded, and their shards sealed."""

    def __init__(self, orders: Orders, fetcher: Fetcher, decoders: Decoders) -> None:
        self._orders = orders
        self._options = orders.options
        self._fetcher = fetcher
        self._decoders = decoders
        limits = Limits(connections=self._options.host_connections, per_second=self._options.host_rate)
        self._hosts: Hosts[Image] = Hosts(limits.part(orders.share))
        self._connections = asyncio.Semaphore(self._options.threads)
        self._images = asyncio.Semaphore(_IMAGES_A_CONNECTION * self._options.threads)
        self._sealing = asyncio.Lock()
        self._folders: deque[str] = deque()
        self._open: set[Draft] = set()
        self._classifier = Classifier.load(self._options)
        self._report = _Report(orders.reports)

    async def work(self, folders: Sequence[str]) -> None:
        """Make the shards of these folders."""
        self._folders.extend(folders)
        async with asyncio.TaskGroup() as group:
            reporting = group.create_task(self._report.keep())
            async with asyncio.TaskGroup() as turns:
                while True:
                    await self._images.acquire()
                    await self._connections.acquire()
                    turn = await self._hosts.take(self._open_another)
                    if turn is None:
                        break
                    turns.create_task(self._take_turn(turn))
            reporting.cancel()
        self._report.write()

    def _open_another(self) -> bool:
        if len(self._open) >= OPEN_SHARDS or not self._folders:
            return False
        draft = Draft(self._folders.popleft(), self._options.shard_size)
        self._open.add(draft)
        for image in draft.images():
            self._hosts.add(host_of(image.url), image)
        return True

    async def _take_turn(self, turn: Turn[Image]) -> None:
        image = turn.job
        fetched = await self._fetch(turn)
        self._hosts.done(turn)
        self._connections.release()
        if fetched is not None:
            image.draft.fetched += 1
            if image.draft.is_fetched:
                self._open.remove(image.draft)
            await self._end(image, fetched)
        self._images.release()

    async def _end(self, image: Image, fetched: Fetched | Outcome) -> None:
        outcome = await self._picture(image, fetched) if isinstance(fetched, Fetched) else fetched
        self._report.count(outcome)
        image.draft.end(image, outcome)
        if image.draft.is_complete:
            async with self._sealing:
                await asyncio.to_thread(self._seal, image.draft)

    async def _fetch(self, turn: Turn[Image]) -> Fetched | Outcome | None:
        """An image's bytes, or how it ended; None where it is to be tried again."""
        image = turn.job
        try:
            if turn.given_up is not None:
                raise FetchError(turn.given_up, _GIVEN_UP)
            fetched = await self._fetcher.fetch(image.url)
        except FetchError as error:
            if turn.given_up is None and self._may_try_again(turn, error):
                image.tries += 1
                self._hosts.add(host_of(image.url), image, after_seconds=_RETRY_SECONDS)
                return None
            return Outcome(FAILED_TO_DOWNLOAD, error.error, error.message)
        self._hosts.answered(turn)
        return fetched

    def _may_try_again(self, turn: Turn[Image], error: FetchError) -> bool:
        """Judge a failure, and let the host's other images know of it."""
        if error.error in _SILENT:
            self._hosts.failed(turn, error.error)
        elif error.error == "too_many_requests":
            seconds = _REST_SECONDS if error.retry_after is None else error.retry_after
            if seconds > _MOST_REST_SECONDS:
                self._hosts.give_up(turn, error.error)
                return False
            self._hosts.rest(turn, error.error, seconds)
        else:
            self._hosts.answered(turn)
        return FETCH_ERRORS[error.error].again and turn.job.tries < self._options.retries

    async def _picture(self, image: Image, fetched: Fetched) -> Outcome:
        digest = hashlib.sha256(fetched.data).hexdigest()
        bytes_ = {"sha256": digest, "size_bytes": len(fetched.data), "opt_outs": list(fetched.opt_outs)}
        if image.expected_sha256 not in (None, digest):
            return Outcome(FAILED_TO_DOWNLOAD, OTHER_BYTES, columns=bytes_)
        if digest in self._orders.blocked:
            return Outcome(REMOVED, BLOCKED_HASH, columns=bytes_)
        try:
            picture = await self._decoders.process(fetched.data, image.boxes)
        except ImageError as error:
            return Outcome(FAILED_TO_RESIZE, error.error, error.message, columns=bytes_)
        except ValueError as error:  # of the boxes: what cannot be blurred is not taken
            return Outcome(FAILED_TO_RESIZE, BAD_BOXES, str(error), columns=bytes_)
        columns = {
            "width": picture.width,
            "height": picture.height,
            "original_width": picture.original_width,
            "original_height": picture.original_height,
            "exif": picture.exif,
            "perceptual_hash": picture.perceptual_hash,
        }
        return Outcome(SUCCESS, columns=bytes_ | columns, data=picture.data)

    def _seal(self, draft: Draft) -> None:
        rows, facts = review(draft.rows(), draft.read, self._orders.evaluation, self._classifier)
        shard = Shard(draft.number, rows, draft.read, self._options.encode_format, facts)
        seal_shard(Path(self._orders.output), shard)
        draft.close()


class _Report:
    """How far a task is, in a file that the driver looks at."""

    def __init__(self, folder: str | None) -> None:
        self._path = folder and Path(folder, f"{os.getpid()}-{os.urandom(4).hex()}.json")
        self._ends: Counter[str] = Counter()
        self._bytes = 0

    def count(self, outcome: Outcome) -> None:
        """Count an image that is over."""
        self._ends[outcome.error or SUCCESS] += 1
        self._bytes += outcome.columns.get("size_bytes") or 0

    async def keep(self) -> None:
        """Write the file anew every so often."""
        while True:
            await asyncio.sleep(_REPORT_SECONDS)
            self.write()

    def write(self) -> None:
        """Write the file, which is seen whole or not at all."""
        if self._path:
            io.write_json(self._path, {"bytes": self._bytes, "ends": dict(self._ends)})
