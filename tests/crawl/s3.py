"""A store that speaks S3, on loopback, and misbehaves on demand."""

import hashlib
import os
import re
import socket
import struct
import time
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
from fsspec.config import conf

KEY, SECRET = "AKIALOOPBACK", "loopback"
PAGE = 1000
_PIECE = 1 << 16
_XML = "http://s3.amazonaws.com/doc/2006-03-01/"

_REASONS = {
    "AccessDenied": (403, "Access Denied"),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "InvalidAccessKeyId": (403, "The AWS Access Key Id you provided does not exist in our records."),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "ExpiredToken": (400, "The provided token has expired."),
    "SlowDown": (503, "Please reduce your request rate."),
}


@dataclass(frozen=True)
class Asked:
    """A request as it came in; `path` is bucket/key."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def is_listing(self) -> bool:
        return "list-type" in self.query


@dataclass(frozen=True)
class Fault:
    """What happens to one request: an error of S3, a reset, or a body cut off.

    Attributes:
        path: is found in that of the request.
        code: of the error; `reset` for a reset.
        cut: bytes of the body that are sent.
        listing: the prefix, if it is to be a listing.
    """

    path: str = ""
    code: str = ""
    cut: int | None = None
    listing: str | None = None

    def befalls(self, asked: Asked) -> bool:
        wanted = asked.query.get("prefix") == self.listing if asked.is_listing else self.listing is None
        return wanted and "max-keys" not in asked.query and self.path in asked.path


@dataclass
class Bucket:
    objects: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, str] = field(default_factory=dict)
    public: bool = False
    requester_pays: bool = False
    denied: set[str] = field(default_factory=set)  # what paths in the bucket begin with


class Store(ThreadingHTTPServer):
    """Buckets; `faults` befall the next requests for their paths, one each."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets: dict[str, Bucket] = {}
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self.sent = 0  # bytes of objects
        self.hung_up = Event()  # by a client, in the middle of a body
        self.elsewhere: list[Any] = []  # addresses off loopback that this process wanted to reach

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, path: str, data: bytes = b"", when: str = "2024-12-01T10:20:30.500Z") -> str:
        name, _, key = path.partition("/")
        bucket = self.buckets.setdefault(name, Bucket())
        bucket.objects[key], bucket.times[key] = data, when
        return f"s3://{path}"

    def forget(self) -> None:
        self.asked.clear()
        self.sent = 0

    def got(self, path: str) -> list[str | None]:
        """The ranges that were asked for of an object."""
        return [a.headers.get("Range") for a in self.asked if (a.method, a.path) == ("GET", path)]

    def handle_error(self, request: Any, client_address: Any) -> None:
        self.hung_up.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        path = unquote(url.path).removeprefix("/")
        asked = Asked(self.command, path, query, dict(self.headers))
        self.server.asked.append(asked)
        name, _, key = path.partition("/")
        found = next((fault for fault in self.server.faults if fault.befalls(asked)), None)
        if found:
            self.server.faults.remove(found)
        bucket = self.server.buckets.get(name)
        if error := (found.code if found else "") or self._refusal(bucket, key, asked):
            self._error(error)
        elif bucket is not None and asked.is_listing:
            self._list(name, bucket, query)
        elif bucket is not None and not key:
            self._head(200, {})
        elif bucket is not None:
            self._object(bucket, key, None if found is None else found.cut)

    def _refusal(self, bucket: Bucket | None, key: str, asked: Asked) -> str:
        signed = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization", ""))
        if signed and signed[1] != KEY:
            return "InvalidAccessKeyId"
        if bucket is None:
            return "NoSuchBucket"
        begins = asked.query.get("prefix", key)
        if not (signed or bucket.public) or any(begins.startswith(prefix) for prefix in bucket.denied):
            return "AccessDenied"
        if bucket.requester_pays and self.headers.get("x-amz-request-payer") != "requester":
            return "AccessDenied"
        return "" if not key or asked.is_listing or key in bucket.objects else "NoSuchKey"

    def _list(self, name: str, bucket: Bucket, query: dict[str, str]) -> None:
        """ListObjectsV2: in the order of the keys, what lies below a delimiter rolled up."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        most = min(int(query.get("max-keys", PAGE)), PAGE)
        rows: dict[str, str] = {}
        for key in sorted(bucket.objects, key=str.encode):
            if key.startswith(prefix):
                inside, sign, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
                shown = prefix + inside + sign if sign else key
                rows[shown] = "prefix" if sign else "key"
        after = unquote(query.get("continuation-token", ""))
        left = [row for row in rows.items() if not after or row[0].encode() > after.encode()]
        page, more = left[:most], left[most:]
        lines = [f"<Name>{name}</Name><Prefix>{quote(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"]
        lines += [f"<MaxKeys>{most}</MaxKeys><EncodingType>url</EncodingType>"]
        lines += [f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>"]
        lines += [f"<NextContinuationToken>{quote(page[-1][0])}</NextContinuationToken>"] if more else []
        for key, kind in page:
            if kind == "prefix":
                lines.append(f"<CommonPrefixes><Prefix>{quote(key)}</Prefix></CommonPrefixes>")
                continue
            lines.append(
                f"<Contents><Key>{quote(key)}</Key><LastModified>{bucket.times[key]}</LastModified>"
                f"<ETag>{escape(_etag(bucket.objects[key]))}</ETag><Size>{len(bucket.objects[key])}</Size>"
                "<StorageClass>STANDARD</StorageClass></Contents>"
            )
        self._xml(200, f'<ListBucketResult xmlns="{_XML}">{"".join(lines)}</ListBucketResult>')

    def _object(self, bucket: Bucket, key: str, cut: int | None) -> None:
        data, start = bucket.objects[key], 0
        end = len(data)
        headers = {"ETag": _etag(data), "Accept-Ranges": "bytes", "Content-Type": "binary/octet-stream"}
        headers["Last-Modified"] = "Sun, 01 Dec 2024 10:20:30 GMT"
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(asked[1]), min(int(asked[2] or end) + bool(asked[2]), end)
            if start >= len(data):
                return self._error("InvalidRange")
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        self._head(206 if asked else 200, headers | {"Content-Length": str(end - start)})
        if self.command == "HEAD":
            return None
        stop = end if cut is None else start + cut
        for place in range(start, stop, _PIECE):
            piece = data[place : min(place + _PIECE, stop)]
            self.server.sent += len(piece)
            self.wfile.write(piece)
        if cut is not None:
            time.sleep(0.1)  # or the client has not read what was sent when the connection breaks
            self.close_connection = True
        return None

    def _error(self, code: str) -> None:
        if code == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        status, message = _REASONS[code]
        self._xml(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>")

    def _xml(self, status: int, text: str) -> None:
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
        self._head(status, {"Content-Type": "application/xml", "Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": "0"} | headers).items():
            self.send_header(name, value)
        self.end_headers()


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


def environment(url: str) -> dict[str, str]:
    """What leads all of AWS's libraries to an endpoint on loopback, and keeps them from asking elsewhere."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",  # else who has no credentials asks 169.254.169.254
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_MAX_ATTEMPTS": "1",  # botocore's own patience takes seconds
        "NO_PROXY": "127.0.0.1",
    }


@contextmanager
def serving() -> Iterator[Store]:
    """A store that S3 clients of this process find, and nothing else; gone at the end."""
    filesystem = pytest.importorskip(
        "s3fs", reason="s3:// needs s3fs: pip install 'curation[s3]'"
    ).S3FileSystem
    with Store() as store, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in environment(store.url).items():
            patch.setenv(name, value)
        patch.delitem(conf, "s3", raising=False)
        patch.setattr(BaseSelectorEventLoop, "sock_connect", _kept_in(store))
        patch.setattr(filesystem, "retries", 1)  # likewise s3fs's
        filesystem.clear_instance_cache()
        Thread(target=store.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield store
        finally:
            store.shutdown()
            filesystem.clear_instance_cache()
        assert store.elsewhere == []


def _kept_in(store: Store) -> Any:
    """Connects to loopback alone, and tells the store of the rest."""
    connect = BaseSelectorEventLoop.sock_connect

    async def sock_connect(loop: Any, sock: Any, address: Any) -> None:
        if not ip_address(address[0]).is_loopback:
            store.elsewhere.append(address)
            raise OSError(f"{address} is not on loopback")
        await connect(loop, sock, address)

    return sock_connect
