"""Something that is opened when it is first needed, and held open: in a task of its own.

So whoever cannot wait any longer leaves, and the opening goes on for those who come after.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import Context
from typing import Generic, TypeVar

T = TypeVar("T")


class HeldOpen(Generic[T]):
    """One such thing. What could not be opened is tried again when it is next needed."""

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opening = opening
        self._leave = asyncio.Event()
        self._holding: asyncio.Task[None] | None = None
        self._found: asyncio.Future[T]

    async def get(self) -> T:
        """Return it, open.

        Raises:
            Exception: Whatever was raised when it was opened.
        """
        holding = self._holding
        if holding is None or holding.done():
            loop = asyncio.get_running_loop()
            self._found = loop.create_future()
            holding = loop.create_task(self._hold(self._found), name="held open", context=Context())
            holding.add_done_callback(_seen)
            self._holding = holding
        found = self._found
        await asyncio.wait((found, holding), return_when=asyncio.FIRST_COMPLETED)
        if not found.done():
            holding.result()  # raises what was in the way
        return found.result()

    async def close(self) -> None:
        """Let go of it; nobody may need it after that."""
        self._leave.set()
        holding = self._holding
        if holding is None:
            return
        if not self._found.done():
            holding.cancel()
        await asyncio.wait((holding,))

    async def _hold(self, found: asyncio.Future[T]) -> None:
        async with self._opening() as opened:
            found.set_result(opened)
            await self._leave.wait()


def _seen(task: asyncio.Task[None]) -> None:
    """Take note of an error that those who were to hear of it did not wait for."""
    if not task.cancelled():
        task.exception()
