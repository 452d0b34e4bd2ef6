"""What can happen to a URL before it is an image: one short list, whatever the libraries call it."""

import errno
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import aiohttp

from curation.core.retry_after import seconds_asked

MOST_RETRY_AFTER_SECONDS = 86_400.0
"""What a server asks for beyond a day is taken for a day."""

_MOST_CHARACTERS = 200
_UNPRINTABLE = re.compile(r"[^ -~]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """What to do about an error.

    Attributes:
        again: another try may succeed within the run.
        later: another run may succeed.
    """

    again: bool
    later: bool


_STAYS = Kind(again=False, later=False)
_LATER = Kind(again=False, later=True)
_PASSES = Kind(again=True, later=True)

FETCH_ERRORS: Mapping[str, Kind] = MappingProxyType(
    {
        "bad_url": _STAYS,
        "not_http": _STAYS,
        "refused_address": _STAYS,  # private, loopback, metadata services, …
        "no_such_host": _LATER,
        "dns_error": _PASSES,
        "connection_failed": _PASSES,  # refused, reset, unreachable, hung up before an answer
        "tls_error": _LATER,
        "timeout": _PASSES,
        "not_found": _STAYS,  # 404, 410
        "forbidden": _STAYS,  # 401, 402, 403, 451
        "too_many_requests": _PASSES,  # 429, and 503 that says when to come back
        "server_error": _PASSES,  # 5xx, 408, 425
        "http_status": _STAYS,  # any other than 200 and 203
        "too_many_redirects": _STAYS,
        "too_large": _STAYS,
        "bad_encoding": _STAYS,
        "incomplete": _PASSES,  # shorter than declared, or broken off
        "bad_response": _STAYS,  # not HTTP
        "robots_txt": _STAYS,
        "opted_out": _STAYS,
    }
)
"""Every error of a fetch. What robots.txt itself failed with is told as that error, for it may pass."""


class FetchError(Exception):
    """A URL that could not be fetched.

    Attributes:
        error: a key of `FETCH_ERRORS`.
        message: what more there is to say, one short printable line, the same each time.
        retry_after: seconds that the server asks to wait, where it does.
    """

    def __init__(self, error: str, message: str | None = None, retry_after: float | None = None) -> None:
        if message is not None:
            message = _UNPRINTABLE.sub("?", message)[:_MOST_CHARACTERS]
        super().__init__(error, message, retry_after)
        self.error = error
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.error}: {self.message}" if self.message else self.error


class RefusedAddressError(OSError):
    """A connection to an address that is not public was not made.

    The text is the same for all addresses: of several that are refused, aiohttp then passes one on as it is.
    """

    def __init__(self) -> None:
        super().__init__("address is not public")


def status_error(status: int, retry_after: str | None) -> FetchError:
    """What an answer other than a picture means.

    Args:
        status: of HTTP.
        retry_after: the header, where there is one.
    """
    seconds = seconds_asked(retry_after, now=time.time()) if status in (429, 503) else None
    if seconds is not None:
        seconds = min(seconds, MOST_RETRY_AFTER_SECONDS)
    if status == 429 or seconds is not None:
        error = "too_many_requests"
    elif status in (404, 410):
        error = "not_found"
    elif status in (401, 402, 403, 451):
        error = "forbidden"
    elif status in (408, 425) or 500 <= status <= 599:
        error = "server_error"
    else:
        error = "http_status"
    return FetchError(error, f"HTTP {status}", seconds)


def described(error: Exception) -> FetchError:
    """What an exception of aiohttp, ssl or the system means; a FetchError is passed through."""
    if isinstance(error, FetchError):
        return error
    cause = error.__cause__ or error
    if isinstance(cause, RefusedAddressError):
        return FetchError("refused_address")
    if isinstance(cause, (ssl.SSLError, ssl.CertificateError)):
        return FetchError("tls_error", getattr(cause, "verify_message", "") or getattr(cause, "reason", None))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _dns_error(error.os_error)
    if isinstance(error, aiohttp.InvalidURL):
        return FetchError("bad_url")
    if isinstance(error, aiohttp.ClientPayloadError):
        return FetchError("incomplete")
    if isinstance(error, (TimeoutError, aiohttp.ServerTimeoutError)):
        return FetchError("timeout")
    if isinstance(error, OSError):
        code = getattr(cause, "errno", None)
        if code == errno.ETIMEDOUT:
            return FetchError("timeout")
        return FetchError("connection_failed", errno.errorcode.get(code or 0))
    if isinstance(error, aiohttp.ClientConnectionError):
        return FetchError("connection_failed", "no answer")
    # Whatever a server makes a library stumble over; a fault of ours would show in the tests.
    return FetchError(
        "bad_response", None if isinstance(error, aiohttp.ClientError) else type(error).__name__
    )


def _dns_error(error: OSError) -> FetchError:
    """What a look-up that failed says of the name."""
    absent = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
    return FetchError("no_such_host" if error.errno in absent else "dns_error")
