"""What is to be taken down, as users write it."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from curation import io
from curation.config import Takedown
from curation.core.identity import image_id
from curation.crawl.filters import BlockList, entries
from curation.download.errors import FetchError
from curation.download.takedown import Request
from curation.download.urls import host_of, request_url
from curation.errors import InputError

_IDS, _SHA256, _URLS, _HOSTS = "ids", "sha256", "urls", "hosts"
_FORMS = {_IDS: re.compile("[0-9a-f]{32}"), _SHA256: re.compile("[0-9a-f]{64}")}
_WANTED = {
    _IDS: "a uid has 32 hex digits",
    _SHA256: "a sha256 has 64 hex digits",
    _URLS: "no URL with http or https",
    _HOSTS: "neither 32 hex digits, nor 64, nor a URL, nor a host",
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be taken down, and what may be kept about that.

    Attributes:
        request: what to look for.
        numbers: of things asked for, by kind.
        sha256: of the sorted list of them.
    """

    request: Request
    numbers: Mapping[str, int]
    sha256: str


def read_request(config: Takedown) -> Asked:
    """Read what the flags and the lists that they name ask for.

    Raises:
        InputError: a list cannot be read, or something in it is nothing of the kind. It is not quoted: what
            is to be forgotten has no place in a log.
    """
    given: dict[str, set[str]] = {kind: set() for kind in _WANTED}
    flags = {_IDS: config.uid, _SHA256: config.sha256, _URLS: config.url, _HOSTS: config.host}
    for kind, values in flags.items():
        flag = "--uid" if kind == _IDS else f"--{kind.removesuffix('s')}"
        given[kind].update(_canonical(kind, value.strip(), flag) for value in values)
    for path in config.list:
        for number, line in entries(io.read_lines(path, "--list")):
            kind = _kind(line)
            given[kind].add(_canonical(kind, line, f"{path}, line {number}"))
    if not any(given.values()):
        raise InputError("the lists are empty: there is nothing to take down")
    listed = sorted(f"{kind} {value}" for kind, values in given.items() for value in values)
    return Asked(
        request=Request(
            ids=frozenset(given[_IDS]).union(_image_ids(given[_URLS])),
            sha256=frozenset(given[_SHA256]),
            is_listed=_judge(given[_URLS], given[_HOSTS]),
        ),
        numbers={kind: len(values) for kind, values in sorted(given.items()) if values},
        sha256=hashlib.sha256("\n".join(listed).encode()).hexdigest(),
    )


def _kind(line: str) -> str:
    for kind, form in _FORMS.items():
        if form.fullmatch(line.lower()):
            return kind
    return _URLS if "://" in line else _HOSTS


def _canonical(kind: str, value: str, where: str) -> str:
    if kind in _FORMS and _FORMS[kind].fullmatch(value.lower()):
        return value.lower()
    if kind == _URLS and host_of(value):
        return value
    if kind == _HOSTS and not re.fullmatch("[0-9a-fA-F]{32,}", value):
        hosts = _hosts(value)
        if len(hosts) == 1:
            return hosts[0]
    raise InputError(f"{where}: {_WANTED[kind]}")


def _hosts(value: str) -> list[str]:
    """The host that a line of a block list is, if it is one."""
    try:
        return list(BlockList.parse([value], "").hosts)
    except InputError:
        return []


def _image_ids(urls: Iterable[str]) -> Iterator[str]:
    ids: list[str] = image_id(pa.array(list(urls), pa.string())).to_pylist()
    yield from ids


def _judge(urls: Iterable[str], hosts: Iterable[str]) -> Callable[[str], bool] | None:
    """A function that tells whether a URL is listed, or its host, or a domain above; None if none can be."""
    wanted = {form for url in urls for form in _forms(url)}
    blocked = BlockList(hosts=frozenset(hosts))
    # Forms take long to make, and few URLs are of a host that has one of those wanted.
    near = BlockList.parse({re.sub(r":[0-9]+$", "", host_of(url)) for url in wanted}, "")
    if not wanted and not blocked.hosts:
        return None

    def is_listed(url: str) -> bool:
        if blocked.reason(url) is not None:
            return True
        return near.reason(url) is not None and not wanted.isdisjoint(_forms(url))

    return is_listed


def _forms(url: str) -> set[str]:
    """A URL as it stands, without its fragment, and as it is asked for."""
    forms = {url.partition("#")[0]}
    with suppress(FetchError):
        forms.add(request_url(url))
    return forms
