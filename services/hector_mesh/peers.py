"""Channels to other processes of the mesh by address: those of the same role, whom no route leads to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio

from .dialing import wire_channel

IDLE_S = 30.0
"""How long a channel is kept that nobody uses: addresses come and go with the processes behind them."""

Dial = Callable[[str], grpc.aio.Channel]


@dataclass(slots=True)
class _Open:
    channel: grpc.aio.Channel
    users: int = 0
    idle: asyncio.TimerHandle | None = None


@dataclass(frozen=True, slots=True)
class Peers:
    """One channel for each address that is in use, whoever uses it. `close` closes what is left."""

    dial: Dial = wire_channel
    """Makes a channel, with what the other side asks for."""
    known: Mapping[str, grpc.aio.Channel] = field(default_factory=dict)
    """Channels that are there already, by address, and stay open: of servers in this process, say."""
    _open: dict[str, _Open] = field(default_factory=dict)
    _closing: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def channel(self, target: str) -> AsyncIterator[grpc.aio.Channel]:
        """Use the channel to an address, which connects when it is first called.

        Raises:
            InvalidTarget: It is no address.
        """
        if target in self.known:
            yield self.known[target]
            return
        found = self._open.get(target)
        if found is None:
            found = self._open[target] = _Open(self.dial(target))
        if found.idle is not None:
            found.idle.cancel()
            found.idle = None
        found.users += 1
        try:
            yield found.channel
        finally:
            found.users -= 1
            if not found.users and self._open.get(target) is found:
                found.idle = asyncio.get_running_loop().call_later(IDLE_S, self._forget, target)

    async def close(self) -> None:
        """Close all channels; calls under way fail."""
        for target in tuple(self._open):
            self._forget(target)
        if self._closing:
            await asyncio.wait(self._closing)

    def _forget(self, target: str) -> None:
        found = self._open.pop(target)
        if found.idle is not None:
            found.idle.cancel()
        task = asyncio.get_running_loop().create_task(found.channel.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
