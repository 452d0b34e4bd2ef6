"""Material to measure with, in the proportions of the real web: WAT files, pairs, a server of pictures."""

import gzip
import io
import json
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from curation.core.identity import pair_uid
from curation.demo.pictures import COLOURS, SUBJECTS, Picture, draw
from curation.demo.server import Answer, Server
from curation.schemas import PAIRS

_POOL_FILES = 8
_KNOWN, _STRANGE = 4, 5  # words of a text that are in the vocabulary and that are not: 3.5 matches a text
_NOISE = 24.0  # so that a drawing has the bytes of a photograph
_PICTURES = 24

# A page of the WAT of 582 real pages: 30 KB, 5 to 1 compressed, 2,060 alt texts a MB.
_PAGES_A_FILE = 165
_LINKS, _IMAGES_WITH_ALT, _IMAGES_WITHOUT, _METAS = 200, 13, 9, 80


class Texts:
    """Texts of words as frequent as they are on the web; half of the texts match nothing.

    Args:
        vocabulary: a VOCABULARY folder whose words have counts.
    """

    def __init__(self, vocabulary: Path) -> None:
        table = pq.read_table(vocabulary / "entries.parquet", columns=["entry", "count"])
        single = pc.and_(pc.greater(table["count"], 0), pc.invert(pc.match_substring(table["entry"], " ")))
        words = table.filter(single)
        self._words = np.array(words["entry"].to_pylist(), object)
        self._odds = np.cumsum(words["count"].to_numpy().astype(float))
        self._rng = np.random.default_rng(0)

    def words(self, number: int) -> list[str]:
        """So many words, frequent ones often."""
        places = np.searchsorted(self._odds, self._rng.random(number) * self._odds[-1], side="right")
        found: list[str] = self._words[places].tolist()
        return found

    def texts(self, number: int) -> list[str]:
        """So many texts of nine words."""
        known = self.words(_KNOWN * number)
        strange = [f"{word[::-1]}q" for word in self.words((_KNOWN + _STRANGE) * number)]
        length = _KNOWN + _STRANGE
        return [
            " ".join(
                strange[at * length : (at + 1) * length]
                if at % 2
                else known[at * _KNOWN : (at + 1) * _KNOWN] + strange[at * length : at * length + _STRANGE]
            )
            for at in range(number)
        ]


def pool_files(folder: Path, texts: Callable[[int], list[str]], *, rows: int) -> list[Path]:
    """Write distinct pairs, all English.

    Args:
        folder: for the files.
        texts: gives so many texts, others each time.
        rows: in each of the files.

    Returns:
        The Parquet files, of PAIRS.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(_POOL_FILES):
        path = folder / f"part-{number}.parquet"
        pq.write_table(_pairs(number, texts(rows)), path, compression="zstd")
        paths.append(path)
    return paths


def _pairs(number: int, texts: list[str]) -> pa.Table:
    rows = len(texts)
    urls = [
        f"https://cdn{n % 97}.example.com/{number}/{n * 7919:x}/{text[:24]}.jpg"
        for n, text in enumerate(texts)
    ]
    columns = {
        "uid": pair_uid(pa.array(urls), pa.array(texts)),
        "url": urls,
        "text": texts,
        "text_source": ["alt"] * rows,
        "page_url": [f"https://www{n % 89}.example.com/{number}/{n * 31:x}.html" for n in range(rows)],
        "crawl": ["CC-MAIN-2026-01"] * rows,
        "language": ["en"] * rows,
        "language_score": np.linspace(0.5, 1, rows),
        "seen": [1] * rows,
        "opt_outs": [[]] * rows,
    }
    return pa.table(columns, PAIRS)


def wat_files(folder: Path, texts: Texts, *, files: int) -> list[Path]:
    """Write WAT files of a megabyte each.

    Args:
        folder: for the files.
        texts: of the links.
        files: how many.

    Returns:
        Their paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(files):
        path = folder / f"{number:05d}.warc.wat.gz"
        path.write_bytes(b"".join(_members(number, texts)))
        paths.append(path)
    return paths


def _members(number: int, texts: Texts) -> Iterator[bytes]:
    for page in range(_PAGES_A_FILE):
        url = f"https://www{number}.example.com/{page}/index.html"
        yield _member(url, {"HTTP-Request-Metadata": {"Headers": {"User-Agent": "CCBot/2.0", "Host": url}}})
        yield _member(url, {"HTTP-Response-Metadata": _response(page, texts)})


def _response(page: int, texts: Texts) -> dict[str, Any]:
    alts, words = texts.texts(_IMAGES_WITH_ALT), texts.words(3 * _LINKS)
    links = [
        {
            "path": "A@/href",
            "url": f"/category/{words[n]}/{words[n + 1]}-{words[n + 2]}.html",
            "text": words[n + 2],
        }
        for n in range(0, 3 * _LINKS, 3)
    ]
    links += [
        {"path": "IMG@/src", "url": f"/media/{page}/{n}/{words[n]}.jpg", "alt": alt}
        for n, alt in enumerate(alts)
    ]
    links += [{"path": "IMG@/src", "url": f"/static/icons/{word}.svg"} for word in words[:_IMAGES_WITHOUT]]
    metas = [
        {"property": f"og:{word}", "content": " ".join(words[n : n + 9])}
        for n, word in enumerate(words[:_METAS])
    ]
    headers = {"Content-Type": "text/html; charset=utf-8", "Server": "nginx", "Cache-Control": "max-age=600"}
    head = {"Title": " ".join(words[:7]), "Metas": metas}
    return {
        "Response-Message": {"Version": "HTTP/1.1", "Status": "200", "Reason": "OK"},
        "Headers": headers,
        "HTML-Metadata": {"Head": head, "Links": links},
    }


def _member(url: str, payload: dict[str, Any]) -> bytes:
    about = {"WARC-Type": "response", "WARC-Target-URI": url}
    body = json.dumps({"Envelope": {"WARC-Header-Metadata": about, "Payload-Metadata": payload}}).encode()
    head = (
        f"WARC/1.0\r\nWARC-Type: metadata\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + body + b"\r\n\r\n", 6, mtime=0)


class Images:
    """Serves pictures of the size of photographs, in turn, from a process of its own while a block runs.

    Attributes:
        pid: of the process.
        origin: what URLs start with.
    """

    def __enter__(self) -> "Images":
        # A new interpreter: a fork would share the session's connection to the JVM.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid, self.origin = self._process.pid, str(ours.recv())
        self._line = ours  # the server ends with it, even if we are killed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()


def _serve(told: Connection) -> None:
    pictures = [Answer(headers={"Content-Type": "image/jpeg"}, body=photograph(n)) for n in range(_PICTURES)]
    with Server(lambda path: pictures[int(path[1:-4]) % _PICTURES]) as server:
        told.send(server.origin)
        told.poll(None)  # until the other end is gone


def photograph(number: int) -> bytes:
    """A JPEG of 640 by 480 pixels and about 130 KB."""
    subjects, colours = sorted(SUBJECTS), sorted(COLOURS)
    picture = Picture(
        subject=subjects[number % len(subjects)],
        colour=colours[number % len(colours)],
        ground=colours[(number + 5) % len(colours)],
        size=(640, 480),
    )
    with Image.open(io.BytesIO(draw(picture))) as drawn:
        noise = np.random.default_rng(number).normal(0, _NOISE, (480, 640, 1))
        pixels = np.clip(np.asarray(drawn, float) + noise, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
