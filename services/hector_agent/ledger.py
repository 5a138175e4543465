"""Runs as the log keeps them, and back: rows to events, tasks and sessions."""

import uuid
from collections.abc import Iterable

import hector_a2a as a2a
from hector.agent.v1 import RUN_STATE_UNSPECIFIED, OwnerChanged, RunError, RunEvent, RunState, StatusChanged
from hector_store import EventRow, RunChanges, RunLog, RunRow, readable

from .packing import packed
from .rows import event_of, row_of, set_time
from .view import NUMBERS, TASK_STATES, fold, listed_after, new_task

KINDS = frozenset(field.name for field in RunEvent.DESCRIPTOR.oneofs_by_name["event"].fields)
"""Kinds of events that this version knows."""


def events_of(rows: Iterable[EventRow]) -> list[RunEvent]:
    """Return stored events whole again. Kinds that a newer version added are left out.

    Raises:
        HectorError: EVENT_NEEDS_NEWER_VERSION: one of those must not be left out.
    """
    return [event_of(row) for row in readable(rows, KINDS)]


def begins(row: EventRow) -> int:
    """Return the first event that a row stands for: others before it may have been folded into it."""
    event = RunEvent.FromString(row.payload) if row.kind in KINDS else RunEvent()
    return event.since or row.seq


def task_of(row: RunRow, events: Iterable[EventRow] | None = None) -> "a2a.Task":
    """Return a run's task as last committed, from the events it is made of; its times are the database's.

    Without events it is what lists show, as far as that is kept beside the run.
    """
    task = new_task(row.id, row.context_id)
    if events is None:
        task.MergeFrom(a2a.Task.FromString(row.view))
        task.ClearField("artifacts")  # earlier versions kept them there, too
    else:
        fold(task, events_of(events))
    task.status.state = TASK_STATES.get(state_of(row), a2a.TASK_STATE_UNSPECIFIED)
    set_time(task.status.timestamp, row.status_time_us)
    return task


def state_of(row: RunRow) -> "RunState.ValueType":
    """Return how far a stored run is."""
    return NUMBERS.get(row.state, RUN_STATE_UNSPECIFIED)


def ended(task: "a2a.Task", state: "RunState.ValueType", error: RunError) -> StatusChanged:
    """Return the end of a run that did not finish, with a message that tells the user why."""
    changed = StatusChanged(state=state, error=error)
    told = a2a.Message(
        message_id=str(uuid.uuid4()), role=a2a.ROLE_AGENT, task_id=task.id, context_id=task.context_id
    )
    told.parts.add(text=error.message)
    changed.message.CopyFrom(packed(told))
    return changed


async def close_abandoned(log: RunLog, row: RunRow, worker: str, change: StatusChanged, reason: str) -> None:
    """End a run whose owner is gone; its events stay.

    Raises:
        HectorError: RUN_FENCED: another worker took it first.
    """
    epoch = await log.take_over(row.id, worker)
    events = [
        RunEvent(owner_changed=OwnerChanged(worker=worker, epoch=epoch, reason=reason)),
        RunEvent(status_changed=change),
    ]
    view = listed_after(task_of(row), events) if row.view else None
    changes = RunChanges(state=RunState.Name(change.state), view=view)
    await log.append(row.id, epoch, [row_of(event) for event in events], changes)
