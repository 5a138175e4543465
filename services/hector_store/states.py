"""The state that sessions, users and apps have: a projection of events, written in their transaction."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, literal, or_, select

from hector_mesh import HectorError

from .clock import now
from .compiled import ByIds, Rows, Values
from .database import Database
from .fitting import fit
from .kept import NO_STATE, Scopes, StateChange
from .marks import get_mark, set_mark
from .payloads import EVENT_COLUMNS, event_rows
from .schema import NAME, marks, run_events, runs, states
from .upserting import Upsert
from .values import EventRow

log = logging.getLogger(__name__)

SCOPED = "scoped "
"""Before the marks of apps in which state outlives a session."""
LOOK_S = 1.0
"""How soon a process sees that another one was the first to write such state in an app."""
REBUILT = "states"
"""The mark of a database whose events have all been taken into account."""
_CHUNK = 500

_UPSERT = Upsert(states)
_SEEN = Rows(
    select(states.c.scope, states.c.name, states.c.value)
    .where(states.c.app == bindparam("app"), states.c.owner == bindparam("owner"))
    .where(states.c.context_id == bindparam("context_id"), states.c.scope == literal("session"))
    .union_all(
        select(states.c.scope, states.c.name, states.c.value)
        .where(states.c.app == bindparam("app"), states.c.owner == bindparam("owner"))
        .where(states.c.context_id == literal(""), states.c.scope == literal("user")),
        select(states.c.scope, states.c.name, states.c.value)
        .where(states.c.app == bindparam("app"), states.c.owner == literal(""))
        .where(states.c.context_id == literal(""), states.c.scope == literal("app")),
    ),
    ("app", "owner", "context_id"),
)
_APPS = select(marks.c.value).where(marks.c.name.like(f"{SCOPED}%"))
_ANY = Rows(select(literal(1)).where(states.c.app == bindparam("app")).limit(1), ("app",))


class Origin(NamedTuple):
    """Which event says what the state is."""

    time_us: int
    run_id: str
    seq: int


def fit_states(changes: Iterable[StateChange]) -> int:
    """Check changes, and return the size of their values."""
    size_bytes = 0
    for change in changes:
        fit("state key", change.name, NAME)
        size_bytes += len(change.value)
    return size_bytes


class StateRows:
    """Collects changes of many runs, to be written with one statement; later ones win."""

    def __init__(self) -> None:
        self._rows: dict[Values, Values] = {}
        self._origins: dict[Values, Origin] = {}

    def add(self, app: str, change: StateChange, origin: Origin) -> None:
        """Take a change that one of a run's events makes."""
        key = (app, change.owner, change.context_id, change.scope, change.name)
        known = self._origins.get(key)
        if known is not None and known > origin:  # of one moment the same wins as when all is read again
            return
        self._origins[key] = origin
        self._rows[key] = (*key, change.value, origin.run_id, origin.seq, origin.time_us)

    def write(self, connection: Connection) -> None:
        """Write what was added."""
        if not self._rows:
            return
        _UPSERT.execute(connection, list(self._rows.values()))
        for app in sorted({str(key[0]) for key in self._rows if key[3] != "session"}):
            name = f"{SCOPED}{hashlib.sha256(app.encode()).hexdigest()[:32]}"
            if get_mark(connection, name) is None:
                set_mark(connection, name, app)


def seen_by(connection: Connection, app: str, owner: str, context_id: str) -> Scopes:
    """Return the state that a session sees, scope by scope."""
    found: dict[str, dict[str, bytes]] = {"session": {}, "user": {}, "app": {}}
    for scope, name, value in _SEEN.all(connection, app, owner, context_id):
        if value:
            found[scope][name] = bytes(value)
    return found  # type: ignore[return-value]  # the scopes are what was selected


def forget(connection: Connection, app: str, owner: str, context_id: str | None = None) -> int:
    """Remove a session's own state, or all that a user has; return how many keys there were."""
    statement = delete(states).where(
        states.c.app == app, states.c.owner == owner, states.c.scope != literal("app")
    )
    if context_id is not None:
        statement = statement.where(states.c.context_id == context_id, states.c.scope == literal("session"))
    return connection.execute(statement).rowcount


class States:
    """The state in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Know, while the block lasts, in which apps any state outlives its session: others may write it."""
        await self._look()
        looking = asyncio.get_running_loop().create_task(self._look_again(), context=Context())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait({looking})

    def note(self, app: str) -> None:
        """Take note that an app has such state."""
        self._database.scoped_apps.add(app)

    def outlives_sessions(self, app: str) -> bool:
        """Say whether a new session may find some state, of its user's or its app's."""
        return app in self._database.scoped_apps

    async def seen_by_new(self, app: str, owner: str) -> Scopes:
        """Return the state that a new session sees: at once, where nobody has any."""
        return await self.seen_by(app, owner, "") if self.outlives_sessions(app) else NO_STATE

    async def _look(self) -> None:
        found = await self._database.read(
            lambda connection: connection.execute(_APPS).scalars().all(), short=True
        )
        self._database.scoped_apps |= set(found)

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look()
            except HectorError as error:  # the next look, or the next write, tells
                log.debug("apps with state were not read", extra={"reason": error.reason})

    async def seen_by(self, app: str, owner: str, context_id: str) -> Scopes:
        """Return the state that a session sees: its own, its user's and its app's."""
        return await self._database.read(
            lambda connection: seen_by(connection, app, owner, context_id), short=True
        )

    async def any(self, app: str) -> bool:
        """Say whether anybody in an app has any."""
        return await self._database.read(lambda connection: _ANY.one(connection, app) is not None, short=True)

    async def is_built(self) -> bool:
        """Say whether all events have been taken into account: those of an older version were not."""
        return await self._database.read(lambda connection: get_mark(connection, REBUILT)) is not None

    async def changes(self, kind: str) -> AsyncIterator[tuple[Sequence[EventRow], Mapping[str, Values]]]:
        """Yield all events of a kind in pieces, with (owner, context) of their runs, in no order."""
        last = ("", 0)
        while True:
            found = await self._database.read(partial(_piece, kind=kind, last=last))
            if not found[0]:
                return
            yield found
            last = (found[0][-1].run_id, found[0][-1].seq)

    async def time(self) -> int:
        """Return the database's time."""
        return await self._database.read(now)

    async def replace(self, rows: Mapping[Values, tuple[bytes, Origin]], since_us: int) -> int:
        """Make the state what events say it is, and return how many keys were wrong.

        Args:
            rows: What they say, by (app, owner, context, scope, key); empty bytes: removed.
            since_us: When reading them began: what changed since is newer than they are.

        What was said by runs that are not kept any more stays, unless a kept one says otherwise later.
        """
        return await self._database.write(
            lambda connection: _replace(connection, rows, since_us), rows=len(rows) + 1
        )


def _piece(
    connection: Connection, kind: str, last: tuple[str, int]
) -> tuple[Sequence[EventRow], Mapping[str, Values]]:
    run_id, seq = last
    statement = (
        select(*EVENT_COLUMNS)
        .where(run_events.c.kind == kind)
        .where(or_(run_events.c.run_id > run_id, (run_events.c.run_id == run_id) & (run_events.c.seq > seq)))
        .order_by(run_events.c.run_id, run_events.c.seq)
        .limit(_CHUNK)
    )
    events = event_rows(connection, connection.execute(statement))
    ids = sorted({event.run_id for event in events})
    return events, {row[0]: tuple(row[1:]) for row in _PLACES.rows(connection, ids)}


_PLACES = ByIds(select(runs.c.id, runs.c.owner, runs.c.context_id), runs.c.id)


def _replace(connection: Connection, rows: Mapping[Values, tuple[bytes, Origin]], since_us: int) -> int:
    there: dict[Values, Any] = {
        (row.app, row.owner, row.context_id, row.scope, row.name): row
        for row in connection.execute(select(states).where(states.c.time < since_us))
    }
    kept = {row[0] for row in _PLACES.rows(connection, sorted({row.run_id for row in there.values()}))}
    newer = {
        tuple(row)
        for row in connection.execute(
            select(states.c.app, states.c.owner, states.c.context_id, states.c.scope, states.c.name).where(
                states.c.time >= since_us
            )
        )
    }
    wrong: list[Values] = []
    for key, (value, origin) in rows.items():
        row = there.get(key)
        if key in newer or (row is not None and row.run_id not in kept and row.time > origin.time_us):
            continue
        if row is None or (bytes(row.value), row.run_id, row.seq) != (value, origin.run_id, origin.seq):
            wrong.append((*key, value, origin.run_id, origin.seq, origin.time_us))
    stale = [key for key, row in there.items() if key not in rows and row.run_id in kept]
    for app, owner, context_id, scope, name in stale:
        connection.execute(
            delete(states).where(
                states.c.app == app,
                states.c.owner == owner,
                states.c.context_id == context_id,
                states.c.scope == scope,
                states.c.name == name,
            )
        )
    if wrong:
        _UPSERT.execute(connection, wrong)
    set_mark(connection, REBUILT, "1")
    return len(wrong) + len(stale)
