"""What there is to be done: runs that are not over, counted by agent and by what they wait for."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, case, false, func, select

from . import leases
from .clock import now
from .compiled import Rows
from .database import Database
from .lanes import lanes
from .schema import runs
from .values import NEVER
from .worker_values import WorkerRow

_R = runs.c
_DUE, _SLEEPING, _WAITING = 0, 1, 2
_EACH = (
    select(
        _R.agent,
        _R.worker,
        _R.due,
        case(
            (_R.due <= bindparam("by", type_=BigInteger), _DUE), (_R.due < NEVER, _SLEEPING), else_=_WAITING
        ).label("wait"),
    )
    .where(_R.finished == false(), _R.app == bindparam("app"))
    .subquery()
)
_C = _EACH.c
_COUNTS = select(_C.agent, _C.worker, _C.wait, func.count(), func.min(_C.due)).group_by(
    _C.agent, _C.worker, _C.wait
)
_FIRST_DUE: Any = select(func.count(), func.min(_R.due)).where(
    _R.finished == false(),
    _R.worker == "",
    _R.app == bindparam("app"),
    _R.agent == bindparam("agent"),
    _R.priority == bindparam("priority"),
    _R.due <= bindparam("by", type_=BigInteger),
)
_DUE_IN = Rows(_FIRST_DUE, ("app", "agent", "priority", "by"))


@dataclass(slots=True)
class AgentQueue:
    """An agent's runs that are not over."""

    due: int = 0
    """Nobody has them, and somebody should."""
    working: int = 0
    sleeping: int = 0
    """They wait for a timer."""
    waiting: int = 0
    """They wait for somebody."""
    orphaned: int = 0
    """Their worker is gone."""


@dataclass(slots=True)
class QueueStats:
    """An app's runs that are not over, and who works on runs of all apps."""

    agents: dict[str, AgentQueue] = field(default_factory=dict)
    oldest_due_us: int = 0
    """For how long the first of the due ones has been due."""
    workers: list[tuple[WorkerRow, int]] = field(default_factory=list)
    """With how many of the app's runs each has."""


class Depth(NamedTuple):
    """How many of an agent's runs are due, and since when."""

    runs: int
    age_us: int


class Queue:
    """The runs of one database that are not over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stats(self, app: str) -> QueueStats:
        """Return how an app's runs stand. Costs a look at each that is not over."""
        return await self._database.read(lambda connection: _stats(connection, app))

    async def depth(self) -> dict[str, Depth]:
        """Return what is due, by agent, of all apps. Costs nothing for what is not due."""
        return await self._database.read(_depth)


def _stats(connection: Connection, app: str) -> QueueStats:
    time_us = now(connection)
    found, having = QueueStats(), defaultdict[str, int](int)
    every = leases.every(connection)
    alive = {row.id for row in every if row.is_alive}
    for agent, worker, wait, count, first_us in connection.execute(_COUNTS, {"app": app, "by": time_us}):
        queue = found.agents.setdefault(agent, AgentQueue())
        if worker in alive:
            queue.working += count
            having[worker] += count
        elif worker:
            queue.orphaned += count
            having[worker] += count
        elif wait == _DUE:
            queue.due += count
            found.oldest_due_us = max(found.oldest_due_us, time_us - int(first_us))
        elif wait == _SLEEPING:
            queue.sleeping += count
        else:
            queue.waiting += count
    found.workers = [(row, having[row.id]) for row in every]
    return found


def _depth(connection: Connection) -> dict[str, Depth]:
    time_us = now(connection)
    found: dict[str, Depth] = {}
    for lane in lanes(connection, ""):
        row = _DUE_IN.one(connection, lane.app, lane.agent, lane.priority, time_us)
        count, first_us = row or (0, None)
        before = found.get(lane.agent, Depth(0, 0))
        age_us = time_us - int(first_us) if first_us is not None else 0
        found[lane.agent] = Depth(before.runs + int(count), max(before.age_us, age_us))
    return found
