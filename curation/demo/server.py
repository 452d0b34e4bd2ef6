"""A web server on loopback that answers as well, or as badly, as it is told to."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

HOST = "127.0.0.1"

_PATIENCE_SECONDS = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server says to one request.

    Attributes:
        status: of HTTP.
        headers: beside Content-Length, which the server adds.
        body: all that is sent before the connection is closed.
        declared_length: the Content-Length, where it is to be another than that of the body.
        delay_seconds: silence before the first byte; cut short when the server stops.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    declared_length: int | None = None
    delay_seconds: float = 0.0


class Server:
    """Serves on 127.0.0.1 while a `with` block runs, and counts what it was asked for.

    Args:
        answer: what to say to a GET for a path, query included; None becomes 404. The `get` of a dict
            will do. It is called by several threads at a time.
        port: to listen on; 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, answer: Callable[[str], Answer | None], port: int = 0) -> None:
        self._answer = answer
        self._requests: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._stopping = threading.Event()
        self._http = _Http((HOST, port), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._http.server_port

    @property
    def origin(self) -> str:
        """What the URLs of its paths start with, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    @property
    def requests(self) -> Counter[str]:
        """How often each path was asked for until now."""
        with self._counting:
            return self._requests.copy()

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _respond(self, request: BaseHTTPRequestHandler) -> None:
        with self._counting:
            self._requests[request.path] += 1
        answer = self._answer(request.path) or Answer(status=404)
        if self._stopping.wait(answer.delay_seconds):
            return
        length = len(answer.body) if answer.declared_length is None else answer.declared_length
        request.send_response(answer.status)
        for name, value in answer.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(length))
        request.end_headers()
        request.wfile.write(answer.body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        respond = self._respond

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE_SECONDS  # with a client that says nothing

            def do_GET(self) -> None:
                respond(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


class _Http(ThreadingHTTPServer):
    # A crawler opens its connections all at once; with the 5 of the standard library some wait a second.
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what went wrong off the terminal; a client that hangs up is no fault at all."""
        logger.info("answer not delivered to %s", client_address, exc_info=True)
