"""The small web: pages about pictures as Common Crawl would have archived them, and what its server says.

A heavy head (cats, dogs, colours, photos) and a long tail (each rare name a few times), junk texts,
images under several texts, and links that are broken in every way that the real web knows.
"""

import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from curation.demo.pictures import COLOURS, MEDIA_TYPES, Picture, draw
from curation.demo.server import Answer

COMMON = 700
IMAGES_A_PAGE = 20
PAGES_A_FILE = 12
SLOW_SECONDS = 20.0

COMMON_SUBJECTS = (
    "cat",
    "cat",
    "cat",
    "dog",
    "dog",
    "bird",
    "flower",
    "tree",
    "star",
    "circle",
    "sunset",
    "square",
)
COMMON_TEXTS = (
    "photo of a {colour} {subject}",
    "a {colour} {subject} on a {ground} ground",
    "The {colour} {subject} - image {number}",
    "{subject}, {colour}",
    "{colour} {subject} photo, free image",
)
RARE_TEXTS = ("a {name} in the morning light", "{name}", "drawing of a {name}, {colour}")
RARE_NAMES: Mapping[str, tuple[str, ...]] = {
    "bird": (
        "kingfisher",
        "puffin",
        "hoopoe",
        "avocet",
        "bittern",
        "nuthatch",
        "goldfinch",
        "lapwing",
        "waxwing",
    ),
    "fish": (
        "haddock",
        "mackerel",
        "tench",
        "sturgeon",
        "lumpfish",
        "gurnard",
        "pollack",
        "dace",
        "angelfish",
    ),
    "flower": (
        "edelweiss",
        "snapdragon",
        "foxglove",
        "columbine",
        "larkspur",
        "harebell",
        "fritillary",
        "oxlip",
    ),
    "tree": ("baobab", "hornbeam", "sycamore", "ginkgo", "alder", "rowan", "aspen", "quince", "medlar"),
    "conifer": ("larch", "spruce", "juniper", "sequoia", "yew", "arborvitae", "bristlecone pine"),
    "fern": ("bracken", "maidenhair", "spleenwort", "polypody", "tree fern", "adder's tongue"),
    "moth": ("atlas moth", "tiger moth", "hawkmoth", "codling moth", "luna moth", "polyphemus moth"),
    "map": ("archipelago", "peninsula", "isthmus", "fjord", "atoll", "delta", "estuary", "lagoon"),
}
JUNK = ("image", "IMG_1234.jpg", "", " ", "&nbsp;", "photo.jpg", "☆", "click to enlarge " * 40)

DAMAGES = ("missing", "slow", "cut", "page", "moved", "loop", "error", "noai", "empty")
"""What can be wrong with an image: the word in its path tells the server."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """An image link of a page, as a WAT file has it: attributes that are None are not there."""

    url: str | None
    alt: str | None = None
    title: str | None = None


class Web:
    """All of the small web: its links and the answers of its server.

    Args:
        origin: of the server, such as `http://127.0.0.1:8765`.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._pictures: dict[str, Picture] = {}
        self._rng = random.Random("the small web")
        self.links = [*self._common(), *self._rare(), *self._damaged(), *self._junk()]
        self._rng.shuffle(self.links)

    @property
    def pages(self) -> int:
        """The number of pages."""
        return -(-len(self.links) // IMAGES_A_PAGE)

    def answer(self, path: str) -> Answer | None:
        """What the server says to a request for a path; None where there is nothing."""
        path, _, moved = path.partition("?")
        picture = self._pictures.get(path)
        if picture is None:
            return None
        good = Answer(headers={"Content-Type": MEDIA_TYPES[picture.format]}, body=draw(picture))
        damage = path.split("/")[1]
        return {
            "missing": None,
            "slow": replace(good, delay_seconds=SLOW_SECONDS),
            "cut": replace(good, body=good.body[: len(good.body) // 3], declared_length=len(good.body)),
            "page": Answer(headers={"Content-Type": "text/html"}, body=b"<h1>Please log in</h1>"),
            "moved": good if moved else Answer(status=302, headers={"Location": f"{path}?moved"}),
            "loop": Answer(status=302, headers={"Location": path}),
            "error": Answer(status=500),
            "noai": replace(good, headers={"X-Robots-Tag": "noai"}),
            "empty": Answer(),
        }.get(damage, good)

    def _common(self) -> Iterator[Link]:
        for number in range(COMMON):
            subject = self._rng.choice(COMMON_SUBJECTS)
            picture = self._picture(subject, number)
            path = self._publish("pictures", f"{subject}-{number}", picture)
            text = self._rng.choice(COMMON_TEXTS).format(number=number, **vars(picture))
            yield Link(url=path, alt=text)
            if number % 5 == 0:  # the same link again on another page, and once with a text of its own
                yield Link(url=path, alt=text)
                yield Link(url=self.origin + path, title=f"my {subject}", alt="")

    def _rare(self) -> Iterator[Link]:
        for subject, names in RARE_NAMES.items():
            for name in names:
                for number in range(self._rng.randint(1, 3)):
                    picture = replace(self._picture(subject, number), lettering=name, seed=f"{name} {number}")
                    path = self._publish("herbarium", f"{name.replace(' ', '%20')}-{number}", picture)
                    text = self._rng.choice(RARE_TEXTS).format(name=name, colour=picture.colour)
                    yield Link(url=path, alt=text, title=f"{name}, plate {number}" if number else None)

    def _damaged(self) -> Iterator[Link]:
        names = [(subject, name) for subject, names in RARE_NAMES.items() for name in names]
        for damage in DAMAGES:
            for number in range(2):
                subject, name = names.pop(self._rng.randrange(len(names)))
                path = self._publish(damage, f"{number}", self._picture(subject, number))
                yield Link(url=path, alt=f"another {name}")

    def _junk(self) -> Iterator[Link]:
        for number in range(120):
            path = self._publish("pictures", f"junk-{number}", self._picture("square", number))
            yield Link(url=path, alt=JUNK[number % len(JUNK)])
        yield Link(url=None, alt="a cat without a link")
        yield Link(url="data:image/gif;base64,R0lGODlhAQABAAAAACw=", alt="spacer")

    def _picture(self, subject: str, number: int) -> Picture:
        rng = self._rng
        colour, ground = rng.sample(sorted(COLOURS), 2)
        return Picture(
            subject=subject,
            colour=colour,
            ground=ground,
            size=(rng.randint(200, 640), rng.randint(200, 480)),
            format=rng.choice(("jpg", "jpg", "jpg", "png", "webp")),
            turned=rng.random() < 0.1,
            seed=f"{subject} {number}",
        )

    def _publish(self, folder: str, name: str, picture: Picture) -> str:
        path = f"/{folder}/{name}.{picture.format}"
        self._pictures[path] = picture
        return path


def write_wats(web: Web, folder: Path) -> list[Path]:
    """Write the pages as WAT files: one with a record whose JSON is broken, one that is cut off.

    A file that is there already stays as it is, time and all, so that a second demo reads the same input.

    Args:
        web: what to write.
        folder: where to.

    Returns:
        The paths of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records = [_record(*page) for page in _pages(web)]
    broken = _member(
        "http://127.0.0.1/broken", b'{"Envelope":{"Payload-Metadata":{"HTTP-Response-Metadata":{"HTM'
    )
    paths = []
    for number, first in enumerate(range(0, len(records), PAGES_A_FILE)):
        content = b"".join(records[first : first + PAGES_A_FILE])
        if number == 0:
            content = broken + content
        if first + PAGES_A_FILE >= len(records):
            content = content[:-40]
        path = folder / f"small-web-{number:05d}.warc.wat.gz"
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
        paths.append(path)
    return paths


def _pages(web: Web) -> Iterator[tuple[str, str | None, Sequence[Link]]]:
    """URL, base and links of each page; a third link absolutely, a third to a base, a third to themselves."""
    for number in range(web.pages):
        links = web.links[number * IMAGES_A_PAGE : (number + 1) * IMAGES_A_PAGE]
        url = f"{web.origin}/diary/{number}.html"
        if number % 3 == 0:
            yield url, None, [replace(link, url=link.url and urljoin(url, link.url)) for link in links]
        else:
            yield url, "/" if number % 3 == 1 else None, links


def _record(url: str, base: str | None, links: Sequence[Link]) -> bytes:
    metadata: dict[str, Any] = {"Links": [_wat_link(link) for link in links]}
    if base is not None:
        metadata["Head"] = {"Base": base}
    envelope = {
        "Envelope": {
            "WARC-Header-Metadata": {"WARC-Type": "response", "WARC-Target-URI": url},
            "Payload-Metadata": {
                "HTTP-Response-Metadata": {
                    "Response-Message": {"Status": "200"},
                    "Headers": {"Content-Type": "text/html"},
                    "HTML-Metadata": metadata,
                }
            },
        }
    }
    return _member(url, json.dumps(envelope).encode())


def _wat_link(link: Link) -> dict[str, str]:
    attributes = {"url": link.url, "alt": link.alt, "title": link.title}
    return {"path": "IMG@/src"} | {name: value for name, value in attributes.items() if value is not None}


def _member(url: str, body: bytes) -> bytes:
    """A WARC record in a gzip member of its own."""
    head = (
        f"WARC/1.0\r\nWARC-Type: metadata\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + body + b"\r\n\r\n", mtime=0)
