"""Image links from the JSON of a WAT record.

Typed decoding does nearly all records and builds nothing that is not wanted. It refuses a record as a whole,
so what it refuses is read again without types, link by link, and one bad link costs itself only.
"""

import json
from collections import Counter
from typing import Any

import msgspec

from curation.crawl.links import ImageLink, Page
from curation.crawl.texts import decode_entities, replace_surrogates

_RESPONSE = b'"HTTP-Response-Metadata"'
_IMAGE = "IMG@/src"


class _Link(msgspec.Struct, gc=False):
    path: str | None = None
    url: str | None = None
    alt: str | None = None
    title: str | None = None


class _Head(msgspec.Struct, gc=False):
    base: str | None = msgspec.field(name="Base", default=None)


class _Html(msgspec.Struct, gc=False):
    head: _Head = msgspec.field(name="Head", default_factory=_Head)
    links: list[_Link] = msgspec.field(name="Links", default_factory=list)


class _Response(msgspec.Struct, gc=False):
    html: _Html | None = msgspec.field(name="HTML-Metadata", default=None)


class _Payload(msgspec.Struct, gc=False):
    response: _Response | None = msgspec.field(name="HTTP-Response-Metadata", default=None)


class _Envelope(msgspec.Struct, gc=False):
    payload: _Payload | None = msgspec.field(name="Payload-Metadata", default=None)


class _Record(msgspec.Struct, gc=False):
    envelope: _Envelope | None = msgspec.field(name="Envelope", default=None)


_decoder = msgspec.json.Decoder(_Record)


def page_of_wat(body: bytes, url: str | None, faults: Counter[str]) -> Page | None:
    """The page that a `metadata` record describes; None if it describes none, or is no JSON.

    Args:
        body: the record's body.
        url: the page's URL, from the header of the record.
        faults: counts `malformed_json` (the record is lost), `malformed_link` (a link, or the base, is lost).
    """
    if _RESPONSE not in body:
        return None
    try:
        html = _typed_html(body)
    except (ValueError, RecursionError):
        html = _lenient_html(body, faults)
    if html is None:
        return None
    images = [
        ImageLink(
            link.url and decode_entities(link.url),
            link.alt and decode_entities(link.alt),
            link.title and decode_entities(link.title),
        )
        for link in html.links
        if link.path == _IMAGE
    ]
    return Page(url, html.head.base and decode_entities(html.head.base), images)


def _typed_html(body: bytes) -> _Html | None:
    envelope = _decoder.decode(body).envelope
    response = envelope.payload.response if envelope and envelope.payload else None
    return response.html if response else None


def _lenient_html(body: bytes, faults: Counter[str]) -> _Html | None:
    try:
        value = json.loads(body.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        faults["malformed_json"] += 1
        return None
    for name in ("Envelope", "Payload-Metadata", "HTTP-Response-Metadata", "HTML-Metadata"):
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        return None
    head, links = value.get("Head"), value.get("Links")
    base = _strings(head, ("Base",), faults) if isinstance(head, dict) else None
    found = [_link(link, faults) for link in links] if isinstance(links, list) else []
    return _Html(_Head(*base or ()), [link for link in found if link])


def _link(link: Any, faults: Counter[str]) -> _Link | None:
    if isinstance(link, dict) and isinstance(link.get("path"), str) and link["path"] != _IMAGE:
        return None
    values = _strings(link, _Link.__struct_fields__, faults)
    return _Link(*values) if values and values[0] else None


def _strings(value: Any, names: tuple[str, ...], faults: Counter[str]) -> list[str | None] | None:
    """The named strings of a JSON object, None for those it lacks; no list where one of them is no string."""
    found = [value.get(name) for name in names] if isinstance(value, dict) else [value]
    if not all(item is None or isinstance(item, str) for item in found) or not isinstance(value, dict):
        faults["malformed_link"] += 1
        return None
    return [item and replace_surrogates(item) for item in found]
