"""Small WARC and WAT files for the tests, written out by hand so that they can be wrong on purpose."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.crawl.extract import Reading, read_file
from curation.crawl.language import Languages
from curation.crawl.pairs import Rules

PAGE = "http://site.example/dir/page.html"


def record(kind: str, body: bytes, url: str | None = PAGE, length: int | None = None, **fields: str) -> bytes:
    """A WARC record as bytes, its length wrong where one is given."""
    lines = ["WARC/1.0", f"WARC-Type: {kind}"]
    lines += [f"WARC-Target-URI: {url}"] if url else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    lines += [f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body + b"\r\n\r\n"


def envelope(links: Any, head: Any = None, headers: Any = None) -> dict[str, Any]:
    """The JSON of a WAT record for a page with these links."""
    html = {"Links": links} | ({} if head is None else {"Head": head})
    response = {"Headers": headers or {"Content-Type": "text/html"}, "HTML-Metadata": html}
    return {"Envelope": {"Payload-Metadata": {"HTTP-Response-Metadata": response}, "Format": "WARC/1.0"}}


def image(url: Any = "http://img.example/a.jpg", **texts: Any) -> dict[str, Any]:
    return {"path": "IMG@/src", "url": url, **texts}


def wat(links: Any, url: str | None = PAGE, **parts: Any) -> bytes:
    """A WAT record of a page with these links."""
    return wat_of_json(json.dumps(envelope(links, **parts)).encode(), url)


def wat_of_json(body: bytes, url: str | None = PAGE, length: int | None = None) -> bytes:
    return record("metadata", body, url, length, Content_Type="application/json")


def response(
    body: bytes, header: str = "Content-Type: text/html; charset=utf-8", url: str | None = PAGE
) -> bytes:
    """A WARC record of an HTTP response; header lines are separated by single line ends."""
    lines = ["HTTP/1.1 200 OK", *header.splitlines()]
    http = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
    return record("response", http, url, Content_Type="application/http; msgtype=response")


def gzipped(records: Iterable[bytes]) -> bytes:
    """One gzip member a record, as Common Crawl writes them."""
    return b"".join(gzip.compress(item, mtime=0) for item in records)


def numbered(count: int) -> list[bytes]:
    """WAT records of as many pages, page n with the two pairs `alt n` and `title n`."""
    return [
        wat([image(f"/{n}.jpg", alt=f"alt {n}", title=f"title {n}")], f"http://site{n}.example/")
        for n in range(count)
    ]


def read(
    path: Path | str, languages: frozenset[str] | None = None, **rules: Any
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The pairs of a file and its ledger, which must be the last row, and add up."""
    reading = Reading(rules=Rules(**rules), languages=Languages(wanted=languages))
    *batches, last = read_file(str(path), reading=reading)
    pairs = pa.Table.from_batches(batches, last.schema).drop(["file"]).to_pylist()
    (ledger,) = (row["file"] for row in last.to_pylist())
    ledger["dropped"], ledger["faults"] = dict(ledger["dropped"]), dict(ledger["faults"])
    assert ledger["pairs"] == len(pairs)
    assert ledger["candidates"] == len(pairs) + sum(ledger["dropped"].values())
    return pairs, ledger


def read_bytes(folder: Path, data: bytes, **rules: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    path = folder / "input"
    path.write_bytes(data)
    return read(path, **rules)


def texts_of(pairs: list[dict[str, Any]]) -> list[str]:
    return [pair["text"] for pair in pairs]
