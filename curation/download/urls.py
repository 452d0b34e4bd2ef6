"""URLs as pages have them, into URLs that can be asked for, as browsers mend them."""

import ipaddress
import re
import socket
import string
from functools import lru_cache
from urllib.parse import quote, unquote, urljoin, urlsplit

from yarl import URL

from curation.download.errors import FetchError

MOST_CHARACTERS = 8190
"""Of a URL: more than servers take."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_EDGES = "".join(map(chr, range(33)))
_WITHIN = str.maketrans("", "", "\t\r\n")
_SAFE = string.ascii_letters + string.digits + "-._~:/?[]@!$&'()*+,;=%"
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_LAST_DOT = re.compile(r"\.(?=:|$)")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_PORTS = {"http": 80, "https": 443}


def request_url(url: str) -> str:
    """A URL as it can be asked for: its host in IDNA, numbers that stand for addresses written as such.

    What else URLs may not have is percent-encoded. Credentials and fragment are left out.

    Raises:
        FetchError: `not_http` or `bad_url`.

    Source:
        WHATWG, "URL Standard", for what is mended.
    """
    url = url.strip(_EDGES).translate(_WITHIN)
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise FetchError("bad_url")
    name = scheme[1].lower()
    if name not in _PORTS:
        raise FetchError("not_http")
    rest, _, query = url[scheme.end() :].partition("#")[0].partition("?")
    authority, _, path = rest.replace("\\", "/").lstrip("/").partition("/")
    path = _quoted("/" + path)
    if "/." in path:
        path = _without_dots(path)
    mended = f"{name}://{_authority(authority, name)}{path}" + (f"?{_quoted(query)}" if query else "")
    if len(mended) > MOST_CHARACTERS:
        raise FetchError("bad_url", "too long")
    return mended


def redirect_url(url: str, location: str) -> str:
    """Where an answer for a URL sends us, as it can be asked for.

    Raises:
        FetchError: `not_http` or `bad_url`.
    """
    location = location.strip(_EDGES).translate(_WITHIN).replace("\\", "/")
    try:
        return request_url(urljoin(url, location))
    except ValueError:
        raise FetchError("bad_url") from None


def host_of(url: str) -> str:
    """What limits of a server are counted by: its host, with the port where that is not the usual one.

    Returns:
        "" for what cannot be asked for.
    """
    try:
        return _LAST_DOT.sub("", urlsplit(request_url(url)).netloc)
    except FetchError:
        return ""


def _quoted(part: str) -> str:
    try:
        # Bytes of a header that are no UTF-8 come from aiohttp as surrogates.
        return quote(part, safe=_SAFE, errors="surrogateescape")
    except UnicodeEncodeError:
        raise FetchError("bad_url") from None


def _without_dots(path: str) -> str:
    """A path without `.` and `..`, which are taken at their word; `urljoin` takes `//` for a host."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


@lru_cache(4096)
def _authority(authority: str, scheme: str) -> str:
    host, port = re.fullmatch(r"(?s)(.*?)(?::([0-9]*))?", authority.rpartition("@")[2]).groups()  # type: ignore[union-attr]
    try:
        host = _host(host)
        number = int(port[:6]) if port else _PORTS[scheme]
    except (ValueError, OSError):
        raise FetchError("bad_url") from None
    if not 0 < number < 65536:
        raise FetchError("bad_url")
    return host if number == _PORTS[scheme] else f"{host}:{number}"


def _host(host: str) -> str:
    """A host as it is asked for.

    Raises:
        ValueError, OSError: it is none.
    """
    if host.startswith("["):
        if not host.endswith("]") or "%" in host:  # scopes lead to the local network only
            raise ValueError
        return f"[{ipaddress.IPv6Address(host[1:-1])}]"
    if "%" in host:
        host = unquote(host, errors="strict")
    if not host.isascii():
        host = URL.build(scheme="http", host=host).raw_host or ""
    host = host.lower()
    labels = host.removesuffix(".")
    if _NUMBER.fullmatch(labels.rpartition(".")[2]):
        # `2130706433`, `0x7f.1`, `0177.0.0.1`: the resolver would take them for addresses too.
        return socket.inet_ntoa(socket.inet_aton(labels))
    if not _NAME.fullmatch(labels):
        raise ValueError
    return host
