"""Content encodings of HTTP, undone without trusting the size of what comes out."""

import zlib
from collections.abc import Iterable

from curation.download.errors import FetchError


class Decoder:
    """Undoes the encoding of one body, piece by piece.

    Args:
        encodings: the values of `Content-Encoding`, in their order.
        most: bytes that may come out.

    Raises:
        FetchError: `bad_encoding`: one that was not asked for and is not known.
    """

    def __init__(self, encodings: Iterable[str], most: int) -> None:
        names = [name.strip().lower() for line in encodings for name in line.split(",")]
        names = [name for name in names if name not in ("", "identity")]
        if any(name not in ("gzip", "x-gzip", "deflate") for name in names) or len(names) > 1:
            raise FetchError("bad_encoding", ", ".join(names))
        self._name = names[0] if names else ""
        self._room = most
        self._stream: zlib._Decompress | None = None

    def decode(self, piece: bytes) -> bytes:
        """What comes out for a further piece.

        Raises:
            FetchError: `too_large` or `bad_encoding`.
        """
        if not self._name:
            return self._counted(piece)
        out = []
        while piece:
            if self._stream is None:
                self._stream = zlib.decompressobj(self._window(piece[0]))
            elif self._stream.eof and not (self._name != "deflate" and piece[0] == 0x1F):
                break  # what stands behind the end is passed over, as browsers do
            elif self._stream.eof:
                self._stream = zlib.decompressobj(31)  # gzip files may be joined
            out.append(self._inflated(self._stream, piece))
            piece = self._stream.unused_data
        return b"".join(out)

    def end(self) -> None:
        """Tell that there are no more pieces.

        Raises:
            FetchError: `incomplete`.
        """
        if self._stream is not None and not self._stream.eof:
            raise FetchError("incomplete")

    def _window(self, first: int) -> int:
        if self._name != "deflate":
            return 31
        # Some servers take "deflate" at its word and leave zlib's header out.
        return 15 if first & 0x0F == 8 else -15

    def _inflated(self, stream: "zlib._Decompress", piece: bytes) -> bytes:
        try:
            # One byte more than there is room for: enough to know.
            return self._counted(stream.decompress(piece, self._room + 1))
        except zlib.error:
            raise FetchError("bad_encoding", self._name) from None

    def _counted(self, piece: bytes) -> bytes:
        self._room -= len(piece)
        if self._room < 0:
            raise FetchError("too_large")
        return piece
