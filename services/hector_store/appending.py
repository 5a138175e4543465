"""Appends to runs, many in one go: every run is fenced first, then a statement writes all of a kind."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from operator import attrgetter
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


class Besides(NamedTuple):
    """What few appends have besides events and changes; see `RunLog.append`."""

    consume: Collection[int] = ()
    effects: Sequence[Effect] = ()
    pushes: Sequence[NewPush] = ()
    kept: Kept = NOTHING_KEPT
    dead: Dead | None = None


class Append(NamedTuple):
    """What an owner writes about its run at one moment."""

    run_id: str
    epoch: int
    events: Sequence[NewEvent]
    changes: RunChanges | None
    """None: nothing changes."""
    besides: Besides | None = None


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


class _Held:
    """A run whose row is locked until the transaction ends."""

    __slots__ = ("app", "changed", "epoch", "is_written", "next_seq", "time_us")

    def __init__(self, app: str, epoch: int, next_seq: int, time_us: int) -> None:
        self.app = app
        self.epoch = epoch
        self.next_seq = next_seq
        self.time_us = time_us
        self.changed: dict[str, object] | None = None
        self.is_written = False


_run_of = attrgetter("run_id")


def append_all(connection: Connection, appends: Sequence[Append]) -> list[Appended | Exception]:
    """Write appends in order; whoever does not own its run any more gets RunFenced and writes nothing."""
    fenced = _FENCE.rows(connection, sorted(set(map(_run_of, appends))))
    held = {row[0]: _Held(*row[1:]) for row in fenced}
    events, later = EventRows(), _Later()
    outcomes: list[Appended | Exception] = []
    for run_id, epoch, added, changes, besides in appends:
        run = held.get(run_id)
        if run is None:
            outcomes.append(RunNotFound(run_id))
            continue
        if run.epoch != epoch:
            outcomes.append(RunFenced(run_id, epoch, run.epoch))
            continue
        if besides is not None:
            later.add(connection, run_id, run, besides)
        time_us = run.time_us
        run.next_seq = next_seq = events.add(run.app, run_id, run.next_seq, added, time_us)
        run.is_written = True
        if changes is not None:
            run.changed = (run.changed or {}) | _columns(changes, time_us)
        outcomes.append(Appended(next_seq - 1, time_us))
    events.insert(connection)
    left = _update(connection, held)
    later.write(connection)
    for left_id, since_us in left:
        _wake(connection, left_id, since_us)
    return outcomes


class _Later:
    """What appends have besides, as far as it is written behind their events."""

    __slots__ = ("_consumed", "_keeper", "_placed")

    def __init__(self) -> None:
        self._keeper: Keeper | None = None
        self._consumed: list[dict[str, object]] = []
        self._placed: list[tuple[str, Sequence[NewPush]]] = []

    def add(self, connection: Connection, run_id: str, run: _Held, besides: Besides) -> None:
        """Take it, before the events of its append have got their numbers."""
        time_us = run.time_us
        if besides.kept is not NOTHING_KEPT:
            self._keeper = self._keeper or Keeper()
            self._keeper.add(run.app, run_id, run.next_seq, besides.kept, time_us)
        for signal_id in besides.consume:
            self._consumed.append({"signal_id": signal_id, "of_run": run_id, "at": time_us})
        for effect in besides.effects:
            _put_effect(connection, run.app, run_id, effect, time_us)
        if besides.pushes:
            self._placed.append((run_id, besides.pushes))
        if besides.dead is not None:
            bury(connection, run.app, run_id, besides.dead, time_us)

    def write(self, connection: Connection) -> None:
        """Write it."""
        if self._consumed:
            connection.execute(_CONSUME, self._consumed)
        for run_id, pushes in self._placed:
            place(connection, run_id, pushes)
        if self._keeper is not None:
            self._keeper.write(connection)


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


def _wake(connection: Connection, run_id: str, time_us: int) -> None:
    """Let a run that is nobody's now be taken if it has signals waiting: their senders saw an owner."""
    connection.execute(_WAKE.values(due=time_us), {"of_run": run_id})


def _update(connection: Connection, held: Mapping[str, _Held]) -> list[tuple[str, int]]:
    """Write the rows of runs, and return those that are nobody's from now on, with the time."""
    left = []
    alike: dict[tuple[str, ...], list[Values]] = {}
    grown: list[Values] = []
    for run_id, run in held.items():
        if run.changed is not None:
            columns = tuple(sorted(run.changed))
            values = [run.changed[column] for column in columns]
            alike.setdefault(columns, []).append((run.next_seq, *values, run_id))
            if run.changed.get("worker") == "":
                left.append((run_id, run.time_us))
        elif run.is_written:
            grown.append((run.next_seq, run_id))
    if grown:
        _GROW.execute(connection, grown)
    for columns, rows in alike.items():
        _update_of(columns).execute(connection, rows)
    return left


@cache
def _update_of(columns: tuple[str, ...]) -> ManyRows:
    # Only what changes is named: PostgreSQL would write a large view anew otherwise.
    names = ("next_seq", *columns)
    values: dict[str, BindParameter[object]] = {name: bindparam(name) for name in names}
    statement = update(runs).where(runs.c.id == bindparam("of_run")).values(values)
    return ManyRows(statement, (*names, "of_run"))


_GROW = _update_of(())


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
