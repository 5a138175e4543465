"""Push notification configs: to whom a run's events are sent, and how far. The run log is the outbox."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, delete, func, or_, select, update

from .clock import database_time, now
from .database import Database
from .errors import RunNotFound
from .paging import key_of, token_after
from .push_placing import fit_pushes, place
from .push_values import NewPush, PendingPush, PushKey, PushPage, PushProgress, PushRow
from .schema import ERROR, push_configs, runs, workers

_C = push_configs.c
_COLUMNS = (
    *(_C.run_id, _C.id, _C.app, _C.owner, _C.agent, _C.url, _C.secret, _C.dialect, _C.traceparent, _C.state),
    *(_C.start, _C.delivered, _C.pledged, _C.attempts, _C.next_time, _C.error),
    *(_C.created_time, _C.updated_time, _C.epoch),
)
_FIELDS = tuple(f"{column.name}_us" if column.name.endswith("_time") else column.name for column in _COLUMNS)
_THIS = (_C.run_id == bindparam("of_run"), _C.id == bindparam("of_id"))
_OWNED = (*_THIS, _C.epoch == bindparam("of_epoch"))
_PENDING: Select[Any] = (
    select(
        _C.run_id,
        _C.id,
        _C.epoch,
        _C.url,
        _C.attempts,
        _C.next_time,
        (or_(runs.c.next_seq - 1 > _C.delivered, runs.c.finished.is_(True))).label("is_behind"),
        _C.worker,
        func.coalesce(workers.c.lease_until, 0).label("lease_until"),
        database_time().label("now"),
    )
    .join_from(push_configs, runs, runs.c.id == _C.run_id)
    .outerjoin(workers, workers.c.id == _C.worker)
    .where(_C.state == "active")
)
_CLAIM = (
    update(push_configs)
    .where(*_OWNED, _C.state == "active")
    .values(worker=bindparam("to_worker"), epoch=_C.epoch + 1)
)
_SECOND_US = 1_000_000


class PushConfigs:
    """The configs of one database.

    An owner of None means whoever: for operators. What belongs to somebody else is not there.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # For those who want notifications

    async def put(
        self, app: str, owner: str, run_id: str, push: NewPush, *, worker: str | None = None
    ) -> PushRow:
        """Keep a config of a run, beginning with the run's last event; one of the same id is replaced.

        `worker` delivers for it; None: whoever works on the run.

        Raises:
            RunNotFound: There is no such run for this owner.
            TooManyPushConfigs: The run has as many as it may.
        """

        def write(connection: Connection) -> PushRow:
            mine = select(runs.c.id).where(runs.c.id == run_id, runs.c.app == app, runs.c.owner == owner)
            if connection.execute(mine).one_or_none() is None:
                raise RunNotFound(run_id)
            place(connection, run_id, (push,), worker)
            (row,) = _select(connection, _C.run_id == run_id, _C.id == push.id)
            return row

        return await self._database.write(write, size_bytes=fit_pushes((push,)))

    async def get(self, app: str, owner: str | None, run_id: str, config_id: str) -> PushRow | None:
        """Return one config; None when it is not there for this owner."""
        found = await self._database.read(
            lambda connection: _select(
                connection, *_of(app, owner), _C.run_id == run_id, _C.id == config_id, limit=1
            )
        )
        return found[0] if found else None

    async def list(
        self,
        app: str,
        owner: str | None,
        *,
        run_id: str | None = None,
        state: str | None = None,
        page_size: int = 50,
        page_token: str = "",
    ) -> PushPage:
        """List configs, the oldest first; what is None does not matter.

        Raises:
            InvalidPageToken: The token is not one of ours.
        """
        conditions = _of(app, owner)
        if run_id is not None:
            conditions.append(_C.run_id == run_id)
        if state is not None:
            conditions.append(_C.state == state)
        if page_token:
            time_us, (of_run, of_id) = key_of(page_token, 2)
            later = or_(_C.run_id > of_run, and_(_C.run_id == of_run, _C.id > of_id))
            conditions.append(or_(_C.created_time > time_us, and_(_C.created_time == time_us, later)))
        rows = await self._database.read(
            lambda connection: _select(connection, *conditions, limit=page_size + 1)
        )
        more, rows = len(rows) > page_size, rows[:page_size]
        last = rows[-1] if more else None
        token = token_after(last.created_time_us, last.run_id, last.id) if last else ""
        return PushPage(tuple(rows), token)

    async def delete(self, app: str, owner: str, run_id: str, config_id: str) -> None:
        """Forget a config; an unknown one does not matter."""
        statement = delete(push_configs).where(*_of(app, owner), _C.run_id == run_id, _C.id == config_id)
        await self._database.write(lambda connection: connection.execute(statement))

    async def revive(
        self, app: str, owner: str | None, run_id: str, config_id: str, *, worker: str = ""
    ) -> PushRow | None:
        """Take a config up again where its deliveries stand; None when it is not there for this owner.

        What was given up begins with a clean slate, and what waits for its next attempt waits no longer. One
        that is done stays so.
        """

        def write(connection: Connection) -> PushRow | None:
            this = (*_of(app, owner), _C.run_id == run_id, _C.id == config_id)
            values = {
                "state": "active",
                "attempts": 0,
                "next_time": 0,
                "worker": worker,
                "epoch": _C.epoch + 1,
                "updated_time": now(connection),
            }
            connection.execute(update(push_configs).where(*this, _C.state != "done").values(values))
            rows = _select(connection, *this)
            return rows[0] if rows else None

        return await self._database.write(write)

    # For who delivers

    async def pending(self, run_id: str | None = None, *, free: bool = False) -> Sequence[PendingPush]:
        """Return the active configs of a run, or of all; `free`: those that no living worker delivers for."""
        statement = _PENDING if run_id is None else _PENDING.where(_C.run_id == run_id)
        if free:
            statement = statement.where(func.coalesce(workers.c.lease_until, 0) < database_time())
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        return [
            PendingPush(
                PushKey(row.run_id, row.id, row.epoch),
                row.url,
                row.attempts,
                max(0, row.next_time - row.now) / _SECOND_US,
                bool(row.is_behind),
                row.worker,
                row.lease_until >= row.now,
            )
            for row in rows
        ]

    async def claim(self, pending: Sequence[PendingPush], worker: str) -> Sequence[PendingPush]:
        """Make a worker the one who delivers, where nobody has changed anything since; return those.

        Whoever delivered for them before writes nothing any more.
        """

        def write(connection: Connection) -> list[PendingPush]:
            taken = []
            for one in pending:
                run, config, epoch = one.key
                values = {"of_run": run, "of_id": config, "of_epoch": epoch, "to_worker": worker}
                if connection.execute(_CLAIM, values).rowcount:
                    key = PushKey(run, config, epoch + 1)
                    taken.append(one._replace(key=key, worker=worker, is_held=True))
            return taken

        return await self._database.write(write, rows=len(pending))

    async def owned(self, key: PushKey) -> PushRow | None:
        """Return a config that is active, as of its epoch; None when it is not."""
        found = await self._database.read(
            lambda connection: _select(
                connection,
                *(_C.run_id == key.run_id, _C.id == key.id),
                *(_C.epoch == key.epoch, _C.state == "active"),
            )
        )
        return found[0] if found else None

    async def progress(self, key: PushKey, progress: PushProgress) -> bool:
        """Write how far deliveries are; False when the config is another one by now, or gone."""

        def write(connection: Connection) -> bool:
            time_us = now(connection)
            values = {
                "delivered": progress.delivered,
                "pledged": progress.pledged,
                "attempts": progress.attempts,
                "state": progress.state,
                "next_time": time_us + int(progress.wait_s * _SECOND_US) if progress.wait_s else 0,
                "error": progress.error.replace("\0", "")[:ERROR],
                "updated_time": time_us,
            }
            statement = update(push_configs).where(*_OWNED).values(values)
            owned = {"of_run": key.run_id, "of_id": key.id, "of_epoch": key.epoch}
            return connection.execute(statement, owned).rowcount > 0

        return await self._database.write(write)

    async def dead(self) -> int:
        """Return how many configs were given up, of all apps."""
        statement = select(func.count()).where(_C.state == "dead")
        return int(await self._database.read(lambda connection: connection.execute(statement).scalar_one()))


def _of(app: str, owner: str | None) -> list[Any]:
    return [_C.app == app] if owner is None else [_C.app == app, _C.owner == owner]


def _select(connection: Connection, *conditions: Any, limit: int | None = None) -> list[PushRow]:
    statement = select(*_COLUMNS).where(*conditions).order_by(_C.created_time, _C.run_id, _C.id).limit(limit)
    return [PushRow(**dict(zip(_FIELDS, row, strict=True))) for row in connection.execute(statement)]
