"""The small web: pages about pictures, and what its server says when it is asked for them.

A heavy head (cats, dogs, colours, images) and a long tail (rare names, a few times each), junk texts,
images under several texts, and links that are broken in every way that the real web knows.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from curation.demo.pictures import COLOURS, MEDIA_TYPES, Picture, draw
from curation.demo.server import Answer
from curation.demo.wat import Link, Page

SLOW_SECONDS = 20.0

_COMMON = 1000
_COMMON_SUBJECTS = {
    "cat": 5,
    "dog": 3,
    "bird": 2,
    "flower": 2,
    "sunset": 2,
    "star": 1,
    "circle": 1,
    "square": 1,
}
_COMMON_TEXTS = (
    "photo of {a_colour} {subject}",
    "{a_colour} {subject} on {a_ground} ground",
    "The {colour} {subject} - image {number}",
    "{subject}, {colour}",
    "{colour} {subject} photo, free image",
)
_RARE_A_SUBJECT = 24
_RARE_TEXTS = ("{name}", "the {name} in the morning light", "old engraving: {name}", "{name}, {colour}")
_RARE_SUBJECTS = {
    "sparrow": "bird",
    "warbler": "bird",
    "swallow": "bird",
    "terrier": "dog",
    "spaniel": "dog",
    "perch": "fish",
    "trout": "fish",
    "daisy": "flower",
    "orchid": "flower",
    "poppy": "flower",
    "birch": "tree",
    "maple": "tree",
    "oak": "tree",
    "pine": "conifer",
    "spruce": "conifer",
    "fern": "fern",
    "moth": "moth",
    "islands": "map",
    "river": "map",
}
"""What to draw of a name, by its last word."""

_JUNK = (
    "image",
    "IMG_1234.jpg",
    "",
    "DSC_0042",
    " ",
    "Katze auf der Mauer",
    "&nbsp;",
    "untitled-1",
    "☆",
    "ネコの写真",
    "screenshot_2024.png",
    "cheap images here " * 300,
)

DAMAGES = ("missing", "slow", "cut", "page", "moved", "loop", "error", "noai", "empty")
"""What can be wrong with an image: the first word of its path tells the server."""

_DAMAGED_EACH = 2
_LINKS_A_PAGE = 20


def rare_names(entries: Iterable[str]) -> dict[str, list[str]]:
    """Choose names for the tail, such as `luna moth`, that a picture can do justice to.

    Args:
        entries: of a vocabulary.

    Returns:
        Names by subject, chosen by hash, the same every time.
    """
    names: dict[str, list[str]] = {subject: [] for subject in _RARE_SUBJECTS.values()}
    for entry in sorted(entries, key=lambda entry: hashlib.md5(entry.encode()).digest()):
        subject = _RARE_SUBJECTS.get(entry.rpartition(" ")[2]) if " " in entry else None
        if subject is not None and len(names[subject]) < _RARE_A_SUBJECT:
            names[subject].append(entry)
    return names


class Web:
    """All of the small web: its links and the answers of its server. Paths stand for themselves.

    Args:
        names: rare names by subject.
    """

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self._pictures: dict[str, Picture] = {}
        self._rng = random.Random("the small web")
        self._names = [(subject, name) for subject in names for name in names[subject]]
        self.links = [*self._common(), *self._rare(), *self._damaged(), *self._junk()]
        self._rng.shuffle(self.links)

    def pages(self, origin: str) -> list[Page]:
        """The pages: a third on the server itself, a third elsewhere with a base, a third without.

        Args:
            origin: of the server, such as `http://127.0.0.1:8765`. No image is anywhere else.
        """
        pages = []
        for number, first in enumerate(range(0, len(self.links), _LINKS_A_PAGE)):
            site = (f"{origin}/diary", "http://www.pictures.example", "http://blog.example/posts")[number % 3]
            base = f"{origin}/pictures/" if number % 3 == 1 else None
            start = origin if number % 3 == 2 else ".."
            links = [
                replace(link, url=start + link.url) if link.url and link.url.startswith("/") else link
                for link in self.links[first : first + _LINKS_A_PAGE]
            ]
            pages.append(Page(url=f"{site}/{number}.html", base=base, links=links))
        return pages

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
            "noai": replace(good, headers={**good.headers, "X-Robots-Tag": "noai"}),
            "empty": Answer(headers=good.headers),
        }.get(damage, good)

    def _common(self) -> Iterator[Link]:
        subjects = self._rng.choices(list(_COMMON_SUBJECTS), list(_COMMON_SUBJECTS.values()), k=_COMMON)
        for number, subject in enumerate(subjects):
            picture = self._picture(subject, f"{number}")
            path = self._publish("pictures", f"{subject}-{number}", picture)
            words = {"a_colour": _with_article(picture.colour), "a_ground": _with_article(picture.ground)}
            words |= {"colour": picture.colour, "subject": subject, "number": f"{number}"}
            text = self._rng.choice(_COMMON_TEXTS).format(**words)
            yield Link(url=path, alt=text)
            if number % 5 == 0:  # the same again on another page, and once more under another text
                yield Link(url=path, alt=text)
                yield Link(url=path, alt="", title=f"my {subject}")

    def _rare(self) -> Iterator[Link]:
        for subject, name in self._names:
            for number in range(self._rng.choice((1, 1, 2, 3))):
                picture = replace(self._picture(subject, f"{name} {number}"), lettering=name)
                path = self._publish("plates", f"{quote(name)}-{number}", picture)
                text = self._rng.choice(_RARE_TEXTS).format(name=name, colour=picture.colour)
                yield Link(url=path, alt=text, title=f"{name} ({number})" if number else None)

    def _damaged(self) -> Iterator[Link]:
        """Rare names, so that the draw keeps every one of them."""
        names = iter(self._rng.sample(self._names, _DAMAGED_EACH * len(DAMAGES)))
        for damage in DAMAGES:
            for number in range(_DAMAGED_EACH):
                subject, name = next(names)
                path = self._publish(damage, f"{number}", self._picture(subject, name))
                yield Link(url=path, alt=f"another {name}")

    def _junk(self) -> Iterator[Link]:
        for number in range(15 * len(_JUNK)):
            path = self._publish("pictures", f"junk-{number}", self._picture("square", f"{number}"))
            yield Link(url=path, alt=_JUNK[number % len(_JUNK)])
        yield Link(url=None, alt="a cat without a link")
        yield Link(url="data:image/gif;base64,R0lGODlhAQABAAAAACw=", alt="spacer")

    def _picture(self, subject: str, seed: str) -> Picture:
        rng = self._rng
        colour, ground = rng.sample(sorted(COLOURS), 2)
        return Picture(
            subject=subject,
            colour=colour,
            ground=ground,
            size=(rng.randint(200, 640), rng.randint(200, 480)),
            format=rng.choice(("jpg", "jpg", "jpg", "png", "webp")),
            turned=rng.random() < 0.1,
            seed=f"{subject} {seed}",
        )

    def _publish(self, folder: str, name: str, picture: Picture) -> str:
        path = f"/{folder}/{name}.{picture.format}"
        self._pictures[path] = picture
        return path


def _with_article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
