"""Pages as the WAT files that Common Crawl would publish of them."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DATE = "2026-01-01T00:00:00Z"
_PAGES_A_FILE = 12
_CUT_OFF_BYTES = 40


@dataclass(frozen=True, kw_only=True)
class Link:
    """An image link: attributes that are None are not there."""

    url: str | None
    alt: str | None = None
    title: str | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page: its URL, the `href` of its `base` element if it has one, its image links."""

    url: str
    base: str | None
    links: Sequence[Link]


def write_wats(pages: Sequence[Page], folder: Path) -> list[Path]:
    """Write pages as WAT files: the first with a record whose JSON is broken, the last cut off.

    A file that is there already stays as it is, time and all, so that a second demo reads the same input.

    Returns:
        The paths of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, first in enumerate(range(0, len(pages), _PAGES_A_FILE)):
        path = folder / f"small-web-{number:05d}.warc.wat.gz"
        members = list(_members(pages[first : first + _PAGES_A_FILE], path.name))
        if number == 0:
            members.insert(1, _broken(pages[0].url))
        content = b"".join(members)
        if first + _PAGES_A_FILE >= len(pages):
            content = content[:-_CUT_OFF_BYTES]
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
        paths.append(path)
    return paths


def _members(pages: Sequence[Page], name: str) -> Iterator[bytes]:
    """The records of a file: one about the file, and two for each page, of the request and the response."""
    about = f"Software-Info: curation.demo\r\nWARC-Filename: {name}\r\n".encode()
    yield _member("warcinfo", "application/warc-fields", about)
    for page in pages:
        yield _metadata(page.url, "request", {"HTTP-Request-Metadata": {"Headers": {"User-Agent": "demo"}}})
        html: dict[str, Any] = {"Links": [_link(link) for link in page.links]}
        if page.base is not None:
            html["Head"] = {"Base": page.base}
        response = {
            "Response-Message": {"Version": "HTTP/1.1", "Status": "200", "Reason": "OK"},
            "Headers": {"Content-Type": "text/html; charset=utf-8"},
            "HTML-Metadata": html,
        }
        yield _metadata(page.url, "response", {"HTTP-Response-Metadata": response})


def _link(link: Link) -> dict[str, str]:
    attributes = {"url": link.url, "alt": link.alt, "title": link.title}
    return {"path": "IMG@/src"} | {name: value for name, value in attributes.items() if value is not None}


def _metadata(url: str, kind: str, payload: Mapping[str, Any]) -> bytes:
    about = {"WARC-Type": kind, "WARC-Date": _DATE, "WARC-Target-URI": url}
    envelope = {"Format": "WARC/1.0", "WARC-Header-Metadata": about, "Payload-Metadata": payload}
    return _member("metadata", "application/json", json.dumps({"Envelope": envelope}).encode(), url)


def _broken(url: str) -> bytes:
    body = b'{"Envelope":{"Payload-Metadata":{"HTTP-Response-Metadata":{"HTML-Metadata":{"Links":[{"pa'
    return _member("metadata", "application/json", body, url)


def _member(kind: str, media_type: str, body: bytes, url: str | None = None) -> bytes:
    """A WARC record in a gzip member of its own, as all readers of WAT files expect it."""
    fields = {"WARC-Type": kind, "WARC-Target-URI": url, "WARC-Date": _DATE, "Content-Type": media_type}
    fields["Content-Length"] = str(len(body))
    lines = ["WARC/1.0", *(f"{name}: {value}" for name, value in fields.items() if value), "", ""]
    return gzip.compress("\r\n".join(lines).encode() + body + b"\r\n\r\n", mtime=0)
