"""How runs come to be, and come back: written down first, with the message that they answer."""

from collections.abc import Callable, Sequence

from google.protobuf.json_format import ParseDict

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_SUBMITTED,
    RUN_STATE_WORKING,
    RunEvent,
    RunState,
    StatusChanged,
)
from hector_mesh import Call, HectorError
from hector_store import Created, NewEvent, NewPush, NewRun, RunLog, RunRow, new_id
from hector_store.errors import ContextBusy

from .agent import Agent
from .beside import Beside
from .elsewhere import Elsewhere
from .feed import Cursor
from .idempotency import OPENING, Once
from .lease import Lease
from .ledger import events_of, state_of
from .moment import IN_DOUBT, Also, Place
from .packing import pack
from .rows import row_of, set_time
from .run import Run
from .sessions.errors import TurnInProgress
from .tail import Reader
from .view import INTERRUPTED, NAMES, TASK_STATES, fold, listed, new_task

WAITING = frozenset(NAMES[state] for state in INTERRUPTED)
"""States of runs that wait for somebody, as their rows have them."""
_BEGINNING = {
    state: row_of(RunEvent(status_changed=StatusChanged(state=state)))
    for state in (RUN_STATE_SUBMITTED, RUN_STATE_WORKING)
}
"""What the log says first of how a run is."""


async def opened(
    log: RunLog,
    lease: Lease,
    agent: Agent,
    task: "a2a.Task",
    call: Call,
    beside: Beside,
    once: Once | None,
    pushes: Sequence[NewPush],
    *,
    new_context: bool,
    waits: bool,
) -> Run | str:
    """Write a run down, and return it; the id of another one that has its key already.

    Args:
        log: Where.
        lease: Under which it is owned.
        agent: Whose run it is.
        task: Its task, as `task_for` makes it.
        call: Who asks.
        beside: What the client says beside the message.
        once: The key under which it is to be taken once.
        pushes: Who is to be told of it.
        new_context: The context has no other run.
        waits: Other runs of its context come first.

    Raises:
        TurnInProgress: One of those is at work, and the agent takes one at a time.
    """
    state = RUN_STATE_SUBMITTED if waits else RUN_STATE_WORKING
    pushes = named(pushes, task.id) if pushes else ()
    new, rows = _drafted(lease, agent, task, call, beside, once, pushes, new_context, state)
    is_picky = agent.config.concurrent_turns == "reject" and not new_context
    new = new._replace(view=listed(task), context_rule="idle" if is_picky else "")
    try:
        created = await _created(log, new, rows)
    except ContextBusy as busy:
        raise TurnInProgress(task.context_id, agent.name, busy.facts["run"]) from None
    if created.repeated:
        return created.run_id
    set_time(task.status.timestamp, created.time_us)
    run = _run(log, lease, new, task, created.context_position, created.epoch)
    run.state = state
    return run


async def _created(log: RunLog, new: NewRun, rows: Sequence[NewEvent]) -> Created:
    try:
        return await log.create(new, rows)
    except HectorError as error:
        if error.reason != IN_DOUBT:
            raise
        try:
            row = await log.get(new.app, new.owner, new.id)
        except HectorError:
            raise error from None  # nobody can tell yet
        if row is None:
            raise
        # It is there, and nobody else would work on it.
        position, last = row.context_position or 0, row.next_seq - 1
        return Created(row.id, position, row.epoch, last, row.created_time_us, repeated=False)


def task_for(message: "a2a.Message") -> "a2a.Task":
    """Return the task of a new run: it begins with a copy of the message that it answers."""
    task = a2a.Task(id=new_id(), context_id=message.context_id or new_id())
    told = task.history.add()
    told.CopyFrom(message)
    told.task_id, told.context_id = task.id, task.context_id
    return task


def unwritten(
    log: RunLog, lease: Lease, agent: Agent, message: "a2a.Message", call: Call, beside: Beside
) -> Run:
    """Return the first run of a new context, which is written with the first thing that happens in it.

    Nobody hears of it before that. Where its agent answers without waiting for anything, all of it is one
    commit.
    """
    task = task_for(message)
    new, rows = _drafted(lease, agent, task, call, beside, None, (), True, RUN_STATE_WORKING)
    run = _run(log, lease, new, task, 1, 1)
    run.state, run.draft = RUN_STATE_WORKING, (new, rows)
    if beside.reads:
        begun = a2a.Task()
        begun.CopyFrom(task)
        run.begun = begun, Reader(log, new.app, new.id, run.feed, Cursor(len(rows)))
    return run


def _run(log: RunLog, lease: Lease, new: NewRun, task: "a2a.Task", position: int, epoch: int) -> Run:
    place = Place(new.id, new.app, new.owner, new.agent, new.context_id, position, epoch)
    run = Run(log, place, task, OPENING + 1)
    run.is_task, run.lease = new.is_task, lease
    return run


def _drafted(
    lease: Lease,
    agent: Agent,
    task: "a2a.Task",
    call: Call,
    beside: Beside,
    once: Once | None,
    pushes: tuple[NewPush, ...],
    new_context: bool,
    state: "RunState.ValueType",
) -> tuple[NewRun, list[NewEvent]]:
    """Return a run as it is written down, with its first events, of which its task knows."""
    rows = [row_of(received(task.history[0], call, beside, once)), _BEGINNING[state]]
    task.status.state = TASK_STATES[state]
    new = NewRun(
        id=task.id,
        app=call.app,
        owner=call.principal.id,
        agent=agent.name,
        context_id=task.context_id,
        new_context=new_context,
        state=NAMES[state],
        is_task=not agent.answers_plainly,
        revision=agent.revision or call.revision,
        priority=agent.config.priority,
        worker=lease.worker,
        pushes=pushes,
    )
    if once is not None:
        new = new._replace(idempotency_key=once.name, idempotency_hash=once.hash)
    return new, rows


async def reopened(
    log: RunLog,
    lease: Lease,
    waiting: Elsewhere,
    row: RunRow,
    why: Sequence[RunEvent],
    told: Callable[[str], None] | None,
    failed: Callable[[int], None],
    pushes: Sequence[NewPush] = (),
) -> tuple[Run, list[RunEvent]]:
    """Take up a run that waits for somebody, and write down why; return it with its events before that.

    Args:
        log: Where it is written.
        lease: Under which it is taken up.
        waiting: Where its readers are.
        row: The run as it waits.
        why: What happened that it goes on, or ends.
        told: Is told of each commit.
        failed: Is told under which epoch it was taken, if what happened could not be written.
        pushes: Who else is to be told of it.

    Raises:
        HectorError: RUN_FENCED: somebody else took it up.
    """
    epoch = await log.take_over(row.id, lease.worker, if_epoch=row.epoch, if_worker="")
    try:
        before = events_of(await log.events(row.app, row.id))
        run = owned(log, lease, waiting, row, epoch, before, told)
        await committed(run, why, named(pushes, row.id))
    except BaseException:
        waiting.left(row.id)
        failed(epoch)
        raise
    waiting.taken(row.id)
    return run, before


def owned(
    log: RunLog,
    lease: Lease,
    waiting: Elsewhere,
    row: RunRow,
    epoch: int,
    own: Sequence[RunEvent],
    told: Callable[[str], None] | None,
) -> Run:
    """Return a run that is this worker's by its row, with its events so far; `taken` or `left` comes next."""
    place = Place(row.id, row.app, row.owner, row.agent, row.context_id, row.context_position, epoch)
    task = fold(new_task(row.id, row.context_id), own)
    next_seq = own[-1].seq + 1 if own else row.next_seq
    run = Run(log, place, task, next_seq, waiting.take(row.id, next_seq))
    run.state, run.is_task, run.committed, run.lease = state_of(row), row.is_task, told, lease
    return run


async def committed(run: Run, events: Sequence[RunEvent], pushes: Sequence[NewPush] = ()) -> None:
    """Write why a run goes on here. If nobody can tell whether that was written, find out.

    Raises:
        HectorError: It was not.
    """
    try:
        await run.commit(events, also=Also(pushes=pushes) if pushes else None)
    except HectorError as error:
        if error.reason != IN_DOUBT:
            raise
        await run.commit(())  # finds out: nobody else would go on with it
        if run.parked:
            raise


def named(pushes: Sequence[NewPush], run: str) -> tuple[NewPush, ...]:
    """Return push configs of a run; one that has no name gets the run's."""
    return tuple(push if push.id else push._replace(id=run) for push in pushes)


def waits(row: RunRow | None) -> bool:
    """Return whether a run waits for somebody."""
    return row is not None and row.state in WAITING


def received(message: "a2a.Message", call: Call, beside: Beside, once: Once | None) -> RunEvent:
    """Return what the log says of a message that came in, to be taken once if it has a key.

    And of who sent it, and what was said beside it: whoever takes the run over knows as much.
    """
    event = RunEvent()
    said = event.message_received
    pack(said.message, message)
    if call.principal.roles:
        said.roles.extend(sorted(call.principal.roles))
    if beside.metadata:
        ParseDict(dict(beside.metadata), said.request_metadata)
    if beside.extensions:
        said.extensions.extend(beside.extensions)
    if beside.output_modes:
        said.output_modes.extend(beside.output_modes)
    if once is not None:
        event.message_received.idempotency_key = once.name
        event.message_received.idempotency_hash = once.hash
    return event
