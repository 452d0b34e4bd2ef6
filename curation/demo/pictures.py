"""The pictures of the small web: drawn when asked for, and fitting what its pages say of them."""

import io
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont, ImageOps

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (204, 41, 54),
    "orange": (240, 138, 36),
    "yellow": (244, 208, 63),
    "green": (72, 148, 74),
    "blue": (52, 104, 192),
    "purple": (122, 72, 156),
    "pink": (238, 150, 176),
    "brown": (134, 88, 54),
    "black": (38, 38, 42),
    "white": (246, 244, 238),
    "grey": (140, 144, 150),
}

MEDIA_TYPES: Mapping[str, str] = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}

_FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
_ORIENTATION = 0x0112  # the EXIF tag
_TURNED = 6  # its value for: turn clockwise by 90° before showing
_INK, _DARK, _PALE, _LEAF = (60, 48, 38), (44, 36, 34), (250, 246, 236), (72, 128, 66)

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """All that decides the bytes of a picture.

    Attributes:
        subject: a name in `SUBJECTS`.
        colour: of the subject; a name in `COLOURS`.
        ground: colour behind the subject.
        lettering: words below the subject, as on an old plate; none if empty.
        size: width and height in pixels.
        format: a name in `MEDIA_TYPES`.
        turned: whether the pixels lie on their side and EXIF says so.
        seed: of the small differences between pictures of one thing.
    """

    subject: str
    colour: str
    ground: str
    lettering: str = ""
    size: tuple[int, int] = (400, 300)
    format: str = "jpg"
    turned: bool = False
    seed: str = ""


def draw(picture: Picture) -> bytes:
    """Draw a picture; the same one always gives the same bytes."""
    rng = random.Random(picture.seed)
    image = _ground(COLOURS[picture.ground], picture.size)
    width, height = picture.size
    room = height * 0.82 if picture.lettering else height
    side = 0.78 * min(width, room) * rng.uniform(0.85, 1.0)
    left = (width - side) * rng.uniform(0.35, 0.65)
    top = (room - side) * rng.uniform(0.4, 0.6)
    pen = _Pen(ImageDraw.Draw(image), left, top, side)
    SUBJECTS[picture.subject](pen, COLOURS[picture.colour], rng)
    if picture.lettering:
        _letter(image, picture.lettering, room, _PALE if sum(COLOURS[picture.ground]) < 360 else _INK)
    return _encode(image, picture)


def _encode(image: Image.Image, picture: Picture) -> bytes:
    exif = Image.Exif()
    if picture.turned:
        image = image.transpose(Image.Transpose.ROTATE_90)  # anticlockwise
        exif[_ORIENTATION] = _TURNED
    buffer = io.BytesIO()
    image.save(buffer, _FORMATS[picture.format], quality=85, exif=exif)
    return buffer.getvalue()


def _ground(colour: Colour, size: tuple[int, int]) -> Image.Image:
    """Light falling from above: the colour, darker towards the bottom."""
    dark = _mixed(colour, (0, 0, 0), 0.25)
    light = _mixed(colour, (255, 255, 255), 0.25)
    return ImageOps.colorize(Image.linear_gradient("L").resize(size), light, dark)


def _letter(image: Image.Image, words: str, top: float, ink: Colour) -> None:
    """Write words below the subject, in a size that fits them in."""
    width, height = image.size
    points = min((height - top) * 0.6, 1.7 * width / len(words))
    font = ImageFont.load_default(points)
    ImageDraw.Draw(image).text((width / 2, (top + height) / 2), words, ink, font, anchor="mm")


def _mixed(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


class _Pen:
    """Draws in a square whose corners are (0, 0) and (1, 1)."""

    def __init__(self, canvas: ImageDraw.ImageDraw, left: float, top: float, side: float) -> None:
        self._canvas = canvas
        self._left, self._top, self._side = left, top, side

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        corners = [self._at(x - rx, y - ry), self._at(x + rx, y + ry)]
        self._canvas.ellipse(corners, fill)

    def polygon(self, points: list[tuple[float, float]], fill: Colour) -> None:
        self._canvas.polygon([self._at(x, y) for x, y in points], fill)

    def line(self, points: list[tuple[float, float]], fill: Colour, width: float) -> None:
        pixels = max(1, round(width * self._side))
        self._canvas.line([self._at(x, y) for x, y in points], fill, pixels, joint="curve")

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return self._left + x * self._side, self._top + y * self._side


def _eyes(pen: _Pen, y: float, apart: float, size: float) -> None:
    for x in (0.5 - apart, 0.5 + apart):
        pen.ellipse(x, y, size, size * 1.2, _PALE)
        pen.ellipse(x, y, size * 0.5, size, _DARK)


def _cat(pen: _Pen, colour: Colour, rng: random.Random) -> None:
    shade = _mixed(colour, (128, 100, 90), 0.4)
    ear = rng.uniform(0.0, 0.06)
    for side in (-1, 1):
        pen.polygon([(0.5 + side * x, y) for x, y in ((0.38, ear), (0.4, 0.5), (0.08, 0.3))], colour)
        pen.polygon([(0.5 + side * x, y) for x, y in ((0.34, ear + 0.09), (0.35, 0.4), (0.16, 0.3))], shade)
    pen.ellipse(0.5, 0.57, 0.42, 0.37, colour)
    _eyes(pen, 0.5, 0.17, 0.075)
    pen.polygon([(0.45, 0.64), (0.55, 0.64), (0.5, 0.7)], shade)
    whiskers = _mixed(colour, (255, 255, 255) if sum(colour) < 380 else (0, 0, 0), 0.6)
    pen.line([(0.42, 0.77), (0.47, 0.76), (0.5, 0.7), (0.53, 0.76), (0.58, 0.77)], whiskers, 0.012)
    for side in (-1, 1):
        for slope in (-0.06, 0.0, 0.06):
            pen.line(
                [(0.5 + side * 0.16, 0.7 + slope / 3), (0.5 + side * 0.52, 0.7 + slope)], whiskers, 0.009
            )


def _dog(pen: _Pen, colour: Colour, rng: random.Random) -> None:
    shade = _mixed(colour, (40, 26, 20), 0.45)
    droop = rng.uniform(0.45, 0.55)
    pen.ellipse(0.5, 0.52, 0.34, 0.42, colour)
    for side in (-1, 1):
        pen.ellipse(0.5 + side * 0.37, droop, 0.12, 0.32, shade)
    _eyes(pen, 0.42, 0.14, 0.06)
    pen.ellipse(0.5, 0.7, 0.2, 0.17, _mixed(colour, (255, 255, 255), 0.5))
    pen.ellipse(0.5, 0.85, 0.07, 0.1, (216, 92, 110))
    pen.ellipse(0.5, 0.61, 0.09, 0.06, _DARK)
    pen.line([(0.5, 0.65), (0.5, 0.76), (0.4, 0.79)], _DARK, 0.012)
    pen.line([(0.5, 0.76), (0.6, 0.79)], _DARK, 0.012)


def _bird(pen: _Pen, colour: Colour, rng: random.Random) -> None:
    wing = _mixed(colour, (0, 0, 0), 0.3)
    tilt = rng.uniform(-0.04, 0.04)
    for x in (0.45, 0.55):
        pen.line([(x, 0.75), (x + 0.02, 0.97), (x + 0.09, 0.97)], _INK, 0.018)
    pen.polygon([(0.22, 0.6), (0.0, 0.78 + tilt), (0.05, 0.88 + tilt), (0.35, 0.72)], wing)
    pen.ellipse(0.48, 0.58, 0.3, 0.23, colour)
    pen.ellipse(0.7, 0.32, 0.16, 0.16, colour)
    pen.polygon([(0.84, 0.28), (1.0, 0.34), (0.84, 0.38)], COLOURS["orange"])
    pen.ellipse(0.74, 0.29, 0.028, 0.028, _DARK)
    pen.polygon([(0.62, 0.5), (0.18, 0.52 + tilt), (0.42, 0.72)], wing)


def _fish(pen: _Pen, colour: Colour, rng: random.Random) -> None:
    fin = _mixed(colour, (0, 0, 0), 0.25)
    spread = rng.uniform(0.16, 0.22)
    pen.polygon([(0.3, 0.5), (0.0, 0.5 - spread), (0.08, 0.5), (0.0, 0.5 + spread)], fin)
    pen.polygon([(0.4, 0.34), (0.56, 0.16), (0.72, 0.34)], fin)
    pen.polygon([(0.45, 0.66), (0.5, 0.82), (0.64, 0.66)], fin)
    pen.ellipse(0.58, 0.5, 0.4, 0.22, colour)
    pen.line([(0.78, 0.34), (0.74, 0.5), (0.78, 0.66)], fin, 0.014)
    pen.ellipse(0.86, 0.45, 0.04, 0.04, _PALE)
    pen.ellipse(0.87, 0.45, 0.02, 0.02, _DARK)


def _flower(pen: _Pen, colour: Colour, rng: random.Random) -> None:
    petals = rng.randint(5, 9)
    pen.line([(0.5, 0.4), (0.47, 0.7), (0.5, 1.0)], _LEAF, 0.03)
    pen.ellipse(0.35, 0.78, 0.14, 0.05, _LEAF)
    pen.ellipse(0.63, 0.86, 0.14, 0.05, _LEAF)
    for petal in range(petals):
        angle = 2 * math.pi * petal / petals
        pen.ellipse(0.5 + 0.19 * math.cos(angle), 0.32 + 0.19 * math.sin(angle), 0.12, 0.12, colour)
    centre = COLOURS["brown"] if colour == COLOURS["yellow"] else COLOURS["yellow"]
    pen.ellipse(0.5, 0.32, 0.1, 0.1, centre)


def _tree(pen: _Pen, colour: Colour, rng: random.Random) -> None:
    pen.polygon([(0.45, 0.5), (0.55, 0.5), (0.6, 1.0), (0.4, 1.0)], COLOURS["brown"])
    for _ in range(14):
        angle, reach = rng.uniform(0, 2 * math.pi), rng.uniform(0.0, 0.24)
        leaves = _mixed(colour, (255, 255, 255), rng.uniform(0.0, 0.25))
        x, y = 0.5 + 1.2 * reach * math.cos(angle), 0.36 + reach * math.sin(angle)
        pen.ellipse(x, y, 0.17, 0.14, leaves)


def _conifer(pen: _Pen, colour: Colour, rng: random.Random) -> None:
    pen.polygon([(0.46, 0.8), (0.54, 0.8), (0.54, 1.0), (0.46, 1.0)], COLOURS["brown"])
    for tier in range(4):
        top, half = 0.19 * tier, 0.17 + 0.07 * tier + rng.uniform(-0.02, 0.02)
        shade = _mixed(colour, (0, 0, 0), 0.1 * (tier % 2))
        pen.polygon([(0.5, top), (0.5 + half, top + 0.32), (0.5 - half, top + 0.32)], shade)


def _fern(pen: _Pen, colour: Colour, rng: random.Random) -> None:
    bend = rng.uniform(-0.25, 0.25)
    spine = [(0.5 + bend * (step / 20) ** 2, 1.0 - step / 20) for step in range(21)]
    pen.line(spine, _mixed(colour, (0, 0, 0), 0.3), 0.016)
    for step, (x, y) in enumerate(spine[3:-1]):
        reach = 0.32 * (1 - step / 19)
        for side in (-1, 1):
            tip = (x + side * reach, y - 0.35 * reach)
            pen.polygon([(x, y - 0.015), tip, (x + side * reach * 0.5, y + 0.02)], colour)


def _moth(pen: _Pen, colour: Colour, rng: random.Random) -> None:
    hind, spot = _mixed(colour, (255, 255, 255), 0.3), _mixed(colour, (0, 0, 0), 0.5)
    lift = rng.uniform(0.05, 0.2)
    for side in (-1, 1):
        pen.polygon([(0.5 + side * x, y) for x, y in ((0, 0.5), (0.36, 0.62), (0.28, 0.9), (0, 0.7))], hind)
        fore = ((0, 0.32), (0.5, lift), (0.46, 0.52), (0, 0.6))
        pen.polygon([(0.5 + side * x, y) for x, y in fore], colour)
        pen.ellipse(0.5 + side * 0.32, lift + 0.24, 0.06, 0.06, spot)
        pen.line([(0.5, 0.28), (0.5 + side * 0.12, 0.1)], _INK, 0.012)
    pen.ellipse(0.5, 0.52, 0.045, 0.26, spot)


def _map(pen: _Pen, colour: Colour, rng: random.Random) -> None:
    for line in (0.0, 0.25, 0.5, 0.75, 1.0):
        pen.line([(line, 0.0), (line, 1.0)], _INK, 0.004)
        pen.line([(0.0, line), (1.0, line)], _INK, 0.004)
    for _ in range(rng.randint(2, 4)):
        x, y, size = rng.uniform(0.25, 0.75), rng.uniform(0.25, 0.75), rng.uniform(0.14, 0.26)
        coast = []
        for step in range(24):
            angle, radius = 2 * math.pi * step / 24, size * rng.uniform(0.7, 1.1)
            coast.append((x + radius * math.cos(angle), y + radius * math.sin(angle)))
        pen.polygon(coast, colour)
        pen.line([*coast, coast[0]], _INK, 0.008)
    stream = [(step / 8, 0.5 + rng.uniform(-0.1, 0.1)) for step in range(9)]
    pen.line(stream, COLOURS["blue"], 0.018)


def _sunset(pen: _Pen, colour: Colour, rng: random.Random) -> None:
    pen.ellipse(rng.uniform(0.3, 0.7), 0.5, 0.22, 0.22, COLOURS["yellow"])
    for layer in range(3):
        # The land goes on to the edges, however wide or high the picture is.
        ridge = [(x / 4, 0.6 + 0.13 * layer + rng.uniform(-0.08, 0.08)) for x in range(-16, 21)]
        pen.polygon([*ridge, (5.0, 5.0), (-4.0, 5.0)], _mixed(colour, (20, 16, 40), 0.25 * layer))


def _regular(corners: int, depth: float = 1.0) -> Callable[[_Pen, Colour, random.Random], None]:
    """A regular polygon, or a star whose inner corners lie at a part of the radius."""

    def shape(pen: _Pen, colour: Colour, rng: random.Random) -> None:
        points = []
        steps = corners if depth == 1.0 else 2 * corners
        turn = -math.pi / 2 + (math.pi / 4 if corners == 4 else 0.0) + rng.uniform(-0.15, 0.15)
        for step in range(steps):
            angle, radius = turn + 2 * math.pi * step / steps, 0.5 * (depth if step % 2 else 1.0)
            points.append((0.5 + radius * math.cos(angle), 0.5 + radius * math.sin(angle)))
        pen.polygon(points, colour)

    return shape


SUBJECTS: Mapping[str, Callable[[_Pen, Colour, random.Random], None]] = {
    "cat": _cat,
    "dog": _dog,
    "bird": _bird,
    "fish": _fish,
    "flower": _flower,
    "tree": _tree,
    "conifer": _conifer,
    "fern": _fern,
    "moth": _moth,
    "map": _map,
    "sunset": _sunset,
    "circle": _regular(90),
    "square": _regular(4),
    "star": _regular(5, 0.45),
}
"""What can be drawn, by name."""
