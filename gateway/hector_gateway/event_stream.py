"""A stream of the mesh, shown to an HTTP client as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from grpc.aio import AioRpcError

from hector_mesh import HectorError, streaming

from .config import LimitsConfig
from .exchange import ClientLeft, Exchange
from .faults import Failure
from .in_flight import WATCH_AFTER_S, InFlight, Rpc, cancelled_from_outside

EVENTS = b"text/event-stream"
_HEADERS = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
_ALIVE = b": alive\n\n"
_STOPPING = b": the server is stopping; subscribe to the task to go on\n\n"


class EventStream:
    """One client's stream. It ends with the call behind it, with the client, or with the server."""

    def __init__(
        self,
        exchange: Exchange,
        in_flight: InFlight,
        limits: LimitsConfig,
        *,
        show: Callable[[Any], bytes],
        complain: Callable[[Failure], bytes],
    ) -> None:
        """Prepare to answer.

        Args:
            exchange: Whom to answer.
            in_flight: Where the call is kept while it lasts.
            limits: How long the stream may be silent, and how long the client may not read.
            show: Makes an event of a message; see `event`.
            complain: Makes an event of a failure in mid-stream.
        """
        self._exchange, self._in_flight, self._limits = exchange, in_flight, limits
        self._show, self._complain = show, complain
        self._now = asyncio.get_running_loop().time
        self._sent_at = 0.0
        self._sending = False
        self._left = False
        self._company: asyncio.Task[None] | None = None

    async def follow(self, rpc: Any) -> None:
        """Send everything that comes, as it comes.

        Raises:
            AioRpcError: The call failed before its first message: there is no stream to end.
            ClientLeft: The client went, or read nothing for too long.
        """
        # What is told within a moment needs no company.
        beginning = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._begin_company, rpc)
        try:
            async with streaming(rpc):
                with self._in_flight.counted(rpc, streams=True, caller=self._exchange.caller):
                    await self._send_all(aiter(rpc))
        except asyncio.CancelledError:
            if cancelled_from_outside():
                raise
            await self._broken_off()
        finally:
            beginning.cancel()
            if self._company is not None:
                self._company.cancel()

    async def _send_all(self, messages: AsyncIterator[Any]) -> None:
        try:
            first = await anext(messages)
            await self._exchange.start(200, EVENTS, _HEADERS)
            await self._send(self._show(first))
            async for message in messages:
                await self._send(self._show(message))
        except (AioRpcError, HectorError) as error:
            if not self._exchange.started:
                raise
            await self._send(self._complain(error))
        except StopAsyncIteration:
            await self._exchange.start(200, EVENTS, _HEADERS)
        await self._exchange.send(b"", more=False)

    async def _broken_off(self) -> None:
        """Take leave: the call was cancelled because the client or the server goes."""
        if self._left:
            raise ClientLeft from None
        if not self._exchange.started:
            await self._exchange.start(200, EVENTS, _HEADERS)
        await self._send(_STOPPING)
        await self._exchange.send(b"", more=False)

    async def _send(self, event: bytes) -> None:
        self._sent_at, self._sending = self._now(), True
        await self._exchange.send(event, more=True)
        self._sending = False

    def _begin_company(self, rpc: Rpc) -> None:
        self._company = asyncio.get_running_loop().create_task(self._keep_company(rpc))

    async def _keep_company(self, rpc: Rpc) -> None:
        """Notice that the client leaves or does not read, and show it signs of life in between."""
        limits, exchange = self._limits, self._exchange
        pause = min(limits.heartbeat, limits.send_timeout)
        while True:
            try:
                async with asyncio.timeout(pause):
                    message = await exchange.receive()
            except TimeoutError:
                silent_s = self._now() - self._sent_at
                if self._sending and silent_s >= limits.send_timeout:
                    exchange.drop()
                    break
                if exchange.started and not self._sending and silent_s >= limits.heartbeat * 0.9:
                    await self._beat()
            else:
                if message["type"] == "http.disconnect":
                    break
        self._left = True
        rpc.cancel()

    async def _beat(self) -> None:
        try:
            async with asyncio.timeout(self._limits.send_timeout):
                await self._exchange.send(_ALIVE, more=True)
            self._sent_at = self._now()
        except TimeoutError:
            self._sent_at, self._sending = 0.0, True  # the next look cuts the connection


def event(data: bytes, place: str | None = None) -> bytes:
    """Return one server-sent event; `place` is where a client that comes back can go on."""
    return b"id: %s\ndata: %s\n\n" % (place.encode(), data) if place else b"data: %s\n\n" % data
