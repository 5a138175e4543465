"""One open database: everything is written by one writer in groups, and read beside it."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection

from hector_mesh import HectorError

from . import measuring
from .backend import Backend
from .errors import StorageClosed
from .group_commit import each
from .hints import Hints
from .server_url import ServerPlace
from .url import Place
from .work import QUEUE_BYTES, QUEUE_ROWS, Many, WriteQueue

BUSY_S = 10.0
"""How long somebody else's lock is waited for."""

WELL_S = 2.0
"""How long a database that is well takes to answer, at most: who asks has traffic to send elsewhere."""

TROUBLE_S = 30.0
"""How long a failed commit is remembered, where no later one succeeds."""

if TYPE_CHECKING:
    from .blobs import Blobs

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741


class Database:
    """Made by `opened`. Belongs to the event loop it was opened on.

    Functions given to it get a SQLAlchemy connection inside a transaction, may run in a thread, and must have
    no effect but on the database: they may be called again.
    """

    def __init__(
        self,
        place: Place | ServerPlace,
        *,
        busy_s: float = BUSY_S,
        queue_rows: int = QUEUE_ROWS,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self.place = place
        self.blobs: Blobs | None = None
        """Where large contents go, if not into the database."""
        self.artifact_bytes = 16 << 20
        """Most of one version of an artifact."""
        self.scoped_apps: set[str] = set()
        """Apps in which state outlives its session, as far as is known; see `states`."""
        self.name = place.name
        """What messages call it: the file, for example."""
        self.hints = Hints()
        """What was committed just now, here or elsewhere, as far as that gets around."""
        self._queue = WriteQueue(lambda works: self._backend.put(works), place.name, queue_rows, queue_bytes)
        self._backend = _backend(place, self._queue, busy_s, self.hints)
        measuring.watch_queue(self._queue)

    @property
    def file(self) -> Path | None:
        """Where it is; None when it is in no file of this machine."""
        return self.place.file

    async def open(self) -> None:
        """Bring its tables up to date, and start the writer. A file or its tables are made when missing.

        Raises:
            HectorError: The database cannot be used; the message names it and the next step.
        """
        try:
            await self._backend.open()
        except BaseException:
            self._queue.closed = True
            raise

    async def write(self, function: Callable[[Connection], T], *, rows: int = 1, size_bytes: int = 0) -> T:
        """Call `function` within the next group commit, and return what it returned once that is durable.

        A caller that is cancelled waits for the outcome all the same.

        Args:
            function: What to write.
            rows: About how many rows, for the bound of the queue; or `work.URGENT`.
            size_bytes: About how many bytes, likewise.

        Raises:
            HectorError: RESOURCE_EXHAUSTED: the queue is full. See `errors` for the others.
            Exception: Whatever the function raised; what it had written is undone.
        """
        return await self._queue.submit(each, function, rows, size_bytes)

    def write_together(
        self, many: Many[I, T], item: I, rows: int = 1, size_bytes: int = 0
    ) -> Coroutine[Any, Any, T]:
        """Write `item` in one go with all that others write by the same `many`; otherwise like `write`."""
        return self._queue.submit(many, item, rows, size_bytes)

    async def read(self, function: Callable[[Connection], T], *, short: bool = False) -> T:
        """Call `function` on one moment of the database, and return what it returned.

        A `short` one finds a few rows by their key, and may wait for others that are short.
        """
        if self._queue.closed:
            raise StorageClosed(self.name)
        begun = perf_counter()
        try:
            found = await self._backend.read(function, short=short)
        except HectorError as error:
            measuring.read(begun, error)
            self._queue.note(error)
            raise
        measuring.read(begun)
        return found

    async def is_claimed(self) -> bool:
        """Say whether a process of an earlier version, which knew no leases, is still at work on its runs.

        Raises:
            HectorError: It cannot be asked.
        """
        return await self._backend.is_claimed()

    async def is_well(self) -> bool:
        """Say whether it can be read at once, and the latest commit of the last seconds did not fail.

        Raises:
            HectorError: It cannot be read; the message says why.
        """
        try:
            async with asyncio.timeout(WELL_S):
                await self.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
        except TimeoutError:
            return False
        failed_at = self._queue.failed_at
        if self._queue.is_corrupt:
            return False
        return failed_at is None or perf_counter() - failed_at > TROUBLE_S

    async def close(self) -> None:
        """Write what was admitted, and let go of the database. Later calls fail with StorageClosed."""
        if self._queue.closed:
            return
        self._queue.flush()
        self._queue.closed = True
        await self._backend.close()


def _backend(place: Place | ServerPlace, queue: WriteQueue, busy_s: float, hints: Hints) -> Backend:
    # Imported here: nobody pays for the kind that he does not use.
    if isinstance(place, ServerPlace):
        from .drivers import need_driver

        need_driver(place)
        from .server_backend import ServerBackend

        return ServerBackend(place, queue, busy_s, hints)
    from .sqlite_backend import SQLiteBackend

    return SQLiteBackend(place, queue, busy_s)
