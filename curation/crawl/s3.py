"""An object of S3 as a stream: one GET, read as it comes.

The files of s3fs ask for the size first, and then for blocks of 50 MB, each of which is held as a whole and
read again from its start when its connection breaks.
"""

import re

import fsspec
from fsspec.asyn import sync

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class S3Stream:
    """An object from a byte on.

    Attributes:
        start: the byte that the answer begins with.
        size: of the whole object, in bytes.
        etag: changes with its content.
    """

    def __init__(self, url: str, position: int = 0) -> None:
        self._system, path = fsspec.core.url_to_fs(url)
        bucket, key, _ = self._system.split_path(path)
        asked = {"Bucket": bucket, "Key": key, **self._system.req_kw}  # who pays, if it is the reader
        if position:
            asked["Range"] = f"bytes={position}-"
        answer = self._system.call_s3("get_object", **asked)
        self._body = answer["Body"]
        part = _CONTENT_RANGE.fullmatch(answer.get("ContentRange") or "")
        self.start = int(part[1]) if part else 0
        self.size = int(part[2] if part else answer["ContentLength"])
        self.etag: str | None = answer.get("ETag")

    def read(self, size: int) -> bytes:
        """At most `size` bytes, fewer where no more are there yet; none at the end."""
        return bytes(sync(self._system.loop, self._body.read, size))

    def close(self) -> None:
        """Hang up."""
        self._system.loop.call_soon_threadsafe(self._body.close)
