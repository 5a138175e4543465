"""Turns of one session, one after another, in the order in which they were committed."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class InOrder:
    """Lets one turn of a session work at a time, the one with the lowest position first."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[tuple[int, asyncio.Event]]] = {}

    def busy(self, session: Hashable) -> bool:
        """A turn of the session is at work or waits."""
        return session in self._waiting

    @asynccontextmanager
    async def turn(self, session: Hashable, position: int) -> AsyncIterator[None]:
        """Wait for the turns before this one. Leaving, cancelled or not, lets the next one in."""
        queue = self._waiting.setdefault(session, [])
        mine = (position, asyncio.Event())
        queue.append(mine)
        if len(queue) == 1:
            mine[1].set()
        try:
            await mine[1].wait()
            yield
        finally:
            queue.remove(mine)
            if not queue:
                del self._waiting[session]
            elif mine[1].is_set():
                min(queue, key=lambda waiting: waiting[0])[1].set()
