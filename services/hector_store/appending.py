"""Appends to runs, many in one go: first every run is fenced, then all is written with a statement per kind."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

from sqlalchemy import Connection, Update, bindparam, delete, insert, select, update

from .clock import database_time
from .errors import RunFenced, RunNotFound
from .payloads import EventRows
from .schema import effects, run_signals, runs
from .values import TERMINAL_STATES, Appended, Effect, NewEvent, RunChanges


@dataclass(frozen=True, slots=True, eq=False)
class Append:
    """What an owner writes about its run at one moment."""

    run_id: str
    epoch: int
    events: tuple[NewEvent, ...]
    changes: RunChanges
    consume: tuple[int, ...]
    effects: tuple[Effect, ...]


# Ordered, so that two writers never wait for each other. SQLite has no FOR UPDATE and needs none.
_FENCE = (
    select(runs.c.id, runs.c.app, runs.c.epoch, runs.c.next_seq, database_time().label("now"))
    .where(runs.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(runs.c.id)
    .with_for_update()
)
_CONSUME = (
    update(run_signals)
    .where(run_signals.c.id == bindparam("signal_id"), run_signals.c.run_id == bindparam("of_run"))
    .where(run_signals.c.consumed_time == 0)
    .values(consumed_time=bindparam("at"))
)
_DELETE_EFFECT = delete(effects).where(
    effects.c.run_id == bindparam("of_run"), effects.c.effect_id == bindparam("of_effect")
)
_BEGAN = select(effects.c.started_time).where(
    effects.c.run_id == bindparam("of_run"), effects.c.effect_id == bindparam("of_effect")
)
_INSERT_EFFECT = insert(effects)

_COLUMN_OF = {field.name: field.name.removesuffix("_us") for field in fields(RunChanges)}


def append_all(connection: Connection, appends: Sequence[Append]) -> list[Appended | Exception]:
    """Write appends in order; whoever does not own its run any more gets RunFenced and writes nothing."""
    ids = {append.run_id for append in appends}
    held = {row.id: row for row in connection.execute(_FENCE, {"ids": sorted(ids)})}
    next_seqs = {row.id: row.next_seq for row in held.values()}
    events, changed = EventRows(), dict[str, dict[str, object]]()
    consumed: list[dict[str, object]] = []
    outcomes: list[Appended | Exception] = []
    for append in appends:
        run = held.get(append.run_id)
        if run is None:
            outcomes.append(RunNotFound(append.run_id))
            continue
        if run.epoch != append.epoch:
            outcomes.append(RunFenced(append.run_id, append.epoch, run.epoch))
            continue
        next_seq = events.add(run.app, run.id, next_seqs[run.id], append.events, run.now)
        next_seqs[run.id] = next_seq
        row = changed.setdefault(run.id, {})
        row |= _columns(append.changes, run.now)
        row["next_seq"] = next_seq
        consumed += [{"signal_id": id_, "of_run": run.id, "at": run.now} for id_ in append.consume]
        for effect in append.effects:
            _put_effect(connection, run.app, run.id, effect, run.now)
        outcomes.append(Appended(next_seq - 1, run.now))
    events.insert(connection)
    _update(connection, changed)
    if consumed:
        connection.execute(_CONSUME, consumed)
    return outcomes


def _columns(changes: RunChanges, time_us: int) -> dict[str, object]:
    row = {
        column: value for name, column in _COLUMN_OF.items() if (value := getattr(changes, name)) is not None
    }
    if changes.state is not None:
        row["finished"] = changes.state in TERMINAL_STATES
        row.setdefault("status_time", time_us)
    return row


def _update(connection: Connection, changed: dict[str, dict[str, object]]) -> None:
    alike: dict[tuple[str, ...], list[dict[str, object]]] = defaultdict(list)
    for run_id, row in changed.items():
        alike[tuple(sorted(row))].append({**row, "of_run": run_id})
    for columns, rows in alike.items():
        connection.execute(_update_of(columns), rows)


@cache
def _update_of(columns: tuple[str, ...]) -> Update:
    # Only what changes is named: PostgreSQL would write a large view anew otherwise.
    return (
        update(runs)
        .where(runs.c.id == bindparam("of_run"))
        .values({name: bindparam(name) for name in columns})
    )


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
