"""Image links from the JSON of a WAT record.

Typed decoding does nearly all records and builds nothing that is not wanted: no strings for the ten links to
other pages that come with each image. It refuses a record as a whole, so what it refuses is read again
without types, link by link, and one bad link costs itself only.
"""

import json
from collections import Counter
from functools import reduce
from operator import or_
from typing import Any

import msgspec

from curation.core.opt_outs import AGENT
from curation.crawl.links import ImageLink, Page
from curation.crawl.texts import decode_entities, replace_surrogates

_RESPONSE = b'"HTTP-Response-Metadata"'
_PATH = "path"
_IMAGE = "IMG@/src"
_OTHERS = {
    "A": "href onclick ping", "APPLET": "codebase archive code", "AREA": "href ping", "AUDIO": "src",
    "BASE": "href", "BLOCKQUOTE": "cite", "BODY": "background", "BUTTON": "formaction onclick", "DEL": "cite",
    "DIV": "onclick", "EMBED": "src", "FORM": "action", "FRAME": "src longdesc", "HEAD": "profile",
    "HTML": "manifest", "IFRAME": "src longdesc", "IMG": "longdesc usemap dynsrc srcset onclick",
    "INPUT": "src formaction onclick usemap", "INS": "cite", "LINK": "href",
    "META": "content", "OBJECT": "classid cite codebase data usemap", "Q": "cite", "SCRIPT": "src",
    "SOURCE": "src srcset", "SPAN": "onclick", "TABLE": "background", "TD": "background", "TH": "background",
    "TR": "background", "TRACK": "src", "VIDEO": "src poster",
}  # fmt: skip
"""Links that the typed reader knows and passes over. A page with another kind is read the slow way."""
_OPT_OUT_METAS = frozenset({"robots", "x-robots-tag", "tdm-reservation", AGENT})


class _Image(
    ImageLink, gc=False, tag_field=_PATH, tag=_IMAGE, rename={"caption": "(caption)", "pixel": "(pixel)"}
):  # WAT has neither caption nor pixel
    pass


_KINDS = [f"{element}@/{attribute}" for element, names in _OTHERS.items() for attribute in names.split()]
_KINDS += ["STYLE/#text", "__@/style"]
_Link: Any = reduce(
    or_, [msgspec.defstruct("_Other", [], gc=False, tag_field=_PATH, tag=kind) for kind in _KINDS], _Image
)


class _Meta(msgspec.Struct, gc=False):
    name: str | None = None
    content: str | None = None
    equivalent: str | None = msgspec.field(name="http-equiv", default=None)


class _Head(msgspec.Struct, gc=False):
    base: str | None = msgspec.field(name="Base", default=None)
    metas: list[_Meta] = msgspec.field(name="Metas", default_factory=list)


class _Html(msgspec.Struct, gc=False):
    head: _Head = msgspec.field(name="Head", default_factory=_Head)
    links: list[_Link] = msgspec.field(name="Links", default_factory=list)


class _Response(msgspec.Struct, gc=False):
    headers: msgspec.Raw = msgspec.field(name="Headers", default_factory=msgspec.Raw)
    html: _Html | None = msgspec.field(name="HTML-Metadata", default=None)


class _Payload(msgspec.Struct, gc=False):
    response: _Response | None = msgspec.field(name="HTTP-Response-Metadata", default=None)


class _Envelope(msgspec.Struct, gc=False):
    payload: _Payload | None = msgspec.field(name="Payload-Metadata", default=None)


class _Record(msgspec.Struct, gc=False):
    envelope: _Envelope | None = msgspec.field(name="Envelope", default=None)


_decoder = msgspec.json.Decoder(_Record)


def is_response(body: bytes) -> bool:
    """Whether a `metadata` record may describe a page, rather than a request or a robots.txt."""
    return _RESPONSE in body


def page_of_wat(body: bytes, url: str | None, faults: Counter[str]) -> Page | None:
    """The page that a `metadata` record describes; None if it describes none, or is no JSON.

    Args:
        body: the record's body.
        url: the page's URL, from the header of the record.
        faults: counts `malformed_json` (the record is lost), `malformed_link` (a link, or the base, is lost).
    """
    if not is_response(body):
        return None
    try:
        response = _typed_response(body)
    except (ValueError, RecursionError):
        response = _lenient_response(body, faults)
    if response is None or response.html is None:
        return None
    head = response.html.head
    return Page(
        url,
        head.base and decode_entities(head.base),
        _images(response.html.links, entities=b"&" in body),
        _fields(bytes(response.headers)),
        _metas(head.metas),
    )


def _images(links: list[Any], *, entities: bool) -> list[ImageLink]:
    images: list[ImageLink] = [link for link in links if type(link) is _Image]
    for image in images if entities else ():
        if image.alt and "&" in image.alt:
            image.alt = decode_entities(image.alt)
        if image.title and "&" in image.title:
            image.title = decode_entities(image.title)
        if (
            (image.alt or image.title) and image.url and "&" in image.url
        ):  # without a text, nobody looks at it
            image.url = decode_entities(image.url)
    return images


def _fields(raw: bytes) -> tuple[tuple[str, str], ...]:
    """The header fields that may hold an opt-out, which hardly a page has; repeated ones one by one."""
    lower = raw.lower()  # and plain searches: a pattern that ignores case takes ten times as long
    if not (b"x-robots-tag" in lower or b"tdm-reservation" in lower or b"content-usage" in lower):
        return ()
    found = msgspec.json.decode(raw)
    if not isinstance(found, dict):
        return ()
    values = [(name, value) for name, value in found.items()]
    return tuple(
        (name, text)
        for name, value in values
        for text in (value if isinstance(value, list) else [value])
        if isinstance(text, str)
    )


def _metas(metas: list[_Meta]) -> tuple[tuple[str, str], ...]:
    """Name and content of the `meta` elements that may hold an opt-out."""
    return tuple(
        [
            (name, meta.content)
            for meta in metas
            if (name := meta.name or meta.equivalent) and meta.content and name.lower() in _OPT_OUT_METAS
        ]
    )


def _typed_response(body: bytes) -> _Response | None:
    envelope = _decoder.decode(body).envelope
    return envelope.payload.response if envelope and envelope.payload else None


def _lenient_response(body: bytes, faults: Counter[str]) -> _Response | None:
    try:
        value = _untyped(body)
    except (ValueError, RecursionError):
        faults["malformed_json"] += 1
        return None
    for name in ("Envelope", "Payload-Metadata", "HTTP-Response-Metadata"):
        value = value.get(name) if isinstance(value, dict) else None
    html = value.get("HTML-Metadata") if isinstance(value, dict) else None
    if not isinstance(html, dict):
        return None
    head, links = html.get("Head"), html.get("Links")
    base = _strings(head, ("Base",), faults) if isinstance(head, dict) else None
    found = [_link(link, faults) for link in links] if isinstance(links, list) else []
    metas = head.get("Metas") if isinstance(head, dict) else None
    return _Response(
        msgspec.Raw(json.dumps(value.get("Headers")).encode()),
        _Html(_Head(base[0] if base else None, _lenient_metas(metas)), [link for link in found if link]),
    )


def _untyped(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):  # the standard library takes more, five times as slowly
        return json.loads(body.decode("utf-8", "replace"), strict=False)


def _lenient_metas(metas: Any) -> list[_Meta]:
    """Those that are what they should be; the others are no loss of a pair, and are not counted."""
    found = []
    for meta in metas if isinstance(metas, list) else []:
        values = (
            [meta.get(name) for name in ("name", "content", "http-equiv")] if isinstance(meta, dict) else []
        )
        if values and all(value is None or isinstance(value, str) for value in values):
            found.append(_Meta(*values))
    return found


def _link(link: Any, faults: Counter[str]) -> _Image | None:
    kind = link.get(_PATH) if isinstance(link, dict) else None
    if isinstance(kind, str) and kind != _IMAGE:
        return None
    values = _strings(link, ("url", "alt", "title", _PATH), faults)
    if not values or kind != _IMAGE:
        return None
    url, alt, title, _ = values
    return _Image(url, alt, title)


def _strings(value: Any, names: tuple[str, ...], faults: Counter[str]) -> list[str | None] | None:
    """The named strings of a JSON object, None for those it lacks; no list where one of them is no string."""
    found = [value.get(name) for name in names] if isinstance(value, dict) else [value]
    if not all(item is None or isinstance(item, str) for item in found) or not isinstance(value, dict):
        faults["malformed_link"] += 1
        return None
    return [item and replace_surrogates(item) for item in found]
