"""One step of making history smaller: what it is time for is looked at again, and written, at one moment."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from hector_store.clock import now
from hector_store.schema import effects, pins, push_configs, run_events, run_signals, runs

from .belongings import forget, of_owners, of_runs
from .looking import stays_idle
from .values import Fold, Old

MOST_EVENTS = 2000
"""In one transaction: it holds up everybody else's writes."""


def prune(connection: Connection, candidates: Sequence[Old]) -> tuple[Counter[str], bool]:
    """Delete runs with all that belongs to them; return what went, and whether some of it is left to do.

    Those that have gone on since they were looked at stay. Of a long run the oldest events go first.
    """
    held = [old for old in candidates if _is_held(connection, old, _GOES)]
    events = _count(connection, run_events, [old.run_id for old in held])
    going: list[Old] = []
    room = MOST_EVENTS
    for old in held:
        if events[old.run_id] > room:
            break
        going.append(old)
        room -= events[old.run_id] + 1
    if held and not going:
        return Counter(events=_forget_oldest(connection, held[0].run_id, room)), True
    ids = [old.run_id for old in going]
    counts = Counter(events=sum(events[run_id] for run_id in ids))
    for table in of_runs():
        if table is not run_events and ids:
            counts[table.name] += sum(_count(connection, table, ids).values())
    if ids:
        counts["runs"] += connection.execute(delete(runs).where(runs.c.id.in_(ids))).rowcount
    for old in going:
        if old.idle_before:
            counts += _session(connection, old)
    return +counts, len(going) < len(held)


def fold(connection: Connection, old: Old, folds: Sequence[Fold], *, is_last: bool) -> int:
    """Make events of a run fewer, and return how many went; nothing when the run has gone on since.

    `is_last`: after this, there are none left to look at.
    """
    if not _is_held(connection, old, _FOLDS):
        return 0
    gone = 0
    for one in folds:
        mine = run_events.c.run_id == old.run_id
        kept = update(run_events).where(mine, run_events.c.seq == one.seq, run_events.c.blob_id.is_(None))
        if connection.execute(kept.values(payload=one.payload)).rowcount != 1:
            continue
        if one.instead_of:
            those = delete(run_events).where(mine, run_events.c.seq.in_(one.instead_of))
            gone += connection.execute(those).rowcount
    if is_last:
        connection.execute(update(runs).where(runs.c.id == old.run_id).values(folded=now(connection)))
    return gone


def forget_keys(connection: Connection, run_ids: Collection[str]) -> int:
    """Forget under which keys messages came that began these runs."""
    keyed = and_(
        runs.c.id.in_(sorted(run_ids)), runs.c.finished.is_(True), runs.c.idempotency_key.is_not(None)
    )
    return connection.execute(update(runs).where(keyed).values(idempotency_key=None)).rowcount


def forget_signals(connection: Connection, run_ids: Collection[str]) -> int:
    """Delete what was said to runs that are over."""
    return _delete_of(connection, run_signals, run_ids)


def forget_effects(connection: Connection, run_ids: Collection[str]) -> int:
    """Delete which calls of tools runs made that are over."""
    return _delete_of(connection, effects, run_ids)


def forget_pushes(connection: Connection, run_ids: Collection[str]) -> int:
    """Delete to whom runs were told, where nothing is under way."""
    those = push_configs.c.run_id.in_(sorted(run_ids))
    return connection.execute(delete(push_configs).where(those, push_configs.c.state != "active")).rowcount


def forget_consumed(connection: Connection, older_s: float, most: int) -> int:
    """Delete signals that their runs, at work or not, have consumed long ago."""
    before_us = now(connection) - int(older_s * 1_000_000)
    old = (
        select(run_signals.c.id)
        .where(run_signals.c.consumed_time > 0, run_signals.c.consumed_time < before_us)
        .order_by(run_signals.c.id)
        .limit(most)
    )
    ids = connection.execute(old).scalars().all()
    return connection.execute(delete(run_signals).where(run_signals.c.id.in_(ids))).rowcount if ids else 0


def _is_held(connection: Connection, old: Old, statement: Select[Any]) -> bool:
    """Lock a run that is over, and is as it was when it was looked at; say whether it is."""
    values = {"run_id": old.run_id, "status_time": old.status_time}
    if old.idle_before:
        statement, values = _GOES_WITH_SESSION, {**values, "idle_before": old.idle_before}
    return connection.execute(statement, values).one_or_none() is not None


def _is_told(*but: str) -> ColumnElement[bool]:
    """Return the condition that somebody is still to be told of a run."""
    waits = ~push_configs.c.state.in_(but) if but else push_configs.c.state == "active"
    return exists(select(literal(1)).where(push_configs.c.run_id == runs.c.id, waits))


def _is_pinned() -> ColumnElement[bool]:
    whole = and_(pins.c.run_id == "", pins.c.context_id == runs.c.context_id)
    this = or_(pins.c.run_id == runs.c.id, whole)
    return exists(select(literal(1)).where(pins.c.app == runs.c.app, pins.c.owner == runs.c.owner, this))


def _count(connection: Connection, table: Table, run_ids: Sequence[str]) -> Counter[str]:
    """Return how many rows runs have in a table that hangs on them."""
    of_run = table.c.run_id
    rows = connection.execute(select(of_run, func.count()).where(of_run.in_(run_ids)).group_by(of_run))
    return Counter({row[0]: row[1] for row in rows})


def _forget_oldest(connection: Connection, run_id: str, most: int) -> int:
    mine = run_events.c.run_id == run_id
    last = select(run_events.c.seq).where(mine).order_by(run_events.c.seq).offset(most - 1).limit(1)
    up_to = connection.execute(last).scalar_one()
    return connection.execute(delete(run_events).where(mine, run_events.c.seq <= up_to)).rowcount


def _session(connection: Connection, old: Old) -> Counter[str]:
    """Delete what belongs to a session whose last run went just now."""
    whose = {"app": old.app, "owner": old.owner, "context_id": old.context_id}
    others = select(literal(1)).where(*(runs.c[name] == value for name, value in whose.items()))
    counts: Counter[str] = Counter()
    if connection.execute(others.limit(1)).first() is not None:
        return counts
    for table in of_owners():
        if "context_id" in table.c:
            counts[table.name] += forget(connection, table, **whose)
    return counts


def _delete_of(connection: Connection, table: Table, run_ids: Collection[str]) -> int:
    over = select(runs.c.id).where(runs.c.id.in_(sorted(run_ids)), runs.c.finished.is_(True))
    ids = connection.execute(over).scalars().all()
    statement = delete(table).where(table.c.run_id.in_(ids))
    return connection.execute(statement).rowcount if ids else 0


_SAME = (
    runs.c.id == bindparam("run_id"),
    runs.c.finished.is_(True),
    runs.c.status_time == bindparam("status_time"),
)
_GOES = select(runs.c.id).where(*_SAME, ~_is_told(), ~_is_pinned()).with_for_update()
_GOES_WITH_SESSION = _GOES.where(stays_idle(bindparam("idle_before", type_=BigInteger)))
_FOLDS = select(runs.c.id).where(*_SAME, runs.c.folded.is_(None), ~_is_told("done")).with_for_update()
