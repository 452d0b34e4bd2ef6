"""Decoder processes, so that a file that kills, hangs or bloats its decoder costs one sample.

A pool of the standard library breaks as a whole when one process dies. Here each decoder has its own
socket, works on one file at a time, and is started anew when it is lost.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec

from curation.download.blur import check_boxes
from curation.download.decoder import HEADER_BYTES, READY, Answer, Request, Setup, frame
from curation.download.image import ImageError, ImageOptions, Picture

COMMAND = (sys.executable, "-P", "-m", "curation.download.decoder")
MEMORY_BYTES = 3 << 29
_START_SECONDS = 60
_STARTS = 3  # in a row that may fail
_LOSSES = 2  # of a decoder by the same file, before it counts as the cause
_SOCKET_BYTES = 1 << 20  # of buffer, as far as the system allows: fewer turns for a file

_answers = msgspec.msgpack.Decoder(Answer)


class _Lost(Exception):
    """The decoder ended before it had answered."""


class _Decoder:
    """A decoder process, which may not be there at the moment.

    Args:
        command: what to start.
        setup: the first frame.
    """

    def __init__(self, command: Sequence[str], setup: bytearray) -> None:
        self._command = command
        self._setup = setup
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ready = False

    async def start(self) -> None:
        """Start the process if it is not there, or no longer.

        Raises:
            RuntimeError: it does not start.
        """
        if self._ready and self._process is not None and self._process.poll() is None:
            return
        for _ in range(_STARTS):
            await self.stop()
            try:
                async with asyncio.timeout(_START_SECONDS):
                    self._spawn()
                    self._ready = await self._exchange(self._setup) == msgspec.msgpack.encode(READY)
                if self._ready:
                    return
            except (_Lost, TimeoutError):
                continue
            except BaseException:
                self.kill()
                raise
        await self.stop()
        raise RuntimeError(f"image decoders do not start; to see why: {' '.join(self._command)} < /dev/null")

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
            ours.setblocking(False)
            # The same modules as here, however this process came by them. One thread each: there are as
            # many decoders as are wanted.
            paths = os.pathsep.join(sys.path)
            environment = {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                self._command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env=environment,
            )

    async def ask(self, request: bytearray, timeout_seconds: float) -> Answer:
        """The answer to a request. Whatever goes wrong, the process is killed, as it would be out of step.

        Raises:
            _Lost: the process ended.
            TimeoutError: it took too long.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                content = await self._exchange(request)
            return _answers.decode(content)
        except BaseException:
            self.kill()
            raise

    async def _exchange(self, request: bytearray) -> bytearray:
        loop = asyncio.get_running_loop()
        assert self._socket is not None
        try:
            await loop.sock_sendall(self._socket, request)
            header = await self._receive(loop, HEADER_BYTES)
            return await self._receive(loop, int.from_bytes(header, "big"))
        except ConnectionError:
            raise _Lost from None

    async def _receive(self, loop: asyncio.AbstractEventLoop, size: int) -> bytearray:
        assert self._socket is not None
        content, received = bytearray(size), 0
        while received < size:
            count = await loop.sock_recv_into(self._socket, memoryview(content)[received:])
            if not count:
                raise _Lost
            received += count
        return content

    def kill(self) -> None:
        """End the process at once; `stop` or `start` sees to what is left of it."""
        self._ready = False
        if self._process is not None:
            self._process.kill()

    async def stop(self) -> None:
        """End the process and wait for its end, which is a matter of milliseconds."""
        self._ready = False
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            if process.poll() is None:
                await asyncio.to_thread(process.wait)
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Decoders:
    """Some decoder processes, for any number of coroutines of one event loop; an async context manager.

    Args:
        options: for all pictures.
        processes: how many.
        timeout_seconds: that one file may take.
        memory_bytes: of address space for each process; 100 million pixels need a gigabyte.
        command: for tests, another program that talks as `decoder` does.
    """

    def __init__(
        self,
        options: ImageOptions,
        *,
        processes: int = 1,
        timeout_seconds: float = 10.0,
        memory_bytes: int = MEMORY_BYTES,
        command: Sequence[str] = COMMAND,
    ) -> None:
        setup = frame(Setup(options, memory_bytes))
        self._timeout_seconds = timeout_seconds
        self._decoders = [_Decoder(command, setup) for _ in range(processes)]
        self._idle: asyncio.LifoQueue[_Decoder] = asyncio.LifoQueue()
        self._closed = False

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.TaskGroup() as starting:
                for decoder in self._decoders:
                    starting.create_task(decoder.start())
        except ExceptionGroup as failures:
            await self._stop()
            raise failures.exceptions[0] from None
        for decoder in self._decoders:
            self._idle.put_nowait(decoder)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        for decoder in self._decoders:
            decoder.kill()
        # Who waits for an answer hears of the end before the sockets are closed, or never would.
        for decoder in [await self._idle.get() for _ in self._decoders]:
            self._idle.put_nowait(decoder)
        await self._stop()

    async def _stop(self) -> None:
        await asyncio.gather(*(decoder.stop() for decoder in self._decoders))

    async def process(self, data: bytes, boxes: Sequence[Sequence[float]] = ()) -> Picture:
        """Make a picture of a file, as `image.process` does, once a decoder is free.

        Raises:
            ImageError: it gives no picture.
            ValueError: the boxes make no sense.
            RuntimeError: decoders do not start, or are closed.
        """
        check_boxes(boxes)
        request = frame(Request(data, [(box[0], box[1], box[2], box[3]) for box in boxes]))
        for _ in range(_LOSSES):
            try:
                answer = await self._ask(request)
            except _Lost:
                # It may have been killed from outside, and the file be innocent.
                continue
            except TimeoutError:
                message = f"takes longer than {self._timeout_seconds:g} seconds"
                raise ImageError("decoder_timeout", message) from None
            if answer.picture is None:
                raise ImageError(answer.error, answer.message)
            return answer.picture
        raise ImageError("decoder_crash", "ends every decoder that reads it")

    async def _ask(self, request: bytearray) -> Answer:
        decoder = await self._idle.get()
        try:
            if self._closed:
                raise RuntimeError("these decoders are closed")
            await decoder.start()
            return await decoder.ask(request, self._timeout_seconds)
        finally:
            self._idle.put_nowait(decoder)
