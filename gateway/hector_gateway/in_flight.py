"""Calls into the mesh that clients wait for, so that they can be ended when a client or the server leaves."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from .errors import Busy, Stopping
from .exchange import ClientLeft, Exchange

WATCH_AFTER_S = 0.05
"""An answer that takes longer is worth noticing that its client leaves."""


class Rpc(Protocol):
    """A call in flight."""

    def cancel(self) -> bool:
        """Stop waiting for it; what it started behind the border goes on."""


class InFlight:
    """Everything that clients of this gateway wait for."""

    def __init__(self, most_streams: int = 5_000) -> None:
        self._most_streams = most_streams
        self._calls: set[Rpc] = set()
        self._streams: set[Rpc] = set()
        self.stopping = False
        """The server was told to stop."""

    @property
    def open_streams(self) -> int:
        """How many there are."""
        return len(self._streams)

    def admit_stream(self) -> None:
        """Let another stream begin; to be asked right before it does.

        Raises:
            Busy: There are enough of them.
        """
        if len(self._streams) >= self._most_streams:
            raise Busy("open streams", self._most_streams, "max_streams")

    @contextmanager
    def counted(self, rpc: Rpc, *, streams: bool) -> Iterator[None]:
        """Keep a call while it lasts."""
        kept = self._streams if streams else self._calls
        kept.add(rpc)
        try:
            yield
        finally:
            kept.discard(rpc)

    def end_streams(self) -> None:
        """End all streams; the tasks they follow are not theirs to end."""
        self.stopping = True
        for rpc in tuple(self._streams):
            rpc.cancel()

    def end_all(self) -> None:
        """End what is still waited for, streams and answers."""
        self.end_streams()
        for rpc in tuple(self._calls):
            rpc.cancel()

    @asynccontextmanager
    async def watched(self, exchange: Exchange, rpc: Rpc) -> AsyncIterator[None]:
        """Wait for a call as long as there is somebody to answer.

        Raises:
            ClientLeft: The client closed the connection.
            Stopping: The server stops.
        """
        watch: asyncio.Task[None] | None = None

        def begin() -> None:
            nonlocal watch
            watch = asyncio.create_task(_cancelled_when_left(exchange, rpc))

        # Most clients of a quick answer are still there when it comes.
        beginning = asyncio.get_running_loop().call_later(WATCH_AFTER_S, begin)
        try:
            yield
        except asyncio.CancelledError:
            if cancelled_from_outside():
                raise
            if watch is not None and watch.done():
                raise ClientLeft from None
            if self.stopping:
                raise Stopping from None
            raise
        finally:
            beginning.cancel()
            if watch is not None:
                watch.cancel()


def cancelled_from_outside() -> bool:
    """Say whether somebody wants this task to end, and not only the call that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _cancelled_when_left(exchange: Exchange, rpc: Rpc) -> None:
    while (await exchange.receive())["type"] != "http.disconnect":
        pass
    rpc.cancel()
