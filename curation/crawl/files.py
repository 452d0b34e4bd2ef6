"""Which files there are to read: local paths, globs, URLs, and the lists that Common Crawl publishes."""

import gzip
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import has_magic
from typing import Any, BinaryIO, cast

import fsspec
import numpy as np
import pyarrow as pa
from fsspec.utils import glob_translate

from curation.core.drivers import AccessError, check_access, remedy
from curation.core.identity import uniform
from curation.crawl.members import ReadError, describe
from curation.crawl.patience import patient
from curation.errors import InputError

_CRAWL_NAME = re.compile(r"CC-MAIN-\d{4}-\d{2}")


@dataclass(frozen=True, slots=True, order=True)
class InputFile:
    """A file to read.

    Attributes:
        path: a local path, absolute, or a URL.
        size_bytes: None where it is not known without asking for each file.
        modified: when, or what version, in whatever form the file system says it; only ever compared.
    """

    path: str
    size_bytes: int | None = None
    modified: str | None = None


@contextmanager
def open_input(path: str, start: int = 0) -> Iterator[BinaryIO]:
    """A local file or a URL, opened for reading from a byte on; what is not local is read patiently.

    Raises:
        ReadError: it could not be opened.
        AccessError: no URL of its kind can be.
    """
    try:
        local = _is_local(fsspec.core.url_to_fs(path)[0])
        stream = fsspec.open(path, "rb").open() if local else patient(path, start)
        if local and start:
            stream.seek(start)
    except (ReadError, AccessError):
        raise
    except Exception as error:  # every file system of fsspec has exceptions of its own
        check_access(path, error)
        raise ReadError(describe(error)) from error
    with stream:
        yield cast(BinaryIO, stream)


def list_inputs(patterns: Sequence[str]) -> list[InputFile]:
    """The files that paths, globs and URLs name, sorted by path, each once.

    Raises:
        InputError: a pattern matches no file, names a folder, or cannot be looked up.
    """
    return sorted({file.path: file for pattern in patterns for file in _matching(pattern)}.values())


def list_crawl(
    crawls: Sequence[str], *, kind: str, limit: int | None, seed: int, base_url: str
) -> list[InputFile]:
    """The files of whole crawls, or a sample of them.

    Args:
        crawls: names such as `CC-MAIN-2024-51`.
        kind: `wat` or `warc`.
        limit: how many files in all, chosen by a hash of their paths in the lists: a larger limit adds files,
            and another mirror has the same sample; None for all.
        seed: which sample.
        base_url: where Common Crawl's tree of files begins.

    Returns:
        The files sorted by path; sizes unknown.

    Raises:
        InputError: a name is none, or its list cannot be read.
    """
    base_url = base_url.rstrip("/") + "/"
    paths = sorted({path for crawl in crawls for path in _paths(crawl, kind, base_url)})
    if limit is not None:
        ids = pa.array([hashlib.md5(path.encode()).hexdigest() for path in paths])
        chosen = np.argsort(uniform(seed, ids, salt="files"), kind="stable")[:limit]
        paths = [paths[index] for index in sorted(chosen)]
    return [InputFile(base_url + path) for path in paths]


def _matching(pattern: str) -> list[InputFile]:
    try:
        system, path = fsspec.core.url_to_fs(pattern)
        system.invalidate_cache()  # what was listed before may have changed
        web = pattern.startswith(("http://", "https://"))
        # In the URL of a web page `?` and `[` are no wildcards; a file may bear such a name, too.
        is_glob = "*" in path if web else has_magic(path) and not system.exists(path)
        if is_glob and not (web or _is_local(system)):
            infos = _glob(system, path)
        else:
            infos = [system.info(path) for path in (system.glob(path) if is_glob else [path])]
    except FileNotFoundError:
        infos = []
    except Exception as error:
        told = remedy(pattern, error) or f"{describe(error)}; check the path or URL"
        raise InputError(f"cannot look up {pattern}: {told}") from error
    files = [info for info in infos if info["type"] == "file"]
    if not files and infos:
        raise InputError(f"{pattern} is a folder; name its files, for example {pattern.rstrip('/')}/*.gz")
    if not files:
        raise InputError(f"no file matches {pattern}; check the path, and quote globs for the shell")
    return [
        InputFile(
            info["name"] if web or _is_local(system) else system.unstrip_protocol(info["name"]),
            info["size"],
            _modified(info),
        )
        for info in files
    ]


def _glob(system: Any, pattern: str) -> list[dict[str, Any]]:
    """What a pattern matches in an object store: one listing a folder, sizes and versions included.

    fsspec's own asks for each file again, and passes over folders that cannot be listed.
    """
    names = pattern.split("/")
    first = next(place for place, name in enumerate(names) if has_magic(name))
    folders, infos = ["/".join(names[:first])], list[dict[str, Any]]()
    for place, name in enumerate(names[first:], first):
        if name == "**":
            matches = re.compile(glob_translate(pattern)).match
            found = [info for folder in folders for info in system.find(folder, detail=True).values()]
            return [info for info in found if matches(info["name"]) and not info["name"].endswith("/")]
        if place + 1 < len(names) and not has_magic(name):
            folders = [f"{folder}/{name}" for folder in folders]
            continue
        infos = [info for folder in folders for info in _listed(system, folder, name)]
        folders = [info["name"] for info in infos if info["type"] == "directory"]
    return infos


def _listed(system: Any, folder: str, pattern: str) -> list[dict[str, Any]]:
    try:
        infos = system.ls(folder, detail=True)
    except FileNotFoundError:
        return []
    # Consoles make a folder by an empty object of its name and a slash, which is listed in it.
    named = [(info["name"].rpartition("/")[2], info) for info in infos if info["name"] != folder]
    return [info for name, info in named if name and fnmatchcase(name, pattern)]


def _is_local(system: Any) -> bool:
    return "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))


def _modified(info: dict[str, Any]) -> str | None:
    # S3 has an ETag in every answer, and times of another precision in listings.
    for name in ("mtime", "last_modified", "Last-Modified", "ETag", "LastModified"):
        if info.get(name):
            return str(info[name])
    return None


def _paths(crawl: str, kind: str, base_url: str) -> list[str]:
    if not _CRAWL_NAME.fullmatch(crawl):
        raise InputError(f"{crawl!r} is no crawl; they are named like CC-MAIN-2024-51")
    url = f"{base_url}crawl-data/{crawl}/{kind}.paths.gz"
    try:
        with open_input(url) as stream:
            paths = gzip.decompress(stream.read()).decode().split()
    except (ReadError, AccessError, OSError, EOFError, ValueError) as error:
        told = str(error) if isinstance(error, (ReadError, AccessError)) else describe(error)
        raise InputError(f"cannot read the list of files of {crawl} at {url}: {told}") from error
    if not paths:
        raise InputError(f"the list of files of {crawl} at {url} is empty")
    return paths
