"""Image links from the HTML of a WARC response record."""

import codecs
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

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

_OPT_OUT_FIELDS = re.compile(
    rb"^(x-robots-tag|tdm-reservation|content-usage)[ \t]*:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE
)
_WANTED = "base[href], img, meta[content], figcaption"
"""One search for all: most of its time goes into walking the tree."""
_LAZY = ("data-src", "data-original", "data-lazy-src", "data-url", "data-lazy")
"""Where scripts that load images late keep the URL: lazysizes, jQuery Lazy Load, WordPress, slick."""
_STAND_IN = re.compile(
    r"(?:[\w-]*[-_.])?(?:blank|spacer|placeholder|loading|loader|lazy|lazyload|transparent|1x1|pixel)"
    r"[-_]?\d*(?:x\d+)?(?:\.min)?\.(?:gif|png|svg)",
    re.IGNORECASE,
)
_WORTHLESS = re.compile(r"\s*(?:data:|[\[{]|$)|.*?(?:\{\{|\{\w{1,20}\})", re.IGNORECASE | re.DOTALL)
"""No URL, one that holds its image, a list, or a template for a script to fill in (`photo_{width}x.jpg`)."""
_CANDIDATE = re.compile(r"([^ \t\n\f\r,][^ \t\n\f\r]*+)(?:(?<!,)((?:[^,(]|\([^)]*+\)?)*+))?")
_SIZE = re.compile(
    r"(?:([0-9]{1,9})w(?:\s+[0-9]+h)?|((?:[0-9]++(?:\.[0-9]++)?|\.[0-9]++)(?:e[+-]?[0-9]{1,3})?)x)?",
    re.IGNORECASE,
)
_PIXEL = re.compile(r"\s*0*[0-2](?:\s*px)?\s*", re.IGNORECASE)
_UNSEEN = frozenset({"script", "style", "noscript", "svg", "figure", "figcaption"})
_BREAKS = frozenset(
    {"br", "div", "p", "li", "dt", "dd", "tr", "td", "th", "section", "header", "footer", "blockquote"}
    | {f"h{n}" for n in range(1, 7)}
)
"""Elements that browsers put on lines, or into cells, of their own."""


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
    found: defaultdict[str, list[LexborNode]] = defaultdict(list)
    for node in tree.css(_WANTED):
        found[str(node.tag)].append(node)
    return Page(
        record.url,
        found["base"][0].attributes["href"] if found["base"] else None,
        list(_images(found["img"], _Captions(found["figcaption"]))),
        _opt_out_fields(response.head),
        tuple(_metas(found["meta"])),
    )


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


def _opt_out_fields(head: bytes) -> tuple[tuple[str, str], ...]:
    """Name, in lower case, and value of the header fields that may reserve rights, repeated ones too."""
    found = (
        (match[1].decode().lower(), match[2].decode("utf-8", "replace"))
        for match in _OPT_OUT_FIELDS.finditer(head)
    )
    return tuple((name, " ".join(value.split())) for name, value in found)


def _metas(nodes: Iterable[LexborNode]) -> Iterator[tuple[str, str]]:
    """Name, or else `http-equiv`, in lower case, and content of the `meta` elements that have both."""
    for node in nodes:
        attributes = node.attributes
        name = attributes.get("name") or attributes.get("http-equiv")
        if name:
            yield name.strip().lower(), attributes["content"] or ""


def _images(nodes: Iterable[LexborNode], captions: "_Captions") -> Iterator[ImageLink]:
    """The `img` elements that have a `src` or something in its place.

    The parser, as if without scripts, makes elements of what is in `noscript`, but none of a `template`.
    """
    pictures: dict[int, str | None] = {}
    for node in nodes:
        attributes = node.attributes
        url = _url(node, attributes, pictures)
        if url is not None or "src" in attributes:
            # An attribute without a value is an empty one.
            alt, title = (attributes[name] or "" if name in attributes else None for name in ("alt", "title"))
            yield ImageLink(url, alt, title, captions.of(node), _is_pixel(attributes))


def _url(node: LexborNode, attributes: dict[str, str | None], pictures: dict[int, str | None]) -> str | None:
    """The URL that an image has once scripts are through: `src`, unless that is a stand-in for another.

    Args:
        node: the image.
        attributes: of the image.
        pictures: what the `picture` elements that were asked so far hold; grows.
    """
    src = attributes.get("src")
    if src and not _WORTHLESS.match(src) and not _STAND_IN.fullmatch(_file_name(src)):
        return src
    for name in _LAZY:
        value = attributes.get(name)
        # Some say `data-lazy="true"`.
        if value and not _WORTHLESS.match(value) and ("/" in value or "." in value):
            return value
    url, parent = _largest(attributes), node.parent
    if url is None and parent is not None and parent.tag == "picture":
        if parent.mem_id not in pictures:
            pictures[parent.mem_id] = _source(parent)
        url = pictures[parent.mem_id]
    return src if url is None else url


def _source(picture: LexborNode) -> str | None:
    """The largest candidate of the last `source`, which has the format that most programs know."""
    found = (_largest(child.attributes) for child in picture.iter() if child.tag == "source")
    return next((url for url in reversed(list(found)) if url is not None), None)


def _file_name(url: str) -> str:
    return url.partition("?")[0].partition("#")[0].rpartition("/")[2].strip()


def _largest(attributes: dict[str, str | None]) -> str | None:
    """The URL of the largest candidate of `data-srcset`, else of `srcset`, which may be a stand-in for it."""
    for name in ("data-srcset", "srcset"):
        value = attributes.get(name)
        candidates = [item for item in _candidates(value or "") if not _WORTHLESS.match(item[1])]
        if candidates:
            return max(candidates)[1]
    return None


def _candidates(srcset: str) -> Iterator[tuple[tuple[int, float], str]]:
    """Size and URL of the candidates of a `srcset`; sizes in pixels are above densities.

    Source: WHATWG HTML, section 4.8.4.3.10, parsing a srcset attribute.
    """
    for url, descriptors in _CANDIDATE.findall(srcset):
        if size := _SIZE.fullmatch(descriptors.strip()):
            width, density = size.groups()
            yield (1, int(width)) if width else (0, float(density or 1)), url.rstrip(",")


def _is_pixel(attributes: dict[str, str | None]) -> bool:
    return all(_PIXEL.fullmatch(attributes.get(name) or "") for name in ("width", "height"))


class _Captions:
    """The captions of a page's figures, in time linear in the page however deep they nest."""

    def __init__(self, nodes: Iterable[LexborNode]) -> None:
        self._figures: dict[int, int | None] = {}
        self._nodes: dict[int, LexborNode] = {}
        self._texts: dict[int, str] = {}
        for node in nodes:
            figure = self._figure(node)
            if figure is not None:
                self._nodes.setdefault(figure, node)

    def of(self, image: LexborNode) -> str | None:
        """The first caption of the nearest figure round an image; an image in a caption has none."""
        figure = self._figure(image) if self._nodes else None
        if figure is None or figure not in self._nodes:
            return None
        if figure not in self._texts:
            self._texts[figure] = _text(self._nodes[figure])
        return self._texts[figure]

    def _figure(self, node: LexborNode) -> int | None:
        """Identity of the nearest figure round a node, unless a caption comes before it."""
        passed, figure, parent = [], None, node.parent
        while parent is not None:
            identity = parent.mem_id
            if identity in self._figures:
                figure = self._figures[identity]
                break
            if parent.tag in ("figure", "figcaption"):
                figure = identity if parent.tag == "figure" else None
                break
            passed.append(identity)
            parent = parent.parent
        self._figures.update(dict.fromkeys(passed, figure))
        return figure


def _text(caption: LexborNode) -> str:
    """What is seen of a caption, whitespace collapsed, without the figures and captions in it."""
    pieces: list[str] = []
    todo: list[LexborNode | str | None] = [caption.child]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            pieces.append(item)
        elif item is not None:
            gap = " " if item.tag in _BREAKS else ""
            inside = None if item.tag in _UNSEEN else item.child
            text = item.text_content or ""
            todo += [item.next, gap, inside, text + gap]
    return " ".join("".join(pieces).split())
