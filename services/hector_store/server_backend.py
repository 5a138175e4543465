"""A database on a server: one connection that writes, a pool that reads, and a lock for who owns the runs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from .group_commit import Fault
from .hints import Carrier, Hints
from .measuring import watch_pool
from .migrate import is_current, migrate
from .server import MIGRATION_S, Server, let_all_go, reader_engine, server_of, writer_engine
from .server_url import ServerPlace
from .server_writer import ServerWriter
from .work import AnyWork, WriteQueue

log = logging.getLogger(__name__)

READ_S = 30.0
"""How long one read may take."""

PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0

T = TypeVar("T")


class ServerBackend:
    """Belongs to the event loop it was made on; what it is given runs there, in greenlets."""

    def __init__(self, place: ServerPlace, queue: WriteQueue, busy_s: float, hints: Hints) -> None:
        self._place, self._busy_s = place, busy_s
        self._server: Server = server_of(place)
        self._write_engine: AsyncEngine = writer_engine(self._server)
        self._read_engine: AsyncEngine = reader_engine(self._server)
        watch_pool(self._read_engine.pool)
        self._writer = ServerWriter(self._server, self._write_engine, queue.settle, busy_s)
        self._carrier = carrier_of(self._server, hints)

    async def open(self) -> None:
        """Wait for a server that is just starting, see that it will do, and bring its tables up to date."""
        try:
            await self._patiently(self._prepare, self._place.connect_s)
            await self._patiently(self._writer.enter, self._place.connect_s)
            self._writer.start()
        except BaseException:
            await self._dispose()
            raise

    def put(self, works: list[AnyWork]) -> None:
        """Hand a batch to the writer."""
        self._writer.put(works)

    async def read(self, function: Callable[[Connection], T], *, short: bool = False) -> T:
        """Call `function` on a connection of the pool; again, when that was lost."""

        async def once() -> T:
            async with asyncio.timeout(READ_S), self._read_engine.connect() as connection, connection.begin():
                return await connection.run_sync(function)

        return await self._patiently(once, self._busy_s)

    async def is_claimed(self) -> bool:
        """Ask the server for the lock that earlier versions held."""
        return await self.read(self._server.is_claimed)

    async def close(self) -> None:
        """Write what was put, and close every connection."""
        try:
            await self._writer.close()
            if self._carrier is not None:
                await self._carrier.close()
        finally:
            await self._dispose()

    async def _patiently(self, function: Callable[[], Awaitable[T]], patience_s: float) -> T:
        """Call `function`, again and again while the server is away, for so long."""
        clock = asyncio.get_running_loop().time
        gives_up, pause_s = clock() + patience_s, PAUSE_S
        while True:
            try:
                return await function()
            except Exception as error:
                fault = self._server.fault_of(error)
                again = fault in (Fault.RETRY, Fault.OF_CONNECTION) and not isinstance(error, TimeoutError)
                if again and clock() < gives_up:
                    if pause_s == LONGEST_PAUSE_S:  # somebody wonders by now
                        log.warning("database was away", extra={"error": str(self._server.explained(error))})
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                    continue
                failure = self._server.explained(error)
                if failure is error:
                    raise
                raise failure from error

    async def _prepare(self) -> None:
        async with self._write_engine.connect() as connection:
            async with asyncio.timeout(self._place.connect_s):
                is_done = await connection.run_sync(self._check)
            if not is_done:
                async with asyncio.timeout(2 * MIGRATION_S):
                    await connection.run_sync(self._migrate)

    def _check(self, connection: Connection) -> bool:
        with connection.begin():
            self._server.check(connection)
            return is_current(connection, self._place.name)

    def _migrate(self, connection: Connection) -> None:
        with self._server.migrating(connection):
            migrate(connection, self._place.name)

    async def _dispose(self) -> None:
        for engine in (self._write_engine, self._read_engine):
            await let_all_go(engine)


def carrier_of(server: Server, hints: Hints) -> Carrier | None:
    """Return what takes hints to other processes; None: there is nothing that would."""
    from .postgres import Postgres  # imported here: nobody pays for the kind that he does not use

    if not isinstance(server, Postgres):
        return None
    from .postgres_hints import PostgresHints

    return PostgresHints(server, hints)
