"""What those say to a run who do not own it, and how its owner changes."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from .clock import database_time, now
from .errors import RunFenced, RunNotFound
from .fitting import fit
from .schema import NAME, TARGET, WORD, run_signals, runs
from .values import SignalRow

# Locked: an owner that leaves the run in this moment either sees the signal, or is seen to have left.
_OWNER = (
    select(runs.c.worker, runs.c.finished)
    .where(runs.c.id == bindparam("run_id"), runs.c.app == bindparam("app"))
    .with_for_update()
)
_WAKE = update(runs).where(runs.c.id == bindparam("of_run"), runs.c.due > bindparam("at"))
_WAITING = (
    select(
        run_signals.c.id, run_signals.c.run_id, run_signals.c.kind, run_signals.c.time, run_signals.c.payload
    )
    .where(run_signals.c.run_id == bindparam("run_id"), run_signals.c.consumed_time == 0)
    .order_by(run_signals.c.id)
)
_HELD = (
    select(runs.c.epoch, runs.c.worker, database_time().label("now"))
    .where(runs.c.id == bindparam("run_id"))
    .with_for_update()
)
_TAKE = update(runs).where(runs.c.id == bindparam("of_run"), runs.c.epoch == bindparam("of_epoch"))


class Sent(NamedTuple):
    """A signal that waits for the owner of a run."""

    id: int
    has_woken: bool
    """Whether the run was nobody's, and can be claimed now."""


def send(connection: Connection, app: str, run_id: str, kind: str, payload: bytes) -> Sent:
    """Insert a signal, and let the run be claimed if it is nobody's."""
    fit("signal kind", kind, WORD, empty=False)
    run = connection.execute(_OWNER, {"app": app, "run_id": run_id}).one_or_none()
    if run is None:
        raise RunNotFound(run_id)
    time_us = now(connection)
    is_nobodys = not run.worker and not run.finished
    if is_nobodys:
        connection.execute(_WAKE.values(due=bindparam("at")), {"of_run": run_id, "at": time_us})
    row = {
        "app": app,
        "run_id": run_id,
        "kind": kind,
        "time": time_us,
        "consumed_time": 0,
        "payload": payload,
    }
    key = connection.execute(insert(run_signals), row).inserted_primary_key
    return Sent(int(key[0]) if key else 0, is_nobodys)


def waiting(connection: Connection, run_id: str) -> Sequence[SignalRow]:
    """Return what is not consumed."""
    return [SignalRow(*row) for row in connection.execute(_WAITING, {"run_id": run_id})]


def take_over(
    connection: Connection,
    run_id: str,
    worker: str,
    target: str,
    lease_s: float,
    if_epoch: int | None,
    if_worker: str | None = None,
) -> int:
    """Give a run the next epoch and a new owner."""
    fit("worker", worker, NAME)
    fit("worker target", target, TARGET)
    run = connection.execute(_HELD, {"run_id": run_id}).one_or_none()
    if run is None:
        raise RunNotFound(run_id)
    if if_epoch is not None and run.epoch != if_epoch:
        raise RunFenced(run_id, if_epoch, run.epoch)
    if if_worker is not None and run.worker != if_worker:
        raise RunFenced(run_id, if_epoch or run.epoch, run.epoch)
    epoch = int(run.epoch) + 1
    values = {
        "epoch": epoch,
        "worker": worker,
        "worker_target": target,
        "lease_until": run.now + int(lease_s * 1_000_000) if lease_s else 0,
        "attempt": runs.c.attempt + 1,
    }
    connection.execute(_TAKE.values(values), {"of_run": run_id, "of_epoch": run.epoch})
    return epoch
