"""The one writer of a database on a server: a task that takes all that waits, and commits it at once."""

import asyncio
import logging
import math
import os
import socket
from collections.abc import Callable, Sequence
from time import perf_counter

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from . import commits
from .errors import StorageClosed
from .group_commit import Fault, commit
from .ids import new_id
from .measuring import committed
from .server import Server, detail_of, let_go
from .server_errors import StorageInDoubt
from .work import AnyWork, Work, urgent_first

log = logging.getLogger(__name__)

BATCH_S = 30.0
"""How long one attempt at a batch may take: a server that hangs must not hold its callers for ever."""

AWAY_S = 30.0
"""How long the first writes wait for a server that went away. While it stays away, later ones try once."""

MOST_WORKS = 2000
"""In one transaction: its locks are others' waiting."""

PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
GOODBYE_S = 3.0
CLOSING_S = 5.0
"""How long a server that is away is waited for when this process stops: longer, and it would be killed."""


class ServerWriter:
    """Writes batches in the order they are put. Each batch is marked with its number in its own transaction.

    So a batch whose COMMIT was lost with its connection can be looked up on the next one: it is never written
    twice, and never reported as lost when it is there.
    """

    def __init__(
        self, server: Server, engine: AsyncEngine, settle: Callable[[Sequence[AnyWork]], None], busy_s: float
    ) -> None:
        self.id = new_id()
        self._server, self._engine, self._settle, self._busy_s = server, engine, settle, busy_s
        self._urgent: list[AnyWork] = []
        self._waiting: list[AnyWork] = []
        self._wake = asyncio.Event()
        self._is_closing = self._is_over = False
        self._task: asyncio.Task[None] | None = None
        self._connection: AsyncConnection | None = None
        self._batch = 0
        self._is_marked = self._in_doubt = False
        self._away_since = 0.0
        self._closes_at = math.inf
        self._attempt_ends: asyncio.Timeout | None = None

    async def enter(self) -> None:
        """Say that this writer is there. The tables must be there."""
        try:
            async with asyncio.timeout(BATCH_S):
                connection = await self._connected()
                me = commits.Writer(self.id, socket.gethostname()[:255], os.getpid())
                await connection.run_sync(commits.enter, me)
        except BaseException:
            await self._disconnect()
            raise

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="hector-store-writer")

    def put(self, works: list[AnyWork]) -> None:
        """Take a batch; never blocks."""
        urgent, others = urgent_first(works)
        self._urgent += urgent
        self._waiting += others
        if self._is_over:
            self._refuse()
        self._wake.set()

    async def close(self) -> None:
        """Write what was put so far, and end. A server that is away is not waited for for long."""
        self._is_closing = True
        self._closes_at = asyncio.get_running_loop().time() + CLOSING_S
        if self._attempt_ends is not None and not self._attempt_ends.expired():
            self._attempt_ends.reschedule(min(self._attempt_ends.when() or self._closes_at, self._closes_at))
        self._wake.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        try:
            while self._urgent or self._waiting or not self._is_closing:
                works, self._urgent = self._urgent, []  # alone: it is not to take as long as the others
                if not works:
                    works, self._waiting = self._waiting[:MOST_WORKS], self._waiting[MOST_WORKS:]
                if works:
                    await self._write(works)
                else:
                    self._wake.clear()
                    await self._wake.wait()
        finally:  # when the loop is torn down, too: callers wait for their outcomes whatever happens
            self._is_over = True
            self._refuse()
            await self._leave()

    def _refuse(self) -> None:
        works, self._urgent, self._waiting = self._urgent + self._waiting, [], []
        for work in works:
            work.outcome = StorageClosed(self._server.place.name)
        if works:
            self._settle(works)

    async def _write(self, works: list[AnyWork]) -> None:
        begun = perf_counter()
        try:
            await self._commit(works)
        except Exception as error:  # the border: whatever happens to a batch, the next one is written
            failure = self._server.explained(error)
            committed(works, begun, failure)
            log.error(
                "batch was not written",
                exc_info=None if failure is not error else error,
                extra={**self._facts(error), "writes": len(works)},
            )
            for work in works:
                work.outcome = failure
            await self._disconnect()
        except BaseException:
            for work in works:
                work.outcome = StorageClosed(self._server.place.name)
            raise
        else:
            committed(works, begun)
            for work in works:
                if isinstance(work.outcome, Exception):
                    work.outcome = self._server.explained(work.outcome)
        finally:
            self._settle(works)

    async def _commit(self, works: list[AnyWork]) -> None:
        """Try until the batch is there, once, or cannot be."""
        clock = asyncio.get_running_loop().time
        self._batch += 1
        self._is_marked = self._in_doubt = False
        busy_until, pause_s = clock() + self._busy_s, PAUSE_S
        while True:
            begun = clock()
            try:
                await self._attempt(works, until=begun + BATCH_S)
            except Exception as error:
                fault = self._server.fault_of(error)
                if fault is Fault.OF_CONNECTION:
                    self._in_doubt = self._in_doubt or self._is_marked
                    await self._disconnect()
                    if not self._away_since:
                        self._away_since = begun
                        log.warning("database was lost", extra=self._facts(error))
                    gives_up = self._away_since + AWAY_S
                elif fault is Fault.RETRY:
                    gives_up = busy_until
                else:
                    gives_up = 0.0
                if clock() >= min(gives_up, self._closes_at):
                    if self._in_doubt:
                        raise StorageInDoubt(self._server.place, detail_of(error)) from error
                    raise
                log.debug("batch is tried again", extra={"database": self._server.place.name})
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                if self._away_since:
                    self._away_since = 0.0
                    log.info("database was found again", extra={"database": self._server.place.name})
                return

    def _facts(self, error: Exception) -> dict[str, str]:
        return {"database": self._server.place.name, "error": str(self._server.explained(error))}

    async def _attempt(self, works: list[AnyWork], *, until: float) -> None:
        try:
            async with asyncio.timeout_at(min(until, self._closes_at)) as self._attempt_ends:
                await self._try(works)
        finally:
            self._attempt_ends = None

    async def _try(self, works: list[AnyWork]) -> None:
        connection = await self._connected()
        self._is_marked = False
        if self._in_doubt:
            # An attempt got as far as its mark: its COMMIT may have been carried out, or still be.
            if await connection.run_sync(commits.is_there, self.id, self._batch):
                return
            self._in_doubt = False
        mark: AnyWork = Work(self._mark, self._batch, 0, 0)
        await connection.run_sync(commit, [*works, mark], self._server.fault_of)
        if isinstance(mark.outcome, Exception):
            raise mark.outcome

    def _mark(self, connection: Connection, batches: Sequence[int]) -> Sequence[None]:
        commits.mark(connection, self.id, batches[-1])
        self._is_marked = True
        return [None] * len(batches)

    async def _connected(self) -> AsyncConnection:
        if self._connection is None:
            self._connection = await self._engine.connect()
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await let_go(connection)

    async def _leave(self) -> None:
        try:
            if self._connection is not None:
                async with asyncio.timeout(GOODBYE_S):
                    await self._connection.run_sync(commits.leave, self.id)
        except (SQLAlchemyError, OSError) as error:
            log.debug("writer left without a goodbye", extra={"error": str(error)})
        finally:
            await self._disconnect()
