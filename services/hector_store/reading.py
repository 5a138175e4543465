"""Reads runs, their events and their effects."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    false,
    func,
    literal,
    or_,
    select,
)

from .compiled import ANY_NUMBER, ByIds, Rows
from .paging import key_of, token_after
from .payloads import EVENT_COLUMNS, event_rows
from .schema import effects as effects_table
from .schema import run_events, runs
from .values import Effect, EventRow, RunPage, RunRow

_LISTED: tuple[ColumnElement[Any], ...] = (
    runs.c.id,
    runs.c.kind,
    runs.c.app,
    runs.c.owner,
    runs.c.agent,
    runs.c.context_id,
    func.coalesce(runs.c.context_position, 0),
    runs.c.parent,
    runs.c.state,
    runs.c.status_time,
    runs.c.is_task,
    runs.c.revision,
    runs.c.priority,
    runs.c.worker,
    runs.c.worker_target,
    runs.c.epoch,
    runs.c.lease_until,
    runs.c.wake_at,
    runs.c.deadline,
    runs.c.due,
    runs.c.attempt,
    runs.c.next_seq,
    runs.c.created_time,
    runs.c.strategy_name,
    runs.c.strategy_version,
    runs.c.view,
)
WHOLE = (*_LISTED, runs.c.strategy_state)
"""What a `RunRow` is made of."""

_GET: Select[Any] = select(*WHOLE).where(runs.c.id == bindparam("run_id"), runs.c.app == bindparam("app"))
_EXISTS = select(literal(1)).where(runs.c.id == bindparam("run_id"))
_GET_ANY, _GET_OWN = (
    Rows(_GET, ("app", "run_id")),
    Rows(_GET.where(runs.c.owner == bindparam("owner")), ("app", "run_id", "owner")),
)
_IS_TASK = RunRow._fields.index("is_task")
_EVENTS = Rows(
    select(*EVENT_COLUMNS)
    .where(run_events.c.run_id == bindparam("run_id"), run_events.c.app == bindparam("app"))
    .where(run_events.c.seq > bindparam("after"))
    .order_by(run_events.c.seq)
    .limit(bindparam("most", type_=BigInteger)),
    ("app", "run_id", "after", "most"),
)
_EFFECTS = (
    select(
        effects_table.c.effect_id,
        effects_table.c.call_id,
        effects_table.c.tool,
        effects_table.c.policy,
        effects_table.c.state,
        effects_table.c.result_ref,
        effects_table.c.started_time,
        effects_table.c.finished_time,
    )
    .where(effects_table.c.run_id == bindparam("run_id"))
    .order_by(effects_table.c.started_time, effects_table.c.effect_id)
)


_EQUAL = ("app", "owner", "context_id", "agent", "parent", "is_task")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs to list; None does not matter."""

    app: str
    owner: str | None
    context_id: str | None
    agent: str | None
    states: Collection[str] | None
    kinds: Collection[str] | None
    parent: str | None
    status_after_us: int | None
    is_task: bool | None


def run(connection: Connection, app: str, owner: str | None, run_id: str) -> RunRow | None:
    """Return one run, with its strategy's state."""
    if owner is None:
        row = _GET_ANY.one(connection, app, run_id)
    else:
        row = _GET_OWN.one(connection, app, run_id, owner)
    return None if row is None else row_of(row)


def row_of(row: Sequence[Any]) -> RunRow:
    """Return a run from its columns, as `WHOLE` or without the last."""
    values = list(row)
    values[_IS_TASK] = bool(values[_IS_TASK])
    return RunRow(*values)


def exists(connection: Connection, run_id: str) -> bool:
    """Return whether there is a run of that id, whoever's."""
    return connection.execute(_EXISTS, {"run_id": run_id}).one_or_none() is not None


def events(
    connection: Connection, app: str, run_id: str, after: int, limit: int | None
) -> Sequence[EventRow]:
    """Return a run's events in order."""
    most = ANY_NUMBER if limit is None else limit
    return event_rows(connection, _EVENTS.all(connection, app, run_id, after, most))


def events_of(
    connection: Connection, rows: Sequence[RunRow], kinds: Collection[str]
) -> dict[str, list[EventRow]]:
    """Return the events that runs had when their rows were read."""
    next_seq = {row.id: row.next_seq for row in rows}
    found: dict[str, list[EventRow]] = {run_id: [] for run_id in next_seq}
    if found:
        selected = _of_runs(len(kinds)).rows(connection, sorted(found), sorted(kinds))
        for event in event_rows(connection, selected):
            if event.seq < next_seq[event.run_id]:
                found[event.run_id].append(event)
    return found


@cache
def _of_runs(kinds: int) -> ByIds:
    names = [f"kind_{number}" for number in range(kinds)]
    of_kinds = run_events.c.kind.in_([bindparam(name) for name in names])
    statement = select(*EVENT_COLUMNS).where(of_kinds).order_by(run_events.c.run_id, run_events.c.seq)
    return ByIds(statement, run_events.c.run_id, names)


def story(
    connection: Connection, app: str, owner: str | None, run_id: str, kinds: Collection[str]
) -> tuple[RunRow, Sequence[EventRow]] | None:
    """Return one run together with its events."""
    row = run(connection, app, owner, run_id)
    if row is None:
        return None
    select_events, of_kinds = _of_run(frozenset(kinds))
    events = event_rows(connection, select_events.all(connection, run_id, *of_kinds))
    if events and events[-1].seq >= row.next_seq:  # written between the two looks
        events = [event for event in events if event.seq < row.next_seq]
    return row, events


@cache
def _of_run(kinds: frozenset[str]) -> tuple[Rows, Sequence[str]]:
    """Return what selects a run's events of these kinds, and the kinds in the order that it wants them in."""
    names = [f"kind_{number}" for number in range(len(kinds))]
    statement = (
        select(*EVENT_COLUMNS)
        .where(run_events.c.run_id == bindparam("run_id"))
        .where(run_events.c.kind.in_([bindparam(name) for name in names]))
        .order_by(run_events.c.seq)
    )
    return Rows(statement, ("run_id", *names)), sorted(kinds)


def page(connection: Connection, wanted: Wanted, page_size: int, token: str) -> RunPage:
    """Return one page of runs, the latest change of state first."""
    equal = {name: value for name in _EQUAL if (value := getattr(wanted, name)) is not None}
    states = None if wanted.states is None else sorted(wanted.states)
    kinds = None if wanted.kinds is None else sorted(wanted.kinds)
    values = (*equal.values(), *(states or ()), *(kinds or ()))
    since = wanted.status_after_us
    if since is not None:
        values = (*values, since)
    select_page, select_total = _page_of(
        tuple(equal),
        None if states is None else len(states),
        None if kinds is None else len(kinds),
        since=since is not None,
        later=bool(token),
    )
    behind: tuple[object, ...] = ()
    if token:
        time_us, (run_id,) = key_of(token, 1)
        behind = (time_us, run_id)
    rows = select_page.all(connection, *values, page_size + 1, *behind)
    more, found = len(rows) > page_size, [row_of(row) for row in rows[:page_size]]
    [[total]] = select_total.all(connection, *values)
    next_token = token_after(found[-1].status_time_us, found[-1].id) if more else ""
    return RunPage(tuple(found), next_token, int(total))


@cache
def _page_of(
    equal: tuple[str, ...], states: int | None, kinds: int | None, *, since: bool, later: bool
) -> tuple[Rows, Rows]:
    """Return what selects a page of runs, by such conditions, and what counts all of them.

    SQLAlchemy takes longer to write such a statement than a database to answer it.
    """
    conditions: list[ColumnElement[bool]] = [runs.c[name] == bindparam(name) for name in equal]
    names = list(equal)
    for column, many in ((runs.c.state, states), (runs.c.kind, kinds)):
        if many is not None:
            some = [f"{column.name}_{number}" for number in range(many)]
            conditions.append(column.in_([bindparam(name) for name in some]) if some else false())
            names += some
    if since:
        conditions.append(runs.c.status_time > bindparam("since", type_=BigInteger))
        names.append("since")
    total = select(func.count()).select_from(runs).where(*conditions)
    # One session's runs are few; SQLite would look for them among all of the owner's, which are in order.
    time = runs.c.status_time + 0 if "context_id" in equal else runs.c.status_time
    listed = select(*_LISTED).where(*conditions)
    behind: list[str] = []
    if later:
        behind, at = ["time", "last_id"], bindparam("time", type_=BigInteger)
        earlier = and_(runs.c.status_time == at, runs.c.id < bindparam("last_id"))
        listed = listed.where(or_(runs.c.status_time < at, earlier))
    listed = listed.order_by(time.desc(), runs.c.id.desc()).limit(bindparam("most", type_=BigInteger))
    return Rows(listed, [*names, "most", *behind]), Rows(total, names)


def unfinished(connection: Connection, worker: str | None, but: Collection[str]) -> Sequence[RunRow]:
    """Return the runs that are in no terminal state, oldest first, but for those in some states."""
    statement = select(*_LISTED).where(runs.c.finished.is_(False))
    if but:
        statement = statement.where(runs.c.state.not_in(sorted(but)))
    if worker is not None:
        statement = statement.where(runs.c.worker == worker)
    return [RunRow(*row) for row in connection.execute(statement.order_by(runs.c.created_time, runs.c.id))]


def effects(connection: Connection, run_id: str) -> Sequence[Effect]:
    """Return a run's effects in the order in which they began."""
    rows = connection.execute(_EFFECTS, {"run_id": run_id})
    return [
        Effect(
            effect_id=row.effect_id,
            call_id=row.call_id,
            tool=row.tool,
            policy=row.policy,
            state=row.state,
            result_ref=row.result_ref,
            started_time_us=row.started_time,
            finished_time_us=row.finished_time,
        )
        for row in rows
    ]
