"""A decoder process: `python -m curation.download.decoder`, started and fed by `decoders`.

Its standard input and output are one socket. What goes through it are frames: 8 bytes of length, then
msgpack. The first frame is a `Setup`, answered with `READY`; then one `Request` after the other, each with
its `Answer`. It ends when the socket does, and so with its parent, however that ended.
"""

import contextlib
import os
import signal
import socket
import sys

import msgspec
from PIL import AvifImagePlugin

from curation.download.image import NO_MEMORY, ImageError, ImageOptions, Picture, process

with contextlib.suppress(ImportError):
    import resource

HEADER_BYTES = 8
READY = b"ready"
_NULL = b"\0" * HEADER_BYTES


class Setup(msgspec.Struct, array_like=True):
    """What a decoder is told first.

    Attributes:
        options: for all pictures.
        memory_bytes: of address space that the process may have.
    """

    options: ImageOptions
    memory_bytes: int


class Request(msgspec.Struct, array_like=True):
    """A file, and the boxes to blur in it."""

    data: bytes
    boxes: list[tuple[float, float, float, float]]


class Answer(msgspec.Struct, array_like=True):
    """The picture, or error and message of its `ImageError`."""

    picture: Picture | None
    error: str = ""
    message: str = ""


_encoder = msgspec.msgpack.Encoder()


def frame(content: object) -> bytearray:
    """What goes through the socket for a message."""
    framed = bytearray(_NULL)
    _encoder.encode_into(content, framed, HEADER_BYTES)
    framed[:HEADER_BYTES] = (len(framed) - HEADER_BYTES).to_bytes(HEADER_BYTES, "big")
    return framed


def _receive(connection: socket.socket) -> bytearray | None:
    """The content of the next frame, None at the end."""
    header = connection.recv(HEADER_BYTES, socket.MSG_WAITALL)
    if len(header) < HEADER_BYTES:
        return None
    content = bytearray(int.from_bytes(header, "big"))
    received = connection.recv_into(content, 0, socket.MSG_WAITALL) if content else 0
    return content if received == len(content) else None


def _private_socket() -> socket.socket:
    """The socket, under a number that no library writes to: 0, 1 and 2 lead nowhere from now on."""
    connection = socket.socket(fileno=os.dup(0))
    connection.setblocking(True)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    return connection


def _limit(memory_bytes: int) -> None:
    """Bound memory, leave no core dumps; what a system does not support is left out."""
    for name, limit in (("RLIMIT_AS", memory_bytes), ("RLIMIT_CORE", 0)):
        with contextlib.suppress(NameError, AttributeError, OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (limit, limit))


def _answer(request: Request, options: ImageOptions) -> Answer:
    # Anything else is a fault of ours and ends the process, which the parent reports as a crash.
    try:
        return Answer(process(request.data, options, request.boxes))
    except ImageError as error:
        return Answer(None, error.error, error.message)
    except MemoryError:
        return Answer(None, "decoder_memory", NO_MEMORY)


def main() -> None:
    """Answer requests until there are no more."""
    # An interrupt from the keyboard goes to the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    connection = _private_socket()
    content = _receive(connection)
    if content is None:
        return
    setup = msgspec.msgpack.decode(content, type=Setup)
    _limit(setup.memory_bytes)
    requests = msgspec.msgpack.Decoder(Request)
    connection.sendall(frame(READY))
    while (content := _receive(connection)) is not None:
        connection.sendall(frame(_answer(requests.decode(content), setup.options)))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        main()
    sys.exit()
