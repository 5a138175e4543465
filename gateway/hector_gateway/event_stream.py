"""A stream of the mesh, shown to an HTTP client as server-sent events."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from grpc.aio import AioRpcError

from hector_mesh import HectorError, streaming

from .config import LimitsConfig
from .exchange import ClientLeft, Exchange
from .faults import Failure
from .in_flight import InFlight, cancelled_from_outside
from .one_line import in_one_line

_RETRY = b"retry: 1000\n"
"""How many milliseconds a client waits until it comes back: a server that restarts takes about as long."""
_ALIVE = b": alive\n\n"
_LONG = 64 * 1024
"""How much of a stream that is over may be sent in one piece with its end."""
_STOPPING = b": the server is stopping; subscribe to the task to go on\n\n"


class EventStream:
    """One client's stream. It ends with the call behind it, with the client, or with the server."""

    __slots__ = (
        "_complain",
        "_exchange",
        "_in_flight",
        "_left",
        "_limits",
        "_now",
        "_over",
        "_ready",
        "_rpc",
        "_sending",
        "_sent_at",
        "_show",
        "_stuck_at",
        "due",
    )

    def __init__(
        self,
        exchange: Exchange,
        in_flight: InFlight,
        limits: LimitsConfig,
        *,
        show: Callable[[Iterable[bytes]], bytes],
        complain: Callable[[Failure], bytes],
    ) -> None:
        """Prepare to answer.

        Args:
            exchange: Whom to answer.
            in_flight: Where the call is kept while it lasts.
            limits: How long the stream may be silent, and how long the client may not read.
            show: Makes events of messages, given as they travel.
            complain: Makes an event of a failure in mid-stream.
        """
        self._exchange, self._in_flight, self._limits = exchange, in_flight, limits
        self._show, self._complain = show, complain
        self._now = asyncio.get_running_loop().time
        self._sent_at = self._stuck_at = 0.0
        self._sending = self._left = self._over = False
        self._rpc: Any = None
        self._ready: Callable[[], Iterable[bytes]] = _nothing
        self.due = 0

    async def follow(self, rpc: Any) -> None:
        """Send everything that comes, as it comes.

        Raises:
            AioRpcError: The call failed before its first message: there is no stream to end.
            ClientLeft: The client went, or read nothing for too long.
        """
        self._rpc, self._ready = rpc, getattr(rpc, "ready", _nothing)
        exchange, pulse = self._exchange, self._in_flight.pulse
        exchange.tell_of_leaving(self._leave)
        pulse.begin(self, self._pause_s())
        try:
            async with streaming(rpc):
                with self._in_flight.counted(rpc, streams=True, caller=self._exchange.caller):
                    await self._send_all(rpc)
        except asyncio.CancelledError:
            if cancelled_from_outside():
                raise
            await self._broken_off()
        finally:
            self._over = True
            pulse.end(self)
            exchange.tell_no_more(self._leave)

    def looked_after(self, now: float) -> float | None:
        """Show the client a sign of life where nothing else was shown, and cut it off if it does not read.

        Returns:
            The seconds until the next time.
        """
        if self._over or self._left:
            return None
        limits, exchange = self._limits, self._exchange
        if self._stuck_at and now - self._stuck_at >= limits.send_timeout:
            exchange.drop()
            self._leave()
            return None
        silent = now - self._sent_at >= limits.heartbeat * 0.9
        if exchange.started and silent and not self._sending and not self._stuck_at:
            if exchange.send_at_once(_ALIVE):
                self._sent_at = now
            else:
                self._stuck_at = now
        return self._pause_s()

    def _pause_s(self) -> float:
        return min(self._limits.heartbeat, self._limits.send_timeout)

    async def _send_all(self, rpc: Any) -> None:
        exchange, messages = self._exchange, aiter(rpc)
        shown = b""
        try:
            shown = _RETRY + self._shown(await anext(messages))
            await exchange.start_events()
            while True:  # without a name for the message: a stream that waits would keep it
                if not rpc.done() or len(shown) > _LONG:
                    if exchange.send_at_once(shown):
                        self._sent_at = self._now()
                    else:
                        await self._send(shown)
                    shown = b""
                    await asyncio.sleep(0)  # what comes meanwhile goes into the next write: far fewer writes
                shown += self._shown(await anext(messages))
        except (AioRpcError, HectorError) as error:
            if not exchange.started:
                raise
            shown += self._complain(error)
        except StopAsyncIteration:
            if not exchange.started:
                await exchange.start_events()
        await self._send(shown, more=False)

    def _shown(self, message: bytes) -> bytes:
        """Return a message's event, with those of all that have come behind it."""
        return self._show((message, *self._ready()))

    async def _broken_off(self) -> None:
        """Take leave: the call was cancelled because the client or the server goes."""
        if self._left:
            raise ClientLeft from None
        if not self._exchange.started:
            await self._exchange.start_events()
        await self._send(_STOPPING, more=False)

    async def _send(self, events: bytes, *, more: bool = True) -> None:
        self._sent_at, self._sending = self._now(), True
        self._stuck_at = self._stuck_at or self._sent_at
        await self._exchange.send(events, more=more)
        self._sending, self._stuck_at = False, 0.0

    def _leave(self) -> None:
        self._left = True
        self._rpc.cancel()


def event(data: bytes) -> bytes:
    """Return one server-sent event, of which nobody asks where it stands."""
    return b"data: %s\n\n" % in_one_line(data)


def _nothing() -> tuple[()]:
    return ()
