"""Turns of one session, one after another, in the order in which they were committed."""

import asyncio
from collections.abc import Awaitable, Hashable
from enum import Enum


class _Place(Enum):
    WAITS = 0
    IS_IN = 1
    ASIDE = 2
    """It let those before it in, and comes back by itself."""


class InOrder:
    """Lets one turn of a session work at a time, the one with the lowest position first."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[Seat]] = {}

    def busy(self, session: Hashable) -> bool:
        """A turn of the session is at work or waits."""
        return session in self._waiting

    def turn(self, session: Hashable, position: int) -> "Seat":
        """Wait for the turns before this one: for `async with`. Leaving it lets the next one in."""
        return Seat(self._waiting, session, position)


class Seat:
    """One turn, waiting or at work. A class: every answer goes through here, and generators cost more."""

    __slots__ = ("_may_enter", "_place", "_queue", "_session", "_waiting", "position")

    def __init__(self, waiting: "dict[Hashable, list[Seat]]", session: Hashable, position: int) -> None:
        self._waiting, self._session, self.position = waiting, session, position
        self._may_enter: asyncio.Event | None = None
        queue = waiting.get(session)
        if queue is None:
            self._queue = waiting[session] = [self]
            self._place = _Place.IS_IN
            return
        self._queue = queue
        queue.append(self)
        self._place = _Place.WAITS
        self._let_next_in()

    async def __aenter__(self) -> None:
        await self.enter()

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    async def aside(self, until: Awaitable[object]) -> None:
        """Wait for something outside, and come in again. Meanwhile turns before this may go, no others."""
        self._place = _Place.ASIDE
        self._let_next_in()
        try:
            await until
        except BaseException:
            self.leave()
            raise
        self._place = _Place.WAITS
        self._let_next_in()
        await self.enter()

    def leave(self) -> None:
        """Let the next one in; for who is left behind, too, and then leaves a second time."""
        if self not in self._queue:
            return
        self._queue.remove(self)
        if not self._queue:
            del self._waiting[self._session]
        else:
            self._let_next_in()

    @property
    def waits(self) -> bool:
        """Others come first."""
        return self._place is not _Place.IS_IN

    async def enter(self) -> None:
        """Return when those before it are over; for who leaves by itself."""
        if not self.waits:
            return
        self._may_enter = asyncio.Event()
        try:
            await self._may_enter.wait()
        except BaseException:
            self.leave()
            raise

    def _let_next_in(self) -> None:
        if any(seat._place is _Place.IS_IN for seat in self._queue):
            return
        first = min(self._queue, key=_position)
        if first._place is _Place.WAITS:
            first._place = _Place.IS_IN
            if first._may_enter is not None:
                first._may_enter.set()


def _position(turn: Seat) -> int:
    return turn.position
