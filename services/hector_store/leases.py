"""Workers and their leases, in SQL: one lease for all of a worker's runs, on the database's clock."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, false, insert, select, update

from .clock import database_time, now
from .compiled import Rows
from .errors import LeaseOver
from .schema import run_signals, runs, workers
from .values import SignalRow
from .worker_values import Worker, WorkerRow

_W = workers.c
_COLUMNS = (
    *(_W.id, _W.target, _W.host, _W.pid, _W.parent, _W.version, _W.started_time, _W.lease_until),
    (_W.lease_until >= database_time()).label("is_alive"),
)
_THIS = _W.id == bindparam("worker")
# A lease that has ended is never renewed: somebody may have acted on its end.
_RENEW = (
    update(workers)
    .where(_THIS, _W.lease_until >= database_time())
    .values(lease_until=database_time() + bindparam("lease_us"))
)
_ONE = Rows(select(*_COLUMNS).where(_THIS), ("worker",))
_ALL = Rows(select(*_COLUMNS).order_by(_W.started_time, _W.id))
_HAS_LEASE = Rows(select(_W.id).where(_THIS, _W.lease_until >= database_time()), ("worker",))
_FREE = (
    update(runs)
    .where(runs.c.finished == false(), runs.c.worker == bindparam("of_worker"))
    .values(worker="", worker_target="", due=bindparam("at"))
)
_FORGET = delete(workers).where(_THIS)
IDLE = ~select(runs.c.id).where(runs.c.finished == false(), runs.c.worker == _W.id).exists()
_FORGET_ENDED = delete(workers).where(_W.lease_until < bindparam("at"), IDLE)
_CHILDREN = Rows(
    select(_W.id).where(_W.parent == bindparam("of_parent"), _W.pid == bindparam("of_pid")),
    ("of_parent", "of_pid"),
)
_SIGNALS = Rows(
    select(
        run_signals.c.id, run_signals.c.run_id, run_signals.c.kind, run_signals.c.time, run_signals.c.payload
    )
    .join_from(runs, run_signals, run_signals.c.run_id == runs.c.id)
    .where(runs.c.finished == false(), runs.c.worker == bindparam("worker"))
    .where(run_signals.c.consumed_time == 0)
    .order_by(run_signals.c.id),
    ("worker",),
)


def join(connection: Connection, worker: Worker, lease_us: int) -> None:
    """Give a worker its lease, and forget workers that are gone and have left nothing."""
    time_us = now(connection)
    connection.execute(_FORGET_ENDED, {"at": time_us})
    row = {
        "id": worker.id,
        "target": worker.target,
        "host": worker.host,
        "pid": worker.pid,
        "parent": worker.parent,
        "version": worker.version,
        "started_time": time_us,
        "lease_until": time_us + lease_us,
    }
    connection.execute(insert(workers), row)


def renew(connection: Connection, worker_id: str, lease_us: int) -> bool:
    """Extend a lease that has not ended."""
    done = connection.execute(_RENEW, {"worker": worker_id, "lease_us": lease_us})
    return bool(done.rowcount)


def release(connection: Connection, worker_ids: Collection[str]) -> int:
    """Let go of all that workers have, and forget them; return how many runs that were."""
    time_us, freed = now(connection), 0
    for worker_id in sorted(worker_ids):
        freed += connection.execute(_FREE, {"of_worker": worker_id, "at": time_us}).rowcount
        connection.execute(_FORGET, {"worker": worker_id})
    return freed


def release_children(connection: Connection, parent: str, pid: int) -> int:
    """Release every worker that a process of this parent was."""
    return release(connection, [row[0] for row in _CHILDREN.all(connection, parent, pid)])


def need_lease(connection: Connection, worker_id: str) -> None:
    """See that a worker has its lease.

    Raises:
        LeaseOver: It has not.
    """
    if _HAS_LEASE.one(connection, worker_id) is None:
        raise LeaseOver(worker_id)


def end(connection: Connection, worker_ids: Collection[str], time_us: int) -> set[str]:
    """Make sure that leases that have ended stay so; return the workers among these that live."""
    living: set[str] = set()
    for worker_id in sorted(worker_ids):
        connection.execute(_END, {"worker": worker_id, "at": time_us})
        if _HAS_LEASE.one(connection, worker_id) is not None:
            living.add(worker_id)
    return living


# The database's clock may be set back: what was seen as ended must not come to life again.
_END = update(workers).where(_THIS, _W.lease_until < bindparam("at")).values(lease_until=0)


def one(connection: Connection, worker_id: str) -> WorkerRow | None:
    """Return one worker."""
    row = _ONE.one(connection, worker_id)
    return None if row is None else _row(row)


def every(connection: Connection) -> Sequence[WorkerRow]:
    """Return all workers, the oldest first."""
    return [_row(row) for row in _ALL.all(connection)]


def waiting_signals(connection: Connection, worker_id: str) -> Sequence[SignalRow]:
    """Return what waits for a worker's runs."""
    return [SignalRow(*row) for row in _SIGNALS.all(connection, worker_id)]


def _row(values: Sequence[Any]) -> WorkerRow:
    return WorkerRow(*[*values[:-1], bool(values[-1])])
