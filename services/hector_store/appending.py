"""Appends to runs, many in one go: every run is fenced first, then a statement writes all of a kind."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, select, update

from .clock import database_time
from .compiled import ByIds, ManyRows, Values
from .dead_letters import Dead, bury
from .errors import RunFenced, RunNotFound
from .keeping import Keeper
from .kept import NOTHING_KEPT, Kept
from .payloads import EventRows
from .push_placing import place
from .push_values import NewPush
from .schema import effects, run_signals, runs
from .values import NOW, TERMINAL_STATES, Appended, Effect, NewEvent, RunChanges


class Append(NamedTuple):
    """What an owner writes about its run at one moment."""

    run_id: str
    epoch: int
    events: tuple[NewEvent, ...]
    changes: RunChanges | None
    consume: tuple[int, ...]
    effects: tuple[Effect, ...]
    pushes: tuple[NewPush, ...] = ()
    kept: Kept = NOTHING_KEPT
    dead: Dead | None = None


# Ordered, so that two writers never wait for each other. SQLite has no FOR UPDATE and needs none.
_FENCE = ByIds(
    select(runs.c.id, runs.c.app, runs.c.epoch, runs.c.next_seq, database_time().label("now"))
    .order_by(runs.c.id)
    .with_for_update(),
    runs.c.id,
)
_CONSUME = (
    update(run_signals)
    .where(run_signals.c.id == bindparam("signal_id"), run_signals.c.run_id == bindparam("of_run"))
    .where(run_signals.c.consumed_time == 0)
    .values(consumed_time=bindparam("at"))
)
_WAKE = update(runs).where(
    runs.c.id == bindparam("of_run"),
    select(run_signals.c.id)
    .where(run_signals.c.run_id == runs.c.id, run_signals.c.consumed_time == 0)
    .exists(),
)
_DELETE_EFFECT = delete(effects).where(
    effects.c.run_id == bindparam("of_run"), effects.c.effect_id == bindparam("of_effect")
)
_BEGAN = select(effects.c.started_time).where(
    effects.c.run_id == bindparam("of_run"), effects.c.effect_id == bindparam("of_effect")
)
_INSERT_EFFECT = insert(effects)

_COLUMNS = tuple(name.removesuffix("_us") for name in RunChanges._fields)
_NO_CHANGES = RunChanges()


@dataclass(slots=True)
class _Held:
    """A run whose row is locked until the transaction ends."""

    app: str
    epoch: int
    next_seq: int
    time_us: int
    changed: dict[str, object] = field(default_factory=dict)
    is_written: bool = False


def append_all(connection: Connection, appends: Sequence[Append]) -> list[Appended | Exception]:
    """Write appends in order; whoever does not own its run any more gets RunFenced and writes nothing."""
    fenced = _FENCE.rows(connection, sorted({append.run_id for append in appends}))
    held = {run_id: _Held(*columns) for run_id, *columns in fenced}
    events, keeper, consumed = EventRows(), Keeper(), list[dict[str, object]]()
    outcomes: list[Appended | Exception] = []
    placed: list[Append] = []
    for append in appends:
        run = held.get(append.run_id)
        if run is None:
            outcomes.append(RunNotFound(append.run_id))
            continue
        if run.epoch != append.epoch:
            outcomes.append(RunFenced(append.run_id, append.epoch, run.epoch))
            continue
        time_us = run.time_us
        if append.kept is not NOTHING_KEPT:
            keeper.add(run.app, append.run_id, run.next_seq, append.kept, time_us)
        run.next_seq = events.add(run.app, append.run_id, run.next_seq, append.events, time_us)
        run.is_written = True
        if append.changes is not None and append.changes != _NO_CHANGES:
            run.changed |= _columns(append.changes, time_us)
        for signal_id in append.consume:
            consumed.append({"signal_id": signal_id, "of_run": append.run_id, "at": time_us})
        for effect in append.effects:
            _put_effect(connection, run.app, append.run_id, effect, time_us)
        if append.pushes:
            placed.append(append)
        if append.dead is not None:
            bury(connection, run.app, append.run_id, append.dead, time_us)
        outcomes.append(Appended(run.next_seq - 1, time_us))
    events.insert(connection)
    _update(connection, held)
    if consumed:
        connection.execute(_CONSUME, consumed)
    _wake(connection, held)
    for append in placed:
        place(connection, append.run_id, append.pushes)
    keeper.write(connection)
    return outcomes


def _columns(changes: RunChanges, time_us: int) -> dict[str, object]:
    row: dict[str, object] = {
        column: value for column, value in zip(_COLUMNS, changes, strict=True) if value is not None
    }
    if changes.state is not None:
        row["finished"] = changes.state in TERMINAL_STATES
        row.setdefault("status_time", time_us)
    if changes.due_us == NOW:
        row["due"] = time_us
    return row


def _wake(connection: Connection, held: Mapping[str, _Held]) -> None:
    """Let nobody's runs that have signals waiting be taken: their senders saw an owner, who has left."""
    left = {run_id: run.time_us for run_id, run in held.items() if run.changed.get("worker") == ""}
    for run_id, time_us in left.items():
        connection.execute(_WAKE.values(due=time_us), {"of_run": run_id})


def _update(connection: Connection, held: Mapping[str, _Held]) -> None:
    alike: dict[tuple[str, ...], list[Values]] = defaultdict(list)
    for run_id, run in held.items():
        if run.is_written:
            columns = tuple(sorted(run.changed))
            values = [run.changed[column] for column in columns]
            alike[columns].append((run.next_seq, *values, run_id))
    for columns, rows in alike.items():
        _update_of(columns).execute(connection, rows)


@cache
def _update_of(columns: tuple[str, ...]) -> ManyRows:
    # Only what changes is named: PostgreSQL would write a large view anew otherwise.
    names = ("next_seq", *columns)
    values: dict[str, BindParameter[object]] = {name: bindparam(name) for name in names}
    statement = update(runs).where(runs.c.id == bindparam("of_run")).values(values)
    return ManyRows(statement, (*names, "of_run"))


def _put_effect(connection: Connection, app: str, run_id: str, effect: Effect, time_us: int) -> None:
    # Deleted and inserted: the three databases have no common way to insert or update.
    row = {"of_run": run_id, "of_effect": effect.effect_id}
    began = connection.execute(_BEGAN, row).scalar()
    if began is not None:
        connection.execute(_DELETE_EFFECT, row)
    ended = effect.state != "started"
    connection.execute(
        _INSERT_EFFECT,
        {
            "run_id": run_id,
            "effect_id": effect.effect_id,
            "app": app,
            "call_id": effect.call_id,
            "tool": effect.tool,
            "policy": effect.policy,
            "state": effect.state,
            "started_time": effect.started_time_us or began or time_us,
            "finished_time": effect.finished_time_us or (time_us if ended else 0),
            "result_ref": effect.result_ref,
        },
    )
