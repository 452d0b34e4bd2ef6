"""Connections of aiohttp: pooled, but only so many idle ones, and dropped at once where they end badly."""

import asyncio
import ssl
from collections import OrderedDict
from functools import lru_cache, partial
from typing import Any

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from curation.download.names import Names

CONNECT_SECONDS = 5.0
"""For TCP and TLS together, of each round over a name's addresses."""
IDLE_SECONDS = 15.0
MOST_IDLE = 256
"""Connections kept in case their host is asked again. Hosts are many, and aiohttp knows no bound."""


@lru_cache(1)
def tls_context() -> ssl.SSLContext:
    """One for the process: reading the system's certificates takes some 25 ms."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Connector(TCPConnector):
    """Makes and keeps connections.

    Args:
        names: looks names up; it outlives the connector.
        socket_factory: makes the socket of every connection, or refuses to; None lets all pass.
    """

    def __init__(self, names: Names, socket_factory: Any) -> None:
        super().__init__(
            resolver=names,
            use_dns_cache=False,  # `names` has one
            ssl=tls_context(),
            limit=0,
            keepalive_timeout=IDLE_SECONDS,
            socket_factory=socket_factory,
        )
        self._kept: OrderedDict[ResponseHandler, None] = OrderedDict()

    async def connect(self, req: ClientRequest, traces: Any, timeout: ClientTimeout) -> Connection:
        """A connection of the pool, or a new one."""
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        if protocol is not None:
            self._kept.pop(protocol, None)
            connection.add_callback(partial(self._given_back, protocol))
        return connection

    def _given_back(self, protocol: ResponseHandler) -> None:
        """Aiohttp is about to put a connection into its pool, or to close it."""
        if protocol.should_close:
            # Closing TLS in good order means to wait for the other side, for half a minute if it is silent.
            _abort(protocol.transport)
            return
        self._kept[protocol] = None
        if len(self._kept) > MOST_IDLE:
            oldest, _ = self._kept.popitem(last=False)
            _abort(oldest.transport)


def _abort(transport: asyncio.BaseTransport | None) -> None:
    if isinstance(transport, asyncio.Transport):
        transport.abort()
