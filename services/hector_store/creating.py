"""Creates runs, many in one go."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from .clock import now
from .compiled import ManyRows, Rows, Values, insert_of
from .errors import IdempotencyMismatch
from .keeping import Keeper, check_context
from .kept import NOTHING_KEPT, Kept
from .payloads import EventRows
from .push_placing import place
from .push_values import NewPush
from .schema import runs
from .values import NEW_RUN_COLUMNS, TERMINAL_STATES, Created, NewEvent, NewRun


class Creation(NamedTuple):
    """A run to create under an id that is settled."""

    run: NewRun
    run_id: str
    events: Sequence[NewEvent]
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
        run, run_id, new_events, kept = creation
        if run.idempotency_key:
            earlier = keys.get((run.app, run.owner, run.idempotency_key)) or _earlier(connection, run)
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
        next_seq = events.add(run.app, run_id, 1, new_events, time_us)
        rows.append(_row(run, run_id, position, next_seq, time_us))
        if run.pushes:
            placed.append((run_id, run.pushes))
        if kept is not NOTHING_KEPT:
            keeper.add(run.app, run_id, 1, kept, time_us)
        created = Created(run_id, position, 1, next_seq - 1, time_us, False)
        outcomes.append(created)
        if run.idempotency_key:
            again = created._replace(repeated=True)
            keys[run.app, run.owner, run.idempotency_key] = again, run.idempotency_hash
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
        last = 0 if run.new_context else _last_position(connection, context)
    positions[context] = last + 1
    return last + 1


def _last_position(connection: Connection, context: Context) -> int:
    (found,) = _LAST_POSITION.one(connection, *context) or (None,)
    return found or 0


def _earlier(connection: Connection, run: NewRun) -> tuple[Created, str] | None:
    keys = {"app": run.app, "owner": run.owner, "key": run.idempotency_key}
    row = connection.execute(_SAME_KEY, keys).one_or_none()
    if row is None:
        return None
    found = Created(
        row.id, row.context_position or 0, row.epoch, row.next_seq - 1, row.created_time, repeated=True
    )
    return found, row.idempotency_hash


def _row(run: NewRun, run_id: str, position: int, next_seq: int, time_us: int) -> Values:
    """Return the values of `_COLUMNS`."""
    return run[:NEW_RUN_COLUMNS] + (  # noqa: RUF005  (unpacked, it would be a list first)
        run_id,
        position or None,
        run.status_time_us or time_us,
        run.state in TERMINAL_STATES,
        time_us + int(run.lease_s * 1_000_000) if run.lease_s else 0,
        next_seq,
        run.idempotency_key or None,
        time_us,
        run.due_us or time_us,
        1,
        0,
    )


_COLUMNS = (
    *(name.removesuffix("_us") for name in NewRun._fields[:NEW_RUN_COLUMNS]),
    *("id", "context_position", "status_time", "finished", "lease_until", "next_seq"),
    *("idempotency_key", "created_time", "due", "epoch", "attempt"),
)
_INSERT = ManyRows(insert_of(runs, _COLUMNS), _COLUMNS)
