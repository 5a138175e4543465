"""Runs and sessions that somebody wants kept: nothing prunes or compacts them."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from hector_store.clock import now
from hector_store.database import Database
from hector_store.errors import RunNotFound
from hector_store.fitting import fit
from hector_store.schema import CONTEXT_ID, OWNER, RUN_ID, pins, runs


class Pins:
    """The pins of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pin_run(self, app: str, owner: str, run_id: str) -> None:
        """Keep a run.

        Raises:
            RunNotFound: There is no such run for this owner.
        """
        await self._pin(app, owner, "", run_id, runs.c.id == run_id)

    async def pin_session(self, app: str, owner: str, context_id: str) -> None:
        """Keep all runs of a session, also those to come.

        Raises:
            RunNotFound: The session has no runs.
        """
        await self._pin(app, owner, context_id, "", runs.c.context_id == context_id)

    async def unpin(self, app: str, owner: str, *, context_id: str = "", run_id: str = "") -> bool:
        """Take a pin away; False when there was none."""
        this = delete(pins).where(
            pins.c.app == app,
            pins.c.owner == owner,
            pins.c.context_id == context_id,
            pins.c.run_id == run_id,
        )
        return bool(await self._database.write(lambda connection: connection.execute(this).rowcount))

    async def of(self, app: str, owner: str) -> Sequence[tuple[str, str]]:
        """Return what an owner has pinned, as (context, "") and ("", run)."""
        mine = select(pins.c.context_id, pins.c.run_id).where(pins.c.app == app, pins.c.owner == owner)
        rows = await self._database.read(
            lambda connection: connection.execute(mine.order_by(pins.c.context_id, pins.c.run_id)).all()
        )
        return [(row.context_id, row.run_id) for row in rows]

    async def _pin(self, app: str, owner: str, context_id: str, run_id: str, condition: object) -> None:
        fit("context id", context_id, CONTEXT_ID)
        fit("run id", run_id, RUN_ID)
        fit("owner", owner, OWNER)
        row = {"app": app, "owner": owner, "context_id": context_id, "run_id": run_id}

        def write(connection: Connection) -> None:
            theirs = select(runs.c.id).where(runs.c.app == app, runs.c.owner == owner, condition)  # type: ignore[arg-type]  # a comparison is
            if connection.execute(theirs.limit(1)).first() is None:
                raise RunNotFound(run_id or context_id)
            connection.execute(delete(pins).where(*(pins.c[name] == value for name, value in row.items())))
            connection.execute(insert(pins), {**row, "time": now(connection)})

        await self._database.write(write)
