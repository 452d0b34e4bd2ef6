"""Image links as pages write them, and the absolute URLs that browsers make of them."""

import re
from urllib.parse import urljoin

import msgspec

URL_CHARACTERS = 2048
"""Longest URL that is kept; servers and crawlers refuse longer ones."""

_PADDING = "".join(map(chr, range(0x21)))
_LINE_BREAKS = re.compile(r"[\t\n\r]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_DOT_SEGMENT = re.compile(r"(?:^|/)\.{1,2}(?:/|$)")
_HOST = r"[^\x00-\x20/?#@:\[\]<>\"%^`{|}\\\x7f]+"
_HTTP_URL = re.compile(
    rf"(https?)://([^/?#@]*@)?(\[[0-9A-Fa-f:.]+\]|{_HOST})(?::([0-9]*))?(?=[/?]|$)", re.IGNORECASE
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}

# What nearly all links look like: nothing to strip, to resolve or to normalise.
_PLAIN_HOST = _HOST.replace("[^", "[^A-Z")
_PLAIN_REST = r"[^\x00-\x1f#\\]*"
_PLAIN = re.compile(
    rf"(?:(?P<url>(https?://{_PLAIN_HOST})(?:[/?]{_PLAIN_REST})?)"
    rf"|(?P<host>//{_PLAIN_HOST}(?:[/?]{_PLAIN_REST})?)"
    rf"|(?P<path>/(?!/){_PLAIN_REST})"
    r"|(?P<relative>[A-Za-z0-9_%~\-][^\x00-\x1f#\\:]*))(?<! )"
)


class ImageLink(msgspec.Struct, gc=False):
    """An image of a page as the page has it: undecided whether its URL is any good."""

    url: str | None = None
    alt: str | None = None
    title: str | None = None
    caption: str | None = None
    pixel: bool = False


class Page(msgspec.Struct, frozen=True, gc=False):
    """An HTML page: its URL, the `href` of its `base` element, its images in document order."""

    url: str | None
    base: str | None
    images: list[ImageLink]
    headers: tuple[tuple[str, str], ...] = ()
    metas: tuple[tuple[str, str], ...] = ()


class Base:
    """What the links of one page are resolved against.

    Args:
        page_url: of the page, if it is known.
        href: of its `base` element, which counts if it leads to http(s).
        url_characters: longest URL that is kept.
    """

    def __init__(self, page_url: str | None, href: str | None, url_characters: int = URL_CHARACTERS) -> None:
        self._longest = url_characters
        self._page_url, self._href = page_url, href
        self._prepared = False

    def _prepare(self) -> None:
        """Find out what relative links start from; many a page has none."""
        self._prepared = True
        self._url = self._origin = self._directory = ""
        page_url, href = self._page_url, self._href
        plain = _PLAIN.fullmatch(page_url) if page_url and not href else None
        if page_url and plain and plain[2] and "/." not in page_url and "//" not in page_url[8:]:
            path = page_url.partition("?")[0]
            self._url, self._origin = page_url, plain[2]
            self._directory = path[: path.rindex("/") + 1] if len(path) > len(plain[2]) else path + "/"
            return
        for link in (href, None):
            try:
                url = urljoin(page_url or "", _clean(link or ""))
                directory = urljoin(url, ".")
            except ValueError:
                continue
            if match := _HTTP_URL.match(url):
                self._url = url
                self._origin = _origin(match)
                self._directory = self._origin + directory[match.end() :]
                return

    def _has_origin(self) -> bool:
        if not self._prepared:
            self._prepare()
        return bool(self._origin)

    @property
    def _scheme(self) -> str:
        return "https:" if self._origin.startswith("https") else "http:"

    def resolve(self, link: str | None) -> tuple[str, None] | tuple[None, str]:
        """The absolute URL of a link, made as browsers do, except that nothing is percent-encoded.

        Scheme and host come out in lower case, the default port and the fragment are left out.

        Returns:
            (url, None) or (None, reason), the reason one of `no_url` (missing or empty), `data_uri`,
            `not_http`, `bad_url` (a host that cannot be one, or relative on a page without a URL),
            `url_too_long`.
        """
        if link and link.startswith("data:"):  # often long, so not looked through
            return None, "data_uri"
        url = None
        if link and (plain := _PLAIN.fullmatch(link)):
            kind = plain.lastgroup
            if kind == "url":
                url = link
            elif "/." not in link and self._has_origin():
                if kind == "path":
                    url = self._origin + link
                else:
                    url = self._directory + link if kind == "relative" else self._scheme + link
        if url is None:
            url, reason = self._resolve(link)
            if url is None:
                return None, str(reason)
        return (url, None) if len(url) <= self._longest else (None, "url_too_long")

    def _resolve(self, link: str | None) -> tuple[str, None] | tuple[None, str]:
        if not self._prepared:
            self._prepare()
        link = _clean(link or "").partition("#")[0]
        if not link:
            return None, "no_url"
        if "\\" in link:
            path, mark, query = link.partition("?")
            link = path.replace("\\", "/") + mark + query
        if scheme := _SCHEME.match(link):
            if scheme[1].lower() not in _DEFAULT_PORTS:
                return None, "data_uri" if scheme[1].lower() == "data" else "not_http"
            link = scheme[1].lower() + link[scheme.end(1) :]
        url = link if link.startswith(("http://", "https://")) else self._join(link)
        if not (match := _HTTP_URL.match(url)):
            return None, "bad_url"
        return _origin(match) + url[match.end() :], None

    def _join(self, link: str) -> str:
        if self._url and link[0] != "?" and not _SCHEME.match(link) and not _DOT_SEGMENT.search(link):
            # Mere concatenation; `urljoin`, which does the same, takes 5 µs.
            if link.startswith("//"):
                return self._scheme + link
            return (self._origin if link[0] == "/" else self._directory) + link
        try:
            return urljoin(self._url, link)
        except ValueError:
            return ""


def _origin(match: re.Match[str]) -> str:
    """Scheme, host and port of a URL in the form that all spellings of it share."""
    scheme, user, host, port = match[1].lower(), match[2] or "", match[3].lower(), match[4]
    return f"{scheme}://{user}{host}" + (f":{port}" if port and port != _DEFAULT_PORTS[scheme] else "")


def _clean(link: str) -> str:
    """A link without the padding and the line breaks that browsers ignore."""
    link = link.strip(_PADDING)
    return _LINE_BREAKS.sub("", link) if "\n" in link or "\t" in link or "\r" in link else link
