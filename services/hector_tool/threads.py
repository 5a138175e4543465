"""Threads for work that would block the loop: reading files, walking folders."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")
THREADS = 8


class Threads:
    """A few threads of the room's own, so that a slow disk holds up nothing else in the process."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="hector-tool")

    async def run(self, work: Callable[[threading.Event], T]) -> T:
        """Do `work` in a thread and return what it returns.

        `work` gets an event to look at now and then: it is set when nobody waits for the result any more.
        """
        stop = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, stop)
        finally:
            stop.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Own the threads; what is still running on the way out is left to see its event."""
        try:
            yield
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
