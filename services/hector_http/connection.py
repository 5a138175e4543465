"""A connection to a server: one exchange at a time, many after one another."""

import asyncio
from collections.abc import Callable
from typing import cast

from hector_http.exchange import Exchange
from hector_http.targets import Target

JOIN_BYTES = 64 * 1024
"""Up to here, copying a body behind its head costs less than a second system call."""


class Connection(asyncio.Protocol):
    """Carries bytes between its transport and the exchange under way."""

    def __init__(self, left: Callable[["Connection"], None]) -> None:
        """Prepare a connection; `left` is told when an exchange has left it, or when it is lost."""
        self._left = left
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self.origin = ""
        self.usable = True
        """Another exchange can begin, once there is none."""
        self.idle_since = 0.0

    def ask(self, target: Target, method: str, head: bytes, body: bytes | None) -> Exchange:
        """Send a request."""
        exchange = self._exchange = Exchange(target, method, self)
        if self._transport is None or not self.usable:
            exchange.end(clean=False)  # it was lost as soon as it was there
        elif not body:
            self._transport.write(head)
        elif len(body) <= JOIN_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        return exchange

    def close(self) -> None:
        """Close at once. Closing politely what is still coming would mean to read all of it."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    # What an exchange asks for.

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def part(self, exchange: Exchange) -> None:
        if self._exchange is not exchange:
            return
        self._exchange = None
        sent = self._transport is not None and not self._transport.get_write_buffer_size()
        if not (exchange.over and exchange.keeps_alive and self.usable and sent):
            self.close()
        self._left(self)

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            self.close()  # nobody asked
        else:
            self._exchange.feed(data)

    def eof_received(self) -> None:
        self._end(clean=True)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(clean=error is None)
        self._transport = None
        self._left(self)

    def _end(self, *, clean: bool) -> None:
        self.usable = False
        if self._exchange is not None:
            self._exchange.end(clean=clean)
