"""Finds runs for which it is time: the oldest first, a page at a time, by their ids."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, exists, func, literal, or_, select

from hector_store.clock import database_time
from hector_store.compiled import ByIds, Rows
from hector_store.schema import effects, pins, push_configs, run_events, run_signals, runs

from .policy import Keep, Policy
from .values import Old

PAGE = 200
_SECOND_US = 1_000_000
_AFTER_IDS_OF_TIME = "1"
"""Ids that are times begin with 0 for some centuries; ids that clients of the store chose may sort later."""

_PAGE = Rows(
    select(
        runs.c.id,
        runs.c.app,
        runs.c.owner,
        runs.c.agent,
        runs.c.context_id,
        runs.c.status_time,
        runs.c.next_seq,
        runs.c.finished,
        runs.c.created_time,
        runs.c.folded,
        runs.c.idempotency_key.is_not(None).label("has_key"),
        database_time().label("now"),
    )
    .where(runs.c.id > bindparam("after"))
    .order_by(runs.c.id)
    .limit(PAGE),
    ("after",),
)
_PINNED_RUNS = ByIds(select(pins.c.run_id), pins.c.run_id)
_PINNED_CONTEXTS = ByIds(
    select(pins.c.app, pins.c.owner, pins.c.context_id).where(pins.c.run_id == ""), pins.c.context_id
)
_PUSHED = ByIds(select(push_configs.c.run_id, push_configs.c.state), push_configs.c.run_id)
_SIGNALLED = ByIds(
    select(run_signals.c.run_id, func.count()).group_by(run_signals.c.run_id), run_signals.c.run_id
)
_ACTED = ByIds(select(effects.c.run_id, func.count()).group_by(effects.c.run_id), effects.c.run_id)


class Due(NamedTuple):
    """What it is time for, among the runs of one page."""

    runs: list[Old]
    """To go."""
    fold: list[Old]
    keys: list[str]
    """Runs whose idempotency key is to be forgotten."""
    signals: dict[str, int]
    """How many go, by run; likewise the others."""
    effects: dict[str, int]
    push_configs: dict[str, int]
    looked_at: int
    cursor: str
    """Where the next page begins; "" on the last one."""

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to do on this page."""
        return not any(self[:6])


class _Facts(NamedTuple):
    pinned_runs: Collection[str]
    pinned_contexts: Collection[tuple[str, str, str]]
    pushes: dict[str, list[str]]


def look(connection: Connection, policy: Policy, after: str) -> Due:
    """Return what it is time for behind run `after`."""
    rows = _PAGE.all(connection, after)
    due = Due([], [], [], {}, {}, {}, len(rows), _next(rows, policy))
    over = [row for row in rows if row[7] and _age_s(row) >= policy.youngest_s]
    if not over:
        return due
    ids = [row[0] for row in over]
    facts = _facts(connection, ids, sorted({row[4] for row in over if row[4]}))
    wanted: dict[str, dict[str, Keep]] = defaultdict(dict)
    for row in over:
        keep, age_s, run = policy.keep(row[1], row[3]), _age_s(row), Old(*row[:7])
        states = facts.pushes.get(run.run_id, ())
        if run.run_id in facts.pinned_runs or (*run[1:3], run.context_id) in facts.pinned_contexts:
            continue
        if "active" not in states:
            idle_before = row[11] - int(keep.sessions_s * _SECOND_US) if age_s >= keep.sessions_s else 0
            if idle_before and run.context_id and _is_idle(connection, run.run_id, idle_before):
                due.runs.append(run._replace(idle_before=idle_before))
                continue
            if age_s >= keep.runs_s and not _is_held(connection, run, policy.held_by):
                due.runs.append(run)
                continue
        if row[9] is None and age_s >= keep.compact_after_s and all(state == "done" for state in states):
            due.fold.append(run)
        if row[10] and age_s >= keep.idempotency_keys_s:
            due.keys.append(run.run_id)
        for what, least_s in zip(("signals", "effects"), (keep.signals_s, keep.effects_s), strict=True):
            if age_s >= least_s:
                wanted[what][run.run_id] = keep
        if age_s >= keep.push_configs_s and (ended := [state for state in states if state != "active"]):
            due.push_configs[run.run_id] = len(ended)
    due.signals.update(_counts(_SIGNALLED.rows(connection, [*wanted["signals"]])))
    due.effects.update(_counts(_ACTED.rows(connection, [*wanted["effects"]])))
    return due


def stays_idle(status_before: Any) -> Any:
    """Return the condition that nothing has happened in a run's session since, and nothing is under way."""
    other = runs.alias("other")
    return ~exists(
        select(literal(1)).where(
            other.c.app == runs.c.app,
            other.c.owner == runs.c.owner,
            other.c.context_id == runs.c.context_id,
            other.c.context_position.is_not(None),
            or_(other.c.finished.is_(False), other.c.status_time > status_before),
        )
    )


def _is_idle(connection: Connection, run_id: str, before: int) -> bool:
    idle = select(literal(1)).where(runs.c.id == run_id, stays_idle(before))
    return connection.execute(idle).first() is not None


def _is_held(connection: Connection, run: Old, held_by: Collection[str]) -> bool:
    """Return whether the rest of its session needs something of a run."""
    if not held_by or not run.context_id:
        return False
    holds = select(literal(1)).where(
        run_events.c.run_id == run.run_id, run_events.c.kind.in_(sorted(held_by))
    )
    if connection.execute(holds.limit(1)).first() is None:
        return False
    others = select(literal(1)).where(
        runs.c.app == run.app,
        runs.c.owner == run.owner,
        runs.c.context_id == run.context_id,
        and_(runs.c.context_position.is_not(None), runs.c.id != run.run_id),
    )
    return connection.execute(others.limit(1)).first() is not None


def _facts(connection: Connection, ids: Sequence[str], contexts: Sequence[str]) -> _Facts:
    pushes: dict[str, list[str]] = defaultdict(list)
    for run_id, state in _PUSHED.rows(connection, ids):
        pushes[run_id].append(state)
    return _Facts(
        {row[0] for row in _PINNED_RUNS.rows(connection, ids)},
        {tuple(row) for row in _PINNED_CONTEXTS.rows(connection, contexts)},
        pushes,
    )


def _counts(rows: Sequence[Sequence[Any]]) -> dict[str, int]:
    return {row[0]: row[1] for row in rows}


def _age_s(row: Sequence[Any]) -> float:
    return float(row[11] - row[5]) / _SECOND_US


def _next(rows: Sequence[Sequence[Any]], policy: Policy) -> str:
    """Return where to go on: ids sort by time, so nothing behind a run that is too young is old enough."""
    if len(rows) < PAGE:
        return ""
    last = rows[-1]
    is_too_young = (last[11] - last[8]) / _SECOND_US < policy.youngest_s
    if is_too_young and last[0] < _AFTER_IDS_OF_TIME and last[0][14:15] == "7":
        return _AFTER_IDS_OF_TIME
    return str(last[0])
