"""Contexts, also known as sessions: what the runs of one context say together."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy import delete as delete_from

from . import artifact_rows, states
from .compiled import ANY_NUMBER, Rows
from .errors import ContextBusy
from .keeping import WAITING_STATES
from .kept import Told
from .paging import key_of, token_after
from .payloads import EVENT_COLUMNS, event_rows
from .schema import run_events, runs
from .values import ContextPage, ContextRow, EventRow

_MOST_IDS = 500
# The empty context is nobody's session.
_HELD = (
    select(runs.c.id, runs.c.finished)
    .where(runs.c.app == bindparam("app"), runs.c.owner == bindparam("owner"))
    .where(runs.c.context_id == bindparam("context_id"), runs.c.context_id != literal(""))
    .order_by(runs.c.id)
    .with_for_update()
)


_LATEST = Rows(
    select(runs.c.context_position, runs.c.agent)
    .where(runs.c.app == bindparam("app"), runs.c.owner == bindparam("owner"))
    .where(runs.c.context_id == bindparam("context_id"), runs.c.context_position > 0)
    .order_by(runs.c.context_position.desc())
    .limit(1),
    ("app", "owner", "context_id"),
)
_AT_WORK = Rows(
    select(runs.c.id)
    .where(runs.c.app == bindparam("app"), runs.c.owner == bindparam("owner"))
    .where(runs.c.context_id == bindparam("context_id"))
    .where(runs.c.context_position < bindparam("before"), runs.c.finished == false())
    .where(runs.c.state.not_in([literal(state) for state in WAITING_STATES]))
    .order_by(runs.c.context_position),
    ("app", "owner", "context_id", "before"),
)


def conversation(
    connection: Connection,
    app: str,
    owner: str,
    context_id: str,
    before_position: int | None,
    kinds: Collection[str] | None,
    limit: int | None,
) -> Sequence[EventRow]:
    """Return the events of a context's runs, oldest first; the latest ones when limited."""
    before = ANY_NUMBER if before_position is None else before_position
    most = ANY_NUMBER if limit is None else limit
    found = _conversation(None if kinds is None else len(kinds))
    rows = found.all(connection, app, owner, context_id, before, most, *sorted(kinds or ()))
    return event_rows(connection, reversed(rows))


def told(
    connection: Connection,
    app: str,
    owner: str,
    context_id: str,
    between: tuple[int, int],
    kinds: Collection[str],
) -> Told:
    """Return what a turn begins with: the events of runs between two positions, and the state."""
    asked = _told(len(kinds)).all(connection, app, owner, context_id, *between, *sorted(kinds))
    at_work = {(row[2], row[3]): None for row in asked if not row[0] and row[1] not in WAITING_STATES}
    events = event_rows(connection, (row[4:] for row in reversed(asked)))
    return Told(events, states.seen_by(connection, app, owner, context_id), tuple(at_work))


def latest(connection: Connection, app: str, owner: str, context_id: str) -> tuple[int, str] | None:
    """Return the position of a context's latest run, and its agent; None when there is none."""
    row = _LATEST.one(connection, app, owner, context_id)
    return None if row is None else (int(row[0]), str(row[1]))


def at_work(
    connection: Connection, app: str, owner: str, context_id: str, before_position: int
) -> Sequence[str]:
    """Return the runs of a context before a position that are not over, and wait for nobody."""
    return [row[0] for row in _AT_WORK.all(connection, app, owner, context_id, before_position)]


def one(connection: Connection, app: str, owner: str | None, context_id: str) -> ContextRow | None:
    """Return one context; of several owners' the one that changed last."""
    found = _contexts(app, owner, context_id, None)
    row = connection.execute(found.limit(1)).one_or_none()
    return None if row is None else ContextRow(*row)


def page(
    connection: Connection, app: str, owner: str | None, agent: str | None, page_size: int, token: str
) -> ContextPage:
    """Return one page of contexts, the latest change first."""
    every = _contexts(app, owner, None, agent)
    statement = every
    if token:
        time_us, key = key_of(token, 2)
        columns = every.selected_columns
        updated, place = columns.updated, (columns.owner, columns.context_id)
        earlier = or_(place[0] < key[0], and_(place[0] == key[0], place[1] < key[1]))
        statement = every.where(or_(updated < time_us, and_(updated == time_us, earlier)))
    found = [ContextRow(*row) for row in connection.execute(statement.limit(page_size + 1))]
    more, found = len(found) > page_size, found[:page_size]
    last = found[-1] if more else None
    next_token = token_after(last.updated_time_us, last.owner, last.context_id) if last else ""
    return ContextPage(tuple(found), next_token)


def delete(connection: Connection, app: str, owner: str, context_id: str) -> int:
    """Delete a context's runs with what belongs to them, its state and its artifacts.

    Raises:
        ContextBusy: One of them is not over.
    """
    # Those that are seen are those that go: a run that is committed meanwhile is none of them.
    found = connection.execute(_HELD, {"app": app, "owner": owner, "context_id": context_id}).all()
    for run_id, finished in found:
        if not finished:
            raise ContextBusy(context_id, run_id)
    ids = [run_id for run_id, _ in found]
    for start in range(0, len(ids), _MOST_IDS):
        connection.execute(delete_from(runs).where(runs.c.id.in_(ids[start : start + _MOST_IDS])))
    states.forget(connection, app, owner, context_id)
    artifact_rows.forget(connection, app, owner, context_id)
    return len(ids)


@cache
def _told(kinds: int) -> Rows:
    names = [f"kind_{number}" for number in range(kinds)]
    statement = (
        select(runs.c.finished, runs.c.state, runs.c.context_position, runs.c.id, *EVENT_COLUMNS)
        .join_from(runs, run_events, run_events.c.run_id == runs.c.id)
        .where(runs.c.app == bindparam("app"), runs.c.owner == bindparam("owner"))
        .where(runs.c.context_id == bindparam("context_id"))
        .where(runs.c.context_position > bindparam("after"), runs.c.context_position < bindparam("before"))
        .where(run_events.c.kind.in_([bindparam(name) for name in names]))
        .order_by(runs.c.context_position.desc(), run_events.c.seq.desc())
    )
    return Rows(statement, ("app", "owner", "context_id", "after", "before", *names))


@cache
def _conversation(kinds: int | None) -> Rows:
    names = [f"kind_{number}" for number in range(kinds or 0)]
    statement = (
        select(*EVENT_COLUMNS)
        .join_from(runs, run_events, run_events.c.run_id == runs.c.id)
        .where(runs.c.app == bindparam("app"), runs.c.owner == bindparam("owner"))
        .where(runs.c.context_id == bindparam("context_id"))
        .where(runs.c.context_position < bindparam("before"))  # and not NULL
        .order_by(runs.c.context_position.desc(), run_events.c.seq.desc())
        .limit(bindparam("most", type_=BigInteger))
    )
    if kinds is not None:
        statement = statement.where(run_events.c.kind.in_([bindparam(name) for name in names]))
    return Rows(statement, ("app", "owner", "context_id", "before", "most", *names))


def _contexts(app: str, owner: str | None, context_id: str | None, agent: str | None) -> Select[Any]:
    """Return the statement for contexts as `ContextRow` has them, the latest change first."""
    summary = (
        select(
            runs.c.app,
            runs.c.owner,
            runs.c.context_id,
            func.max(runs.c.context_position).label("latest"),
            func.count(case((runs.c.kind == "turn", 1))).label("runs"),
            func.min(runs.c.created_time).label("created"),
            func.max(runs.c.status_time).label("updated"),
        )
        .where(runs.c.app == app, runs.c.context_position.is_not(None))
        .group_by(runs.c.app, runs.c.owner, runs.c.context_id)
    )
    if owner is not None:
        summary = summary.where(runs.c.owner == owner)
    if context_id is not None:
        summary = summary.where(runs.c.context_id == context_id)
    whole = summary.subquery("summary")
    of_latest = and_(
        runs.c.app == whole.c.app,
        runs.c.owner == whole.c.owner,
        runs.c.context_id == whole.c.context_id,
        runs.c.context_position == whole.c.latest,
    )
    statement = (
        select(
            whole.c.app,
            whole.c.owner,
            whole.c.context_id,
            runs.c.agent,
            whole.c.runs,
            whole.c.created,
            whole.c.updated,
            whole.c.latest,
        )
        .join_from(whole, runs, of_latest)
        .order_by(whole.c.updated.desc(), whole.c.owner.desc(), whole.c.context_id.desc())
    )
    return statement if agent is None else statement.where(runs.c.agent == agent)
