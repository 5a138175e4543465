"""Checks a database beside whoever uses it, and puts right what can be told from the log."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, select, update

from hector_store.artifacts import Artifacts
from hector_store.database import Database
from hector_store.reading import events, run
from hector_store.schema import metadata, runs
from hector_store.server import let_all_go, server_of, writer_engine
from hector_store.server_url import ServerPlace
from hector_store.values import TERMINAL_STATES, EventRow, RunRow

from . import history_check, integrity, usage_check
from .finding import Finding

T = TypeVar("T")
Projection = tuple[str, bytes]
"""What stands in a run's row of what its events tell: its state, and what lists show."""
Projecting = Callable[[RunRow, Sequence[EventRow]], Projection]
"""Tells from a run's events what its row should say."""


class Check:
    """Looks through a database, page by page."""

    def __init__(self, database: Database, artifacts: Artifacts, projecting: Projecting) -> None:
        self._database, self._artifacts, self._projecting = database, artifacts, projecting
        self.looked_at = 0
        """Runs so far."""

    async def findings(self, agents: Sequence[str] | None = None) -> list[Finding]:
        """Return all that is wrong.

        Args:
            agents: Those of the config; None: nobody knows.
        """
        found = await self._database.read(integrity.of_schema)
        if isinstance(self._database.place, ServerPlace):
            found += await _by_itself(self._database, integrity.of_server)
        if any("table" in one.subject and one.kind == "schema" for one in found):
            return found  # what follows would fail
        looks = (history_check.of_states, history_check.of_unreachable, history_check.of_blobs)
        for look in (*looks, usage_check.of_usage):
            found += await self._database.read(look)
        if agents is not None:
            found += await self._database.read(partial(history_check.of_agents, agents=agents))
        cursor, is_more = "", True
        while is_more:
            page = await self._database.read(partial(history_check.numbers, after=cursor))
            found += history_check.of_numbers(page)
            for run_id, *_ in page:
                found += await self._database.read(partial(self._of_projection, run_id=run_id))
            self.looked_at += len(page)
            is_more, cursor = len(page) == history_check.PAGE, page[-1][0] if page else ""
        found += [Finding("artifact", "", problem) for problem in await self._artifacts.problems()]
        return found

    async def repair(self, found: Sequence[Finding]) -> None:
        """Put right what can be. The log decides, and stays as it is."""
        write = self._database.write
        names = {one.subject.removeprefix("run ") for one in found if one.subject.startswith("run ")}
        kinds = {one.kind for one in found if one.repairable}
        if "schema" in kinds:
            await _by_itself(self._database, _make_indexes)
        if "log" in kinds:
            for run_id in sorted(names):
                await write(partial(history_check.mend_numbers, run_id=run_id))
        if "projection" in kinds:
            for run_id in sorted(names):
                await write(partial(self._project, run_id=run_id))
            await write(history_check.mend_states)
        if kinds & {"projection", "unreachable"}:
            await write(history_check.mend_unreachable)
        if "blob" in kinds:
            await write(history_check.mend_blobs)
        if "usage" in kinds:
            await write(usage_check.mend_usage)

    def _of_projection(self, connection: Connection, run_id: str) -> list[Finding]:
        found = self._projected(connection, run_id)
        if found is None:
            return []
        row, (state, view) = found
        wrong = []
        if state and state != row.state:
            wrong.append(f"its log says {state}, and its row {row.state}")
        if row.view and view and view != row.view:
            wrong.append("lists show something else than its log tells")
        return [Finding("projection", f"run {run_id}", "; ".join(wrong), True)] if wrong else []

    def _project(self, connection: Connection, run_id: str) -> None:
        """Write what a run's log tells into its row."""
        held = select(runs.c.id).where(runs.c.id == run_id).with_for_update()
        if connection.execute(held).one_or_none() is None:
            return
        found = self._projected(connection, run_id)
        if found is None:
            return
        row, (state, view) = found
        values: dict[str, object] = {"view": view}
        if state and state != row.state:
            # Somebody who is at work on it finds that it is not his any more.
            values |= {"state": state, "finished": state in TERMINAL_STATES, "epoch": row.epoch + 1}
        connection.execute(update(runs).where(runs.c.id == run_id).values(values))

    def _projected(self, connection: Connection, run_id: str) -> tuple[RunRow, Projection] | None:
        app = connection.execute(select(runs.c.app).where(runs.c.id == run_id)).scalar()
        row = None if app is None else run(connection, app, None, run_id)
        if row is None:
            return None
        return row, self._projecting(row, events(connection, row.app, run_id, 0, None))


async def _by_itself(database: Database, function: Callable[[Connection], T]) -> T:
    """Call a function in a transaction that nothing else shares: MariaDB ends it at such statements."""
    place = database.place
    if not isinstance(place, ServerPlace):
        return await database.write(function)
    engine = writer_engine(server_of(place))
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(function)
    finally:
        await let_all_go(engine)


def _make_indexes(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)
