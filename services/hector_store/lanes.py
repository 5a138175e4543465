"""Finds what can be claimed in as many steps as there are lanes, however many runs there are or wait.

A lane is what one agent of one app has in one priority class and with one worker, in the order in which it
is due: one stretch of the index. From lane to lane it is one jump: databases know no such scan that they have
in common, so each jump is a statement. What waits without being due lies at the end of its lane, unread.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, false, func, select, tuple_

from .compiled import Rows
from .fairness import Candidate
from .schema import runs
from .values import NEVER

_R = runs.c


class Lane(NamedTuple):
    """Runs of one agent, of one priority, with one worker ("": nobody)."""

    worker: str
    app: str
    agent: str
    priority: int


_UNFINISHED = _R.finished == false()
_PLACE = (_R.worker, _R.app, _R.agent, _R.priority)


def _next(*equal: Any, after: Any) -> Rows:
    """Return what finds the first lane that is equal in some columns, and behind a value in the next."""
    names = [*(column.name for column in equal), after.name]
    conditions = [column == bindparam(column.name) for column in equal]
    behind = _PLACE[len(equal) + 1 :]
    statement = (
        select(*_PLACE)
        .where(_UNFINISHED, *conditions, after > bindparam(after.name))
        .order_by(after, *behind)  # what is equal is not named: MariaDB would sort
        .limit(1)
    )
    return Rows(statement, names)


_NEXT_PRIORITY = _next(_R.worker, _R.app, _R.agent, after=_R.priority)
_NEXT_AGENT = _next(_R.worker, _R.app, after=_R.agent)
_NEXT_APP = _next(_R.worker, after=_R.app)
_NEXT_WORKER = _next(after=_R.worker)
_AFTER: ColumnElement[bool] = tuple_(*_PLACE[1:]) > tuple_(*(bindparam(column.name) for column in _PLACE[1:]))
_NEXT_LANE = Rows(
    select(*_PLACE)
    .where(_UNFINISHED, _R.worker == bindparam("worker"), _AFTER)
    .order_by(*_PLACE[1:])
    .limit(1),
    [column.name for column in _PLACE],
)
_FIRST = Rows(
    select(*_PLACE).where(_UNFINISHED, _R.worker == bindparam("worker")).order_by(*_PLACE[1:]).limit(1),
    ("worker",),
)
_IN = (
    _UNFINISHED,
    _R.worker == bindparam("worker"),
    _R.app == bindparam("app"),
    _R.agent == bindparam("agent"),
    _R.priority == bindparam("priority"),
)
_CANDIDATES = Rows(
    select(_R.app, _R.agent, _R.priority, _R.due, _R.id, _R.epoch, _R.worker)
    .where(*_IN, _R.due <= bindparam("by", type_=BigInteger))
    .order_by(_R.due)
    .limit(bindparam("most", type_=BigInteger)),
    ("worker", "app", "agent", "priority", "by", "most"),
)
_COUNT = Rows(
    select(_R.app, _R.agent, func.count())
    .where(_UNFINISHED, _R.worker == bindparam("worker"))
    .group_by(_R.app, _R.agent),
    ("worker",),
)


def owners(connection: Connection) -> list[str]:
    """Return every worker that has an unfinished run, by its name in the runs."""
    found: list[str] = []
    row = _NEXT_WORKER.one(connection, "")
    while row is not None:
        found.append(row[0])
        row = _NEXT_WORKER.one(connection, row[0])
    return found


def lanes(connection: Connection, worker: str) -> Iterator[Lane]:
    """Yield the lanes in which a worker has something, or nobody ("")."""
    compares_rows = connection.dialect.name == "postgresql"  # the others would read what lies before
    row = _FIRST.one(connection, worker)
    while row is not None:
        lane = Lane(*row)
        yield lane
        if compares_rows:
            row = _NEXT_LANE.one(connection, *lane)
            continue
        row = (
            _NEXT_PRIORITY.one(connection, *lane)
            or _NEXT_AGENT.one(connection, *lane[:3])
            or _NEXT_APP.one(connection, *lane[:2])
        )


def candidates(
    connection: Connection, lane: Lane, by_us: int, most: int, but: Collection[str]
) -> list[Candidate]:
    """Return the first runs of a lane that are due; those that a worker has left are due in any case."""
    by_us = NEVER if lane.worker else by_us
    rows: Sequence[Any] = _CANDIDATES.all(connection, *lane, by_us, most + len(but))
    return [found for row in rows if (found := Candidate(*row)).run_id not in but][:most]


def counted(connection: Connection, worker: str) -> list[tuple[str, str, int]]:
    """Return how many unfinished runs a worker has, by app and agent."""
    return [(row[0], row[1], row[2]) for row in _COUNT.all(connection, worker)]
