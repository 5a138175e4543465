"""One process owns the runs of a database on a server: by a lock that a connection of its own holds."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from . import commits
from .claim import DatabaseInUse
from .server import Server, let_go

log = logging.getLogger(__name__)

PATIENCE_S = 3.0
"""How long a claim is waited for: a server needs a moment to notice that a process is gone."""

LOOK_S = 2.0
"""How often the connection is looked after."""

ANSWER_S = 10.0
PAUSE_S = 0.1


class ServerClaim:
    """The claim of one process; its connection is made anew when the server was away."""

    def __init__(self, server: Server, engine: AsyncEngine, writer: str) -> None:
        self._server, self._engine, self._writer = server, engine, writer
        self._connection: AsyncConnection | None = None

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold the claim until the block ends.

        Raises:
            DatabaseInUse: Another process has it.
        """
        try:
            await self._take(PATIENCE_S)
        except BaseException as error:
            await self._let_go()
            if isinstance(error, Exception):
                failure = self._server.explained(error)
                if failure is not error:
                    raise failure from error
            raise
        keeping = asyncio.create_task(self._keep(), name="hector-store-claim")
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._let_go()

    async def _take(self, patience_s: float) -> None:
        clock = asyncio.get_running_loop().time
        gives_up = clock() + patience_s
        async with asyncio.timeout(patience_s + self._server.place.connect_s + ANSWER_S):
            connection = self._connection = await self._engine.connect()
            while holder := await connection.run_sync(self._try):
                if clock() >= gives_up:
                    raise DatabaseInUse(self._server.place.name, await connection.run_sync(self._who, holder))
                await asyncio.sleep(PAUSE_S)
            number = await connection.run_sync(self._number)
            await connection.run_sync(commits.claimed, self._writer, number)

    def _try(self, connection: Connection) -> int:
        with connection.begin():
            return self._server.claim(connection)

    def _number(self, connection: Connection) -> int:
        with connection.begin():
            return self._server.number(connection)

    def _who(self, connection: Connection, holder: int) -> str:
        with connection.begin():
            found = commits.claimant(connection, holder)
        if found is not None:
            return f"{found[1]} on host {found[0]}"
        return f"of the server's connection {holder}" if holder > 0 else ""

    async def _keep(self) -> None:
        """Look whether the connection lives; if not, take the claim again as soon as the server is back."""
        name, was_lost = self._server.place.name, False
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                if self._connection is None:
                    await self._take(0.0)
                    log.info("claim on the runs was taken again", extra={"database": name})
                    was_lost = False
                else:
                    async with asyncio.timeout(ANSWER_S):
                        await self._connection.run_sync(self._number)
            except DatabaseInUse as error:
                # What it takes over it takes for good: our next write to such a run is refused.
                log.error(
                    "another process took the runs while the database was away", extra={"error": str(error)}
                )
                await self._let_go()
            except Exception as error:  # the border: whatever drivers raise, the claim is looked after
                if not was_lost:
                    log.warning("claim on the runs was lost with its connection", extra={"database": name})
                    failure = self._server.explained(error)
                    log.debug("connection of the claim failed", extra={"error": str(failure)})
                was_lost = True
                await self._let_go()

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await let_go(connection)
