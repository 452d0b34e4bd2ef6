"""What can be told of a picture from its bytes alone, before any decoder sees them.

Signatures, sizes where Pillow would already allocate by them on opening, checksums of PNG, a few EXIF
tags, and what to leave out of a file so that no metadata stays in it.
"""

import re
import struct
import zlib
from collections.abc import Iterator

EXIF_TAGS = {
    0x010F: "Make",
    0x0110: "Model",
    0x0112: "Orientation",
    0x0131: "Software",
    0x0132: "DateTime",
    0x8298: "Copyright",
}
MAX_TEXT = 100  # characters of an EXIF text that are kept
_MAX_ENTRIES = 200  # of an EXIF directory that are looked at
_ASCII, _SHORT = 2, 3
_ORIENTATION = 0x0112

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = frozenset((b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND"))

_FORMATS = re.compile(
    rb"(?P<JPEG>\xff\xd8\xff)"
    rb"|(?P<PNG>\x89PNG\r\n\x1a\n)"
    rb"|(?P<GIF>GIF8[79]a)"
    rb"|(?P<WEBP>RIFF.{4}WEBP)"
    rb"|(?P<BMP>BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0)"
    rb"|(?P<AVIF>.{4}ftyp(?:avi[fs]|m(?:if1|sf1|iaf).{0,64}?avi[fs]))"
    # TIFF, Photoshop, JPEG XL and 2000, HEIF, icons and SVG are pictures too.
    rb"|(?P<other>II\*\0|MM\0\*|8BPS|\xff\x0a|\0\0\0\x0c(?:JXL|jP  )|\xff\x4f\xff\x51"
    rb"|.{4}ftyp(?:he|mif1|msf1)|\0\0[\1\2]\0"
    rb"|\s{0,99}(?:<\?xml[^>]{0,199}>.{0,999}?)?<svg)",
    re.DOTALL,
)
# A marker of a JPEG behind the data of a scan: neither a stuffed byte, nor a restart, nor filling.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SOI, _EOI, _SOS, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_JFIF_BYTES = 12  # before its thumbnail


def format_of(data: bytes) -> str:
    """JPEG, PNG, GIF, WEBP, BMP or AVIF; `other` for a picture of another kind; empty if it is none."""
    found = _FORMATS.match(data)
    return str(found.lastgroup) if found else ""


def gif_size(data: bytes) -> tuple[int, int]:
    """Width and height that a GIF's first frame needs.

    Raises:
        ValueError: there is no frame.
    """
    try:
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        place = 13 + _palette_bytes(flags)
        while data[place] == ord("!"):
            place += 2
            while data[place]:
                place += data[place] + 1
            place += 1
        if data[place] != ord(","):
            raise ValueError("no frame in GIF")
        left, top, frame_width, frame_height = struct.unpack_from("<4H", data, place + 1)
    except (IndexError, struct.error):
        raise ValueError("no frame in GIF") from None
    return max(width, left + frame_width), max(height, top + frame_height)


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP's canvas.

    Raises:
        ValueError: the header is cut off or of no known kind.
    """
    kind = data[12:16]
    if len(data) >= 30:
        if kind == b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
        if kind == b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if kind == b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    raise ValueError("bad WebP header")


def plain_webp(data: bytes) -> bool:
    """Whether a WebP is one chunk of pixels, and so has no metadata."""
    riff, chunk = (int.from_bytes(data[place : place + 4], "little") for place in (4, 16))
    return len(data) == riff + 8 == chunk + chunk % 2 + 20


def bare_png(data: bytes) -> bytes:
    """A PNG with nothing but its pixels, palette, transparency and EXIF.

    So no compressed text or profile is inflated, and an animated one is its default image.

    Raises:
        ValueError: a chunk is cut off or its checksum wrong, or there is one that nobody knows but needs.
    """
    kept = [PNG_SIGNATURE]
    place, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        if place + 12 > len(data):
            raise ValueError("PNG is truncated")
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if kind in _PNG_CHUNKS:
            if end > len(data):
                raise ValueError("PNG is truncated")
            if zlib.crc32(memoryview(data)[place + 4 : end - 4]) != int.from_bytes(
                data[end - 4 : end], "big"
            ):
                raise ValueError("wrong checksum in PNG")
            kept.append(data[place:end])
        elif not kind[0] & 0x20:
            raise ValueError("unknown critical chunk in PNG")
        place = end
    return b"".join(kept)


def without_exif(png: bytes) -> bytes:
    """A PNG of `bare_png` without its EXIF too."""
    place, kept = len(PNG_SIGNATURE), [PNG_SIGNATURE]
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        if kind != b"eXIf":
            kept.append(png[place : place + 12 + length])
        place += 12 + length
    return b"".join(kept)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the segments of a JPEG up to its end; those of scans include their data.

    Raises:
        ValueError: it has no end.
    """
    place, marker = 2, _SOI
    while marker != _EOI:
        found = _MARKER.search(data, place)
        if found is None:
            raise ValueError("JPEG is truncated")
        start, marker = found.start(), data[found.start() + 1]
        place = found.end()
        if marker != _EOI:
            place += int.from_bytes(data[place : place + 2], "big")
        if marker == _SOS:
            following = _MARKER.search(data, place)
            place = following.start() if following else len(data)
        yield marker, start, place


def jpeg_end(data: bytes) -> int:
    """Where the marker stands that ends a JPEG's image.

    Raises:
        ValueError: nowhere.
    """
    return next(start for marker, start, _ in _jpeg_segments(data) if marker == _EOI)


def bare_jpeg(data: bytes) -> bytes:
    """A JPEG with the same pixels, and no more metadata than is needed for their colours.

    Raises:
        ValueError: it has no end.
    """
    kept = [data[:2]]
    for marker, start, end in _jpeg_segments(data):
        segment = data[start:end]
        if marker == 0xE0 and segment[4:9] == b"JFIF\0":
            # Without the thumbnail that may be in it.
            kept.append(
                b"\xff\xe0\x00\x10" + segment[4 : 4 + _JFIF_BYTES].ljust(_JFIF_BYTES, b"\0") + b"\0\0"
            )
        elif (marker == 0xEE and segment[4:9] == b"Adobe") or not (
            0xE0 <= marker <= 0xEF or marker == _COMMENT
        ):
            kept.append(segment)
    return b"".join(kept)


def exif_tags(exif: bytes) -> dict[str, str | int]:
    """The tags of `EXIF_TAGS` in the first directory of an EXIF block; whatever is wrong is not there.

    Texts are stripped of what cannot be printed and cut at `MAX_TEXT` characters; an orientation is 1 to 8.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    tags: dict[str, str | int] = {}
    if order is None or len(exif) < 8:
        return tags
    (directory,) = struct.unpack_from(order + "I", exif, 4)
    entries = int.from_bytes(exif[directory : directory + 2], "little" if order == "<" else "big")
    for place in range(directory + 2, directory + 2 + 12 * min(entries, _MAX_ENTRIES), 12):
        if place + 12 > len(exif):
            break
        tag, kind, count = struct.unpack_from(order + "HHI", exif, place)
        if tag not in EXIF_TAGS:
            continue
        value: str | int = ""
        if tag == _ORIENTATION:
            (number,) = struct.unpack_from(order + "H", exif, place + 8)
            value = number if kind == _SHORT and 1 <= number <= 8 else ""
        elif kind == _ASCII:
            at = struct.unpack_from(order + "I", exif, place + 8)[0] if count > 4 else place + 8
            value = _text(exif[at : at + min(count, 4 * MAX_TEXT)])
        if value != "":
            tags[EXIF_TAGS[tag]] = value
    return dict(sorted(tags.items()))


def _text(value: bytes) -> str:
    decoded = value.partition(b"\0")[0].decode("utf-8", "replace")
    return "".join(character for character in decoded if character.isprintable()).strip()[:MAX_TEXT]
