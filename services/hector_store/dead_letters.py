"""Runs that nobody tries again, and why: written in the transaction in which they end."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update

from .database import Database
from .fitting import fit
from .paging import key_of, token_after
from .schema import ERROR, RUN_ID, WORD, dead_letters, runs

_D = dead_letters.c
_COLUMNS = (
    *(_D.run_id, _D.agent, runs.c.context_id, runs.c.owner),
    *(_D.reason, _D.message, _D.attempts, _D.time, _D.requeued_as),
)
_FROM = select(*_COLUMNS).join_from(dead_letters, runs, runs.c.id == _D.run_id)
_INSERT = insert(dead_letters)
_REQUEUED = update(dead_letters).where(_D.app == bindparam("of_app"), _D.run_id == bindparam("of_run"))
_COUNTS = select(_D.agent, func.count()).where(_D.requeued_as == "").group_by(_D.agent)


class Dead(NamedTuple):
    """Why nobody tries a run again."""

    agent: str
    reason: str
    message: str
    attempts: int
    """How often it, or the step that failed, was tried."""


class DeadLetter(NamedTuple):
    """A run that nobody tries again. Times are microseconds by the database's clock."""

    run_id: str
    agent: str
    context_id: str
    owner: str
    reason: str
    message: str
    attempts: int
    time_us: int
    requeued_as: str
    """The run that is another attempt; "" if there is none."""


class DeadPage(NamedTuple):
    """One page of them."""

    letters: tuple[DeadLetter, ...]
    next_page_token: str


class DeadLetters:
    """The dead letters of one database, of whatever owner: they are for operators."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        app: str,
        *,
        agent: str | None = None,
        requeued: bool = False,
        page_size: int = 50,
        page_token: str = "",
    ) -> DeadPage:
        """List them, the latest first; `requeued`: also those that were tried again.

        Raises:
            InvalidPageToken: The token is not one of ours.
        """
        conditions: list[Any] = [_D.app == app]
        if agent is not None:
            conditions.append(_D.agent == agent)
        if not requeued:
            conditions.append(_D.requeued_as == "")
        if page_token:
            time_us, (run_id,) = key_of(page_token, 1)
            conditions.append(or_(_D.time < time_us, and_(_D.time == time_us, _D.run_id > run_id)))
        statement = _FROM.where(*conditions).order_by(_D.time.desc(), _D.run_id).limit(page_size + 1)
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        letters = [DeadLetter(*row) for row in rows]
        more, letters = len(letters) > page_size, letters[:page_size]
        token = token_after(letters[-1].time_us, letters[-1].run_id) if more else ""
        return DeadPage(tuple(letters), token)

    async def get(self, app: str, run_id: str) -> DeadLetter | None:
        """Return one; None: there is none of that run."""
        statement = _FROM.where(_D.app == app, _D.run_id == run_id)
        row = await self._database.read(lambda connection: connection.execute(statement).one_or_none())
        return None if row is None else DeadLetter(*row)

    async def requeue(self, app: str, run_id: str, requeued_as: str) -> None:
        """Note which run is another attempt."""
        fit("run id", requeued_as, RUN_ID)
        values = {"of_app": app, "of_run": run_id, "as_run": requeued_as}
        statement = _REQUEUED.values(requeued_as=bindparam("as_run"))
        await self._database.write(lambda connection: connection.execute(statement, values))

    async def counts(self, app: str | None = None) -> dict[str, int]:
        """Return how many wait to be looked at, by agent, of one app or of all."""
        statement = _COUNTS if app is None else _COUNTS.where(_D.app == app)
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        return {row[0]: int(row[1]) for row in rows}


def bury(connection: Connection, app: str, run_id: str, dead: Dead, time_us: int) -> None:
    """Write down that nobody tries a run again."""
    row = {
        "run_id": run_id,
        "app": app,
        "agent": dead.agent,
        "reason": dead.reason[:WORD],
        "message": dead.message.replace("\0", "")[:ERROR],
        "attempts": dead.attempts,
        "time": time_us,
        "requeued_as": "",
    }
    connection.execute(_INSERT, row)
