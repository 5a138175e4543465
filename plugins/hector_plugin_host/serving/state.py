"""What a plugin keeps with its host: in the server's database, as far as that answers in time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from grpc import StatusCode

from hector_mesh import HectorError

from .held_open import HeldOpen
from .refusals import KeyNotUsable, StateAway, StateFull

if TYPE_CHECKING:
    from hector_store import PluginValues

log = logging.getLogger(__name__)

LONGEST_KEY = 256
MOST_KEYS = 1_000
"""Of one page."""
USUAL_KEYS = 100
ANSWER_S = 5.0
"""How long a plugin waits for the database: a server that was lost is waited for by others for longer."""
MOST_AT_ONCE = 32
"""What one plugin may have under way: runs are written to the same database."""

T = TypeVar("T")
Values = Callable[[], AbstractAsyncContextManager["PluginValues"]]
"""Opens where plugins keep things; whoever opens it while it is open shares it."""


class PluginState:
    """One plugin's."""

    def __init__(self, plugin: str, values: Values | None, limit_bytes: int) -> None:
        """Prepare; the database is opened when something is asked for.

        Args:
            plugin: Its name.
            values: Where; None: in memory only.
            limit_bytes: How much all values together may take.
        """
        self._plugin, self.limit_bytes = plugin, limit_bytes
        self._values = HeldOpen(values or in_memory)
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._under_way = set[asyncio.Task[object]]()

    async def get(self, app: str, key: str) -> bytes | None:
        """Return what is kept under a key; None: nothing is.

        Raises:
            KeyNotUsable: It is no key.
            StateAway: Nobody answers in time.
        """
        _check(key)
        return await self._do(lambda values: values.get(self._plugin, app, key))

    async def put(self, app: str, key: str, value: bytes, ttl_s: int = 0) -> None:
        """Keep a value.

        Args:
            app: Whose it is.
            key: What it is found by.
            value: What to keep.
            ttl_s: Forget it after so long; 0: never.

        Raises:
            KeyNotUsable: It is no key.
            StateFull: There is no room for it; what was there before is still there.
            StateAway: Nobody answers in time. It may be kept later all the same.
        """
        _check(key)
        limit_bytes = self.limit_bytes

        def keep(values: "PluginValues") -> Awaitable[bool]:
            return values.put(self._plugin, app, key, value, limit_bytes=limit_bytes, ttl_s=ttl_s)

        if not await self._do(keep):
            raise StateFull(self._plugin, limit_bytes)

    async def remove(self, app: str, key: str) -> None:
        """Forget a value, if there is one.

        Raises:
            KeyNotUsable: It is no key.
            StateAway: Nobody answers in time. It may be forgotten later all the same.
        """
        _check(key)
        await self._do(lambda values: values.remove(self._plugin, app, key))

    async def keys(self, app: str, prefix: str, size: int, after: str) -> tuple[list[str], str]:
        """Return a page of keys in order, and what to ask the next one with; empty after the last.

        Args:
            app: Whose.
            prefix: Only those that begin so.
            size: How many at most; 0: a hundred.
            after: What the page before said.

        Raises:
            StateAway: Nobody answers in time.
        """
        most = min(size or USUAL_KEYS, MOST_KEYS)
        found = await self._do(
            lambda values: values.keys(self._plugin, app, prefix=prefix, after=after, most=most + 1)
        )
        return list(found[:most]), found[most - 1] if len(found) > most else ""

    async def close(self) -> None:
        """Let go of the database, once what is under way has an outcome."""
        for task in self._under_way:
            task.cancel()
        await self._values.close()
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _do(self, work: Callable[["PluginValues"], Awaitable[T]]) -> T:
        task = asyncio.get_running_loop().create_task(self._at_work(work))
        self._under_way.add(task)
        task.add_done_callback(self._over)
        try:
            await asyncio.wait((task,), timeout=ANSWER_S)
        finally:  # a read leaves at once; a write ends with its outcome, whoever hears of it
            task.cancel()
        if not task.done():
            raise self._away("no answer in time")
        try:
            return task.result()
        except HectorError as error:
            if error.code is StatusCode.INVALID_ARGUMENT:
                raise
            raise self._away(error.reason) from error  # the message is for those who run the database

    async def _at_work(self, work: Callable[["PluginValues"], Awaitable[T]]) -> T:
        async with self._room:
            return await work(await self._values.get())

    def _over(self, task: asyncio.Task[object]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever asked may have left

    def _away(self, why: str) -> StateAway:
        log.warning("what a plugin keeps was out of reach", extra={"plugin": self._plugin, "why": why})
        return StateAway(self._plugin)


@asynccontextmanager
async def in_memory() -> AsyncIterator["PluginValues"]:
    """Keep things until the last one in this process lets go."""
    from hector_store import PluginValues, opened

    async with opened("inmemory") as database:
        yield PluginValues(database)


def _check(key: str) -> None:
    size = len(key.encode())
    if not 0 < size <= LONGEST_KEY:
        raise KeyNotUsable(size)
