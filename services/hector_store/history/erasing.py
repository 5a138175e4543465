"""Erases a user: everything that is his, in every table, in short steps, with a receipt.

It can be broken off and begun again at any time: what is gone is gone. Runs at work go too: their owners can
write nothing more to them, and stop them when they hear or see that they are gone.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, delete, func, select

from hector_store.database import Database
from hector_store.errors import InvalidValue
from hector_store.fitting import fit
from hector_store.hints import GONE
from hector_store.ids import new_id
from hector_store.schema import APP, OWNER, run_events, runs

from . import receipts
from .belongings import forget, of_owners, of_runs
from .receipts import Receipt

RUNS_AT_ONCE = 20
EVENTS_AT_ONCE = 2000
MOST_ROUNDS = 5
"""Whoever goes on working while he is erased is erased so many times; the receipt says what was found."""

T = TypeVar("T")


class Erasure:
    """Erases users of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase(self, user: str, app: str = "") -> Receipt:
        """Erase a user, in one app or in all of them, and return the receipt.

        Contents that are kept outside the database go with the next sweep.

        Raises:
            InvalidValue: Nobody is named: what has no owner belongs to nobody in particular.
            HectorError: See `Database.write`. What is left goes the next time.
        """
        if not user:
            raise InvalidValue("user", "empty", "the id of a user, as runs and sessions have it for an owner")
        fit("user", user, OWNER)
        fit("app", app, APP)
        begun = await self._database.write(partial(receipts.begin, receipt_id=new_id(), app=app, user=user))
        counts: Counter[str] = Counter()
        for _ in range(MOST_ROUNDS):
            found = await self._round(user, app)
            if not found:
                break
            counts += found
            if found["runs"]:
                self._database.hints.hint(GONE)
        receipt = await self._database.write(partial(receipts.finish, begun=begun, counts=counts))
        await _scrub(self._database)
        return receipt

    async def receipts(self, limit: int = 100) -> Sequence[Receipt]:
        """Return what was erased so far, the latest first."""
        return await self._database.read(partial(receipts.latest, limit=limit))

    async def _round(self, user: str, app: str) -> Counter[str]:
        counts: Counter[str] = Counter()
        for one in [app] if app else await self._database.read(partial(_apps_of, user=user)):
            while found := await self._write(partial(_erase_runs, app=one, user=user)):
                counts += found
            for table in of_owners():
                counts[table.name] += await self._write(partial(forget, table=table, app=one, owner=user))
        return +counts

    async def _write(self, function: Callable[[Connection], T]) -> T:
        return await self._database.write(partial(_overwriting, function))


def _apps_of(connection: Connection, user: str) -> Sequence[str]:
    found: set[str] = set()
    for table in (runs, *of_owners()):
        found |= set(
            connection.execute(select(table.c.app).distinct().where(table.c.owner == user)).scalars()
        )
    return sorted(found)


def _erase_runs(connection: Connection, app: str, user: str) -> Counter[str]:
    """Delete some of a user's runs, or some events of a long one; return what went."""
    mine = select(runs.c.id, runs.c.finished).where(runs.c.app == app, runs.c.owner == user)
    counts: Counter[str] = Counter()
    for run_id, finished in connection.execute(mine.limit(RUNS_AT_ONCE)).all():
        of_run = run_events.c.run_id == run_id
        events = connection.execute(select(func.count()).where(of_run)).scalar_one()
        if finished and events > EVENTS_AT_ONCE:  # of one at work, no part may seem to be the whole
            if counts:
                break
            place = select(run_events.c.seq).where(of_run).order_by(run_events.c.seq)
            up_to = connection.execute(place.offset(EVENTS_AT_ONCE - 1).limit(1)).scalar_one()
            some = delete(run_events).where(of_run, run_events.c.seq <= up_to)
            return Counter(run_events=connection.execute(some).rowcount)
        for table in of_runs():
            held = select(func.count()).where(table.c.run_id == run_id)
            counts[table.name] += connection.execute(held).scalar_one()
        counts["runs"] += connection.execute(delete(runs).where(runs.c.id == run_id)).rowcount
    return +counts


def _overwriting(function: Callable[[Connection], T], connection: Connection) -> T:
    """Call a function that deletes; SQLite then overwrites what was there, and does not only forget where."""
    if connection.dialect.name != "sqlite":
        return function(connection)
    before = connection.exec_driver_sql("PRAGMA secure_delete").scalar_one()
    connection.exec_driver_sql("PRAGMA secure_delete = ON")
    try:
        return function(connection)
    finally:
        connection.exec_driver_sql(f"PRAGMA secure_delete = {int(before)}")


async def _scrub(database: Database) -> None:
    """Write SQLite's log into its file, and empty it: it still holds what was erased."""
    file = database.file
    if file is None:
        return

    def empty() -> None:
        with closing(sqlite3.connect(file, timeout=5)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # while others read, it does what it can

    await asyncio.to_thread(empty)
