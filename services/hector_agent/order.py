"""Turns of one session, one after another, in the order in which they were committed."""

import asyncio
from collections.abc import Hashable


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

    __slots__ = ("_is_in", "_may_enter", "_queue", "_session", "_waiting", "position")

    def __init__(self, waiting: "dict[Hashable, list[Seat]]", session: Hashable, position: int) -> None:
        self._waiting, self._session, self.position = waiting, session, position
        self._queue = waiting.setdefault(session, [])
        self._queue.append(self)
        self._is_in = len(self._queue) == 1
        self._may_enter: asyncio.Event | None = None

    async def __aenter__(self) -> None:
        if self._is_in:
            return
        self._may_enter = asyncio.Event()
        try:
            await self._may_enter.wait()
        except BaseException:
            self.leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Let the next one in; for who is left behind, too, and then leaves a second time."""
        if self not in self._queue:
            return
        self._queue.remove(self)
        if not self._queue:
            del self._waiting[self._session]
        elif self._is_in:
            min(self._queue, key=_position)._let_in()

    def _let_in(self) -> None:
        self._is_in = True
        if self._may_enter is not None:
            self._may_enter.set()


def _position(turn: Seat) -> int:
    return turn.position
