"""Creates runs, many in one go."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select

from .clock import now
from .compiled import ManyRows, Rows, Values
from .errors import IdempotencyMismatch
from .keeping import Keeper, check_context
from .kept import NOTHING_KEPT, Kept
from .payloads import EventRows
from .push_placing import place
from .push_values import NewPush
from .schema import runs
from .values import TERMINAL_STATES, Created, NewEvent, NewRun


class Creation(NamedTuple):
    """A run to create under an id that is settled."""

    run: NewRun
    run_id: str
    events: tuple[NewEvent, ...]
    kept: Kept = NOTHING_KEPT


_LAST_POSITION = Rows(
    select(func.max(runs.c.context_position)).where(
        runs.c.app == bindparam("app"),
        runs.c.owner == bindparam("owner"),
        runs.c.context_id == bindparam("context_id"),
    ),
    ("app", "owner", "context_id"),
)
_SAME_KEY = select(
    runs.c.id,
    runs.c.context_position,
    runs.c.epoch,
    runs.c.next_seq,
    runs.c.created_time,
    runs.c.idempotency_hash,
).where(
    runs.c.app == bindparam("app"),
    runs.c.owner == bindparam("owner"),
    runs.c.idempotency_key == bindparam("key"),
)

Context = tuple[str, str, str]
BESIDE = "state"
"""The kind of runs that have no place among the turns of their context: they change its state alone."""


def create_all(connection: Connection, creations: Sequence[Creation]) -> list[Created | Exception]:
    """Create runs in order. Positions go on where their contexts stand.

    Raises:
        IntegrityError: An id, a key or a position was taken meanwhile by another process.
    """
    time_us = now(connection)
    positions: dict[Context, int] = {}
    keys: dict[tuple[str, str, str], tuple[Created, str]] = {}
    rows: list[Values] = []
    placed: list[tuple[str, tuple[NewPush, ...]]] = []
    written: list[Creation] = []
    events, keeper = EventRows(), Keeper()
    outcomes: list[Created | Exception] = []
    for creation in creations:
        run = creation.run
        key = (run.app, run.owner, run.idempotency_key)
        earlier = keys.get(key) or _earlier(connection, run) if run.idempotency_key else None
        if earlier is not None:
            found, stands_for = earlier
            same = stands_for == run.idempotency_hash
            outcomes.append(found if same else IdempotencyMismatch(run.idempotency_key, found.run_id))
            continue
        if run.context_rule:
            wrong = check_context(connection, run, [(one.run_id, one.run) for one in written])
            if wrong is not None:
                outcomes.append(wrong)
                continue
        written.append(creation)
        position = _next_position(connection, run, positions)
        next_seq = events.add(run.app, creation.run_id, 1, creation.events, time_us)
        rows.append(tuple(_row(creation, position, next_seq, time_us).values()))
        if run.pushes:
            placed.append((creation.run_id, run.pushes))
        if creation.kept is not NOTHING_KEPT:
            keeper.add(run.app, creation.run_id, 1, creation.kept, time_us)
        created = Created(creation.run_id, position, 1, next_seq - 1, time_us, repeated=False)
        outcomes.append(created)
        if run.idempotency_key:
            again = Created(creation.run_id, position, 1, next_seq - 1, time_us, repeated=True)
            keys[key] = again, run.idempotency_hash
    if rows:
        _INSERT.execute(connection, rows)
    events.insert(connection)
    for run_id, pushes in placed:
        place(connection, run_id, pushes)
    keeper.write(connection)
    return outcomes


def _next_position(connection: Connection, run: NewRun, positions: dict[Context, int]) -> int:
    if not run.context_id or run.kind == BESIDE:
        return 0
    context = (run.app, run.owner, run.context_id)
    last = positions.get(context)
    if last is None:
        (found,) = (not run.new_context and _LAST_POSITION.one(connection, *context)) or (None,)
        last = found or 0
    positions[context] = last + 1
    return last + 1


def _earlier(connection: Connection, run: NewRun) -> tuple[Created, str] | None:
    keys = {"app": run.app, "owner": run.owner, "key": run.idempotency_key}
    row = connection.execute(_SAME_KEY, keys).one_or_none()
    if row is None:
        return None
    found = Created(
        row.id, row.context_position or 0, row.epoch, row.next_seq - 1, row.created_time, repeated=True
    )
    return found, row.idempotency_hash


def _row(creation: Creation, position: int, next_seq: int, time_us: int) -> dict[str, object]:
    """Return a run's columns, in the order of its table: the database's driver gets them like this."""
    run = creation.run
    return {
        "id": creation.run_id,
        "kind": run.kind,
        "app": run.app,
        "owner": run.owner,
        "agent": run.agent,
        "context_id": run.context_id,
        "context_position": position or None,
        "parent": run.parent,
        "state": run.state,
        "status_time": run.status_time_us or time_us,
        "is_task": run.is_task,
        "finished": run.state in TERMINAL_STATES,
        "revision": run.revision,
        "priority": run.priority,
        "worker": run.worker,
        "worker_target": run.worker_target,
        "epoch": 1,
        "lease_until": time_us + int(run.lease_s * 1_000_000) if run.lease_s else 0,
        "wake_at": run.wake_at_us,
        "deadline": run.deadline_us,
        "attempt": 0,
        "next_seq": next_seq,
        "idempotency_key": run.idempotency_key or None,
        "idempotency_hash": run.idempotency_hash,
        "created_time": time_us,
        "strategy_name": run.strategy_name,
        "strategy_version": run.strategy_version,
        "view": run.view,
        "strategy_state": run.strategy_state,
        "due": run.due_us or time_us,
    }


_COLUMNS = tuple(_row(Creation(NewRun("", "", ""), "", ()), 0, 0, 0))
_INSERT = ManyRows(insert(runs).values({name: bindparam(name) for name in _COLUMNS}), _COLUMNS)
