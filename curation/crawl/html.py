"""Image links from the HTML of a WARC response record."""

import codecs
import re
from collections import Counter

from selectolax.lexbor import LexborHTMLParser

from curation.crawl.archive import Record
from curation.crawl.links import ImageLink, Page
from curation.crawl.response import BODY_BYTES, Response, is_compressed, parse_response

PRESCAN_BYTES = 1024
"""How far into a page its own word on its encoding is looked for, as in browsers."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,>/]+)", re.IGNORECASE)
_PRESCAN = re.compile(
    rb"<meta\s[^>]*?charset\s*=\s*[\"']?\s*([^\s\"';>/]+)|^\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([^\"']+)",
    re.IGNORECASE,
)
_LABELS = {
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "ascii", "x-user-defined"), "cp1252"),
    **dict.fromkeys(("iso-8859-9", "iso8859-9"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "iso8859-11", "tis-620", "windows-874", "dos-874"), "cp874"),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "x-sjis", "windows-31j"), "cp932"),
    **dict.fromkeys(("euc_kr", "ks_c_5601", "windows-949"), "cp949"),
    **{f"x-cp125{n}": f"cp125{n}" for n in range(9)},
    "big5": "big5hkscs",
    "iso-8859-8-i": "iso8859-8",
    "unicode-1-1-utf-8": "utf-8",
    "utf-16": "utf-16-le",
    "x-mac-cyrillic": "mac-cyrillic",
}
"""Labels, or names of Python's codecs, that mean something else to browsers, mostly a superset.

Source: WHATWG Encoding, section 4.2.
"""
_ENCODINGS = frozenset(_LABELS.values()) | {
    *("utf-8", "utf-16-be", "euc_jp", "iso2022_jp", "koi8-r", "koi8-u", "cp866", "mac-roman", "mac-cyrillic"),
    *(f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
    *(f"cp125{n}" for n in range(9)),
}
"""What browsers know; of Python's other codecs some are no encodings of text at all."""


def page_of_response(record: Record, faults: Counter[str]) -> Page | None:
    """The page in a `response` record; None if it holds something else.

    Args:
        record: the record. Of one that was cut off the links before the cut are found.
        faults: counts `undecodable_body` and `body_too_long`; the page is lost.
    """
    if not record.fields.get("content-type", "").startswith("application/http"):
        return None
    response = parse_response(record.body)
    kind = response.fields.get("content-type") or record.fields.get("warc-identified-payload-type", "")
    if "html" not in kind.partition(";")[0].lower():
        return None
    for reason, lost in (
        ("undecodable_body", is_compressed(response.body)),
        ("body_too_long", len(response.body) > BODY_BYTES),
    ):
        if lost:
            faults[reason] += 1
            return None
    tree = LexborHTMLParser(decode_html(response))
    base = tree.css_first("base[href]")
    images = [_image(node.attributes) for node in tree.css("img[src]")]
    return Page(record.url, base.attributes["href"] if base else None, images)


def decode_html(response: Response) -> str:
    """The text of a page, bytes that are wrong in its encoding as U+FFFD.

    The encoding is that of the byte order mark, else of the HTTP header, else of the page's own `meta` or XML
    declaration, else UTF-8; a label that nobody knows counts as none.
    """
    body = response.body
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    named = _CHARSET.search(response.fields.get("content-type", ""))
    if named and (encoding := _encoding(named[1])):
        return body.decode(encoding, "replace")
    own = _PRESCAN.search(body[:PRESCAN_BYTES])
    encoding = _encoding((own[1] or own[2]).decode("ascii", "replace")) if own else ""
    # A page whose ASCII can be read to say UTF-16 is not in UTF-16.
    return body.decode("utf-8" if encoding.startswith("utf-16") else encoding or "utf-8", "replace")


def _encoding(label: str) -> str:
    """Name of the Python codec for a label, empty for labels that browsers do not know."""
    label = label.strip().lower()
    try:
        name = _LABELS.get(label) or codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    name = _LABELS.get(name, name)
    return name if name in _ENCODINGS else ""


def _image(attributes: dict[str, str | None]) -> ImageLink:
    """The image of an `img` element; an attribute without a value is an empty one."""
    alt, title = (attributes[name] or "" if name in attributes else None for name in ("alt", "title"))
    return ImageLink(attributes["src"], alt, title)
