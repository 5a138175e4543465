"""Claims runs that nobody has, or whose worker is gone: found by reading, taken by compare-and-set."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, false, select, update

from . import leases
from .clock import now
from .compiled import ByIds, Rows
from .fairness import Candidate, Room, Turns
from .lanes import candidates, counted, lanes, owners
from .reading import WHOLE, row_of
from .schema import runs, workers
from .worker_values import DUE, ORPHANED, Claim, Claimed

_R = runs.c
_AS_CANDIDATE = (_R.app, _R.agent, _R.priority, _R.due, _R.id, _R.epoch, _R.worker)
_FIND = Rows(select(*_AS_CANDIDATE).where(_R.id == bindparam("run_id"), _R.finished == false()), ("run_id",))

# Whoever has locked a run is about to write it: it is somebody's, or its state changes. Only servers have
# such locks; on SQLite nobody else writes until this is committed.
_LOCK = ByIds(
    select(_R.id, _R.epoch, _R.worker, _R.due)
    .where(_R.finished == false())
    .order_by(_R.id)
    .with_for_update(skip_locked=True),
    _R.id,
)
_TAKEN = ByIds(select(*WHOLE).order_by(_R.id), _R.id)
_TAKE = (
    update(runs)
    .where(_R.id == bindparam("of_run"), _R.epoch == bindparam("of_epoch"))
    .values(
        epoch=_R.epoch + 1,
        attempt=_R.attempt + 1,
        worker=bindparam("by_worker"),
        worker_target=bindparam("at_target"),
    )
)
_ALL_WORKERS = select(workers.c.id).order_by(workers.c.id).with_for_update()
_FORGET = delete(workers).where(workers.c.id == bindparam("of_worker"), leases.IDLE)

Working = tuple[tuple[str, str, int], ...]
"""How many runs living workers have, by app and agent."""


class Seen(NamedTuple):
    """What could be claimed at one moment."""

    candidates: tuple[Candidate, ...]
    working: Working
    """Only where there are caps."""
    unknown: frozenset[str]
    """Workers that have runs and are not known."""
    forgettable: tuple[str, ...]
    """Workers that are gone and have left nothing."""


def look(connection: Connection, claim: Claim) -> Seen:
    """Return what could be claimed; writes nothing."""
    time_us = now(connection)
    is_alive = {row.id: row.is_alive for row in leases.every(connection)}
    having = owners(connection)
    found: list[Candidate] = []
    for worker in ("", *(worker for worker in having if not is_alive.get(worker))):
        for lane in lanes(connection, worker):
            if _is_wanted(claim, lane.app, lane.agent):
                found += candidates(connection, lane, time_us, claim.limit, claim.but)
    working: Working = ()
    if found and _has_caps(claim):
        working = _working(connection, [worker for worker in having if is_alive.get(worker)])
    gone = set(is_alive) - set(having) - {worker for worker, alive in is_alive.items() if alive}
    unknown = frozenset(having) - is_alive.keys()
    return Seen(tuple(found), working, unknown, tuple(sorted(gone)))


def without(seen: Seen, workers: Collection[str]) -> Seen:
    """Leave some workers what they have."""
    return seen._replace(candidates=tuple([one for one in seen.candidates if one.worker not in workers]))


def choose(seen: Seen, claim: Claim, turns: Turns) -> list[Candidate]:
    """Return which of these to claim, in order."""
    return turns.chosen(seen.candidates, _room(claim, seen.working), claim.weights)


def find(connection: Connection, run_id: str) -> Candidate | None:
    """Return one unfinished run as a candidate; whether it can be had is seen when it is taken."""
    row = _FIND.one(connection, run_id)
    return None if row is None else Candidate(*row)


def take(
    connection: Connection,
    worker: str,
    target: str,
    claim: Claim,
    chosen: Sequence[Candidate],
    *,
    when_due: bool = True,
) -> list[Claimed]:
    """Make runs the worker's that still are as they were seen, in a transaction.

    Raises:
        LeaseOver: The worker has no lease.
    """
    leases.need_lease(connection, worker)
    room = _room(claim, ())
    if _has_caps(claim):
        connection.execute(_ALL_WORKERS)  # one after another: two would fill the same room
        living = [row.id for row in leases.every(connection) if row.is_alive]
        room = _room(claim, _working(connection, living))
    time_us = now(connection)
    alive = leases.end(connection, {one.worker for one in chosen} - {""}, time_us)
    rows = _LOCK.rows(connection, sorted({one.run_id for one in chosen}))
    as_they_are = {run_id: (epoch, before, due) for run_id, epoch, before, due in rows}
    taken: list[Candidate] = []
    for one in chosen:
        epoch, before, due = as_they_are.pop(one.run_id, (0, "", 0))
        is_as_seen = epoch == one.epoch and before == one.worker
        can_be_had = before not in alive if before else due <= time_us or not when_due
        if is_as_seen and can_be_had and room.fits(one.app, one.agent):
            room.take(one.app, one.agent)
            taken.append(one)
    by = {"by_worker": worker, "at_target": target}
    if taken:
        connection.execute(_TAKE, [{"of_run": one.run_id, "of_epoch": one.epoch, **by} for one in taken])
    return _claimed(connection, worker, taken, time_us)


def taken(connection: Connection, worker: str, chosen: Sequence[Candidate]) -> list[Claimed]:
    """Return which of these the worker has taken, as its answer was lost."""
    return _claimed(connection, worker, chosen, now(connection))


def forget(connection: Connection, worker_ids: Sequence[str]) -> None:
    """Forget workers that are gone, unless they have runs."""
    for worker in sorted(set(worker_ids) - leases.end(connection, worker_ids, now(connection))):
        connection.execute(_FORGET, {"of_worker": worker})


def _claimed(connection: Connection, worker: str, taken: Sequence[Candidate], time_us: int) -> list[Claimed]:
    rows = {row[0]: row_of(row) for row in _TAKEN.rows(connection, sorted({one.run_id for one in taken}))}
    found: list[Claimed] = []
    for one in taken:
        row = rows.get(one.run_id)
        if row is not None and not row.finished and (row.worker, row.epoch) == (worker, one.epoch + 1):
            late_us = 0 if one.worker else max(0, time_us - one.due)
            found.append(Claimed(row, ORPHANED if one.worker else DUE, one.worker, late_us))
    return found


def _is_wanted(claim: Claim, app: str, agent: str) -> bool:
    return (claim.apps is None or app in claim.apps) and (claim.agents is None or agent in claim.agents)


def _has_caps(claim: Claim) -> bool:
    return bool(claim.per_app or claim.per_agent)


def _working(connection: Connection, living: Sequence[str]) -> Working:
    return tuple([one for worker in living for one in counted(connection, worker)])


def _room(claim: Claim, working: Working) -> Room:
    return Room(claim.limit, claim.per_app, claim.per_agent, working)
