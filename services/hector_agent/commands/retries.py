"""Another attempt at a run that is over: a new one that refers to it, and has done what that one had done.

A task that is over never changes (A2A), so nothing is opened again. Effects keep the first attempt's ids.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_CANCELED,
    RUN_STATE_FAILED,
    RUN_STATE_REJECTED,
    RUN_STATE_SUBMITTED,
    RunEvent,
    RunRetried,
    RunState,
    StatusChanged,
)
from hector_agent.ledger import events_of, state_of
from hector_agent.resuming import ANSWER
from hector_agent.roster import Roster
from hector_agent.rows import row_of
from hector_agent.view import INTERRUPTED, fold, listed, new_task
from hector_store import NEVER, NOW, Created, NewRun, RunLog, RunRow, new_id

from .errors import NothingToRetry
from .standing import retry_of

AGAIN = frozenset({RUN_STATE_FAILED, RUN_STATE_CANCELED, RUN_STATE_REJECTED})
"""States after which a run may be tried again."""
_DONE = frozenset(
    {
        *("message_received", "model_answered", "messages_added", "tool_started", "tool_finished"),
        *("artifact_saved", "step_started", "step_finished", "turn_parked", "timer_set", "timer_ended"),
    }
)
"""Kinds of events that another attempt has behind it. State that was changed is there in any case."""
_OF_CODE = frozenset({"message_received", "step_started", "step_finished", "timer_set", "timer_ended"})
"""Likewise for code of the operator's own, which says everything anew but what it does once."""


async def retried(
    log: RunLog, roster: Roster, row: RunRow, principal: str, *, from_start: bool
) -> tuple[str, bool]:
    """Begin a run anew, and return the new one's id; False: that was done before.

    Args:
        log: Where it is.
        roster: The agents; the new run goes by the config as it is now.
        row: The run that is over.
        principal: Who asks.
        from_start: Keep nothing of what it had done.

    Raises:
        NothingToRetry: It is not over, or has not failed.
        HectorError: It could not be written.
    """
    if state_of(row) not in AGAIN:
        raise NothingToRetry(row.id, row.state)
    own = events_of(await log.events(row.app, row.id))
    agent, is_code = roster.agents.get(row.agent), False
    if agent is not None:
        is_code = agent.handler is not None
    run_id = new_id()
    events = list(_events(own, row, run_id, principal, from_start=from_start, is_code=is_code))
    state = state_of_last(events)
    waits = state in INTERRUPTED
    key = sha256(f"retry of {row.id}".encode()).hexdigest()
    new = NewRun(
        id=run_id,
        app=row.app,
        owner=row.owner,
        agent=row.agent,
        context_id=row.context_id,
        kind=row.kind,
        parent=row.parent,
        state=RunState.Name(state),
        revision=agent.revision if agent is not None else "",
        priority=row.priority,
        due_us=NEVER if waits else NOW,
        idempotency_key=key,
        idempotency_hash=key,
        view=listed(fold(new_task(run_id, row.context_id), events)),
        strategy_name="" if from_start else row.strategy_name,
        strategy_version=0 if from_start else row.strategy_version,
        strategy_state=b"" if from_start else row.strategy_state,
    )
    created: Created = await log.create(new, [row_of(event) for event in events])
    return created.run_id, not created.repeated


def state_of_last(events: Sequence[RunEvent]) -> "RunState.ValueType":
    """Return the state that a run's events end with."""
    return next(event.status_changed.state for event in reversed(events) if event.HasField("status_changed"))


def _events(
    own: Sequence[RunEvent], row: RunRow, run_id: str, principal: str, *, from_start: bool, is_code: bool
) -> Iterator[RunEvent]:
    submitted = RunEvent(status_changed=StatusChanged(state=RUN_STATE_SUBMITTED))
    before = retry_of(own)
    first = "" if from_start else (before.first or before.run) if before is not None else row.id
    is_first, is_parked, waited = True, False, False
    for event in [own[0]] if from_start else _behind(own, is_code=is_code):
        copy = RunEvent()
        copy.CopyFrom(event)
        for name in ("run", "seq", "time", "since"):
            copy.ClearField(name)
        if copy.HasField("message_received"):
            _redirect(copy, row.id, run_id, refers=is_first)
        if copy.HasField("status_changed"):
            is_parked = waited = True
        elif copy.HasField("message_received"):
            is_parked = False
        yield copy
        if is_first:
            yield submitted
            again = RunRetried(run=row.id, first=first, from_start=from_start, principal=principal)
            yield RunEvent(run_retried=again)
            is_first = False
    if waited and not is_parked:
        yield submitted


def _behind(own: Sequence[RunEvent], *, is_code: bool) -> Iterator[RunEvent]:
    """Yield what a run had done, without what a failed attempt at a step had said."""
    kinds = _OF_CODE if is_code else _DONE
    whole = {event.model_answered.artifact_id for event in own if event.HasField("model_answered")}
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "status_changed":
            if event.status_changed.state in INTERRUPTED:
                yield event
        elif kind == "text_appended":
            name = event.text_appended.artifact_id
            if not is_code and (name in whole or not name.startswith(ANSWER)):
                yield event
        elif kind in kinds:
            yield event


def _redirect(event: RunEvent, before: str, run_id: str, *, refers: bool) -> None:
    """Make a message one of the new run, which is not taken for the old one's when it is sent again."""
    received, message = event.message_received, a2a.Message()
    received.message.Unpack(message)
    message.task_id = run_id
    if refers and before not in message.reference_task_ids:
        message.reference_task_ids.append(before)
    received.message.Pack(message)
    received.ClearField("idempotency_key")
    received.ClearField("idempotency_hash")
