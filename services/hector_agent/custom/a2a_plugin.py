"""An agent that serves A2A: its task is known again after a question, and after our own crash."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from typing import NamedTuple

from grpc import StatusCode
from grpc.aio import AioRpcError

import hector_a2a as a2a
from hector_mesh import current_call, scope, streaming

from .saying import Said
from .turn import Turn

log = logging.getLogger(__name__)

TASK = "task of a plugin"
"""The step under which is kept which task of the plugin's a run of ours is."""
FAILED = (a2a.TASK_STATE_FAILED, a2a.TASK_STATE_REJECTED, a2a.TASK_STATE_CANCELED)
RESTS = (*FAILED, a2a.TASK_STATE_COMPLETED, a2a.TASK_STATE_INPUT_REQUIRED, a2a.TASK_STATE_AUTH_REQUIRED)
"""States in which nothing more comes by itself."""
CANCEL_S = 5.0
"""How long it may take to cancel a task, which nobody waits for."""
_OVER = (StatusCode.FAILED_PRECONDITION, StatusCode.UNIMPLEMENTED, StatusCode.INVALID_ARGUMENT)
"""How servers refuse to show a task that is over."""


class _Theirs(NamedTuple):
    """What the plugin calls our run."""

    task: str = ""
    context: str = ""
    message: str = ""
    """The message of ours that it answers."""


async def asked_by_a2a(agents: "a2a.A2AServiceStub", turn: Turn, tenant: str) -> AsyncIterator[Said]:
    """Ask an agent over A2A, and yield what it says.

    Its context belongs to our session, its task to our run: a run that waited for its user goes on with the
    same task, and one whose process died follows the task that it had begun.

    Args:
        agents: The plugin.
        turn: What is to be answered.
        tenant: Which of the plugin's agents; empty: the only one.
    """
    theirs = _Theirs(*(turn._kept(TASK) or ()))
    if turn.attempt > 1 and theirs.message == turn.message_id:
        task = await agents.GetTask(a2a.GetTaskRequest(tenant=tenant, id=theirs.task))
        if task.status.state not in FAILED:  # what failed is tried again, as a new task
            async with _ending(agents, turn, tenant, theirs.task):
                async for said in _followed(agents, tenant, task):
                    yield said
            return
        theirs = _Theirs(context=theirs.context)
    session = f"a2a:{turn.agent}"[:128]
    message = a2a.Message()
    message.CopyFrom(turn.message)
    # Our own ids mean nothing to it.
    message.task_id = theirs.task if turn.resumes else ""
    message.context_id = theirs.context or str(turn.state.get(session, ""))
    asked = agents.SendStreamingMessage(a2a.SendMessageRequest(tenant=tenant, message=message))
    async with _ending(agents, turn, tenant) as task_of_theirs, streaming(asked) as events:
        async for event in events:
            found = _Theirs(*_ids(event), turn.message_id)
            if found.context and turn.state.get(session) != found.context:
                turn.state[session] = found.context
            if found.task and found != theirs:
                theirs, task_of_theirs[:] = found, [found.task]
                await turn._keep(TASK, list(found))
            for said in _said(event):
                yield said


@asynccontextmanager
async def _ending(
    agents: "a2a.A2AServiceStub", turn: Turn, tenant: str, task: str = ""
) -> AsyncIterator[list[str]]:
    """Cancel its task if ours is cancelled, or has taken too long: it would work on for nobody.

    Yields:
        The task it is at work on, to be changed as soon as it says so.
    """
    theirs = [task]
    try:
        yield theirs
    finally:
        (task,) = theirs
        if turn._run.halted and task:
            ends = a2a.CancelTaskRequest(tenant=tenant, id=task)
            try:
                with scope(replace(current_call.get(), deadline=inf)):  # ours is over
                    await agents.CancelTask(ends, timeout=CANCEL_S)
            except AioRpcError as error:
                facts = {"agent": turn.agent, "task": task, "code": error.code().name}
                log.info("task of a plugin was not cancelled", extra=facts)


async def _followed(agents: "a2a.A2AServiceStub", tenant: str, task: "a2a.Task") -> AsyncIterator[Said]:
    """Yield what a task that was begun earlier has brought, and what it still brings."""
    if task.status.state not in RESTS:
        try:
            asked = agents.SubscribeToTask(a2a.SubscribeToTaskRequest(tenant=tenant, id=task.id))
            async with streaming(asked) as events:
                async for event in events:
                    for said in _said(event):
                        yield said
            return
        except AioRpcError as error:
            if error.code() not in _OVER:
                raise
        task = await agents.GetTask(a2a.GetTaskRequest(tenant=tenant, id=task.id))
    for said in _said(a2a.StreamResponse(task=task)):
        yield said


def _ids(event: "a2a.StreamResponse") -> tuple[str, str]:
    kind = event.WhichOneof("payload")
    if kind is None:
        return "", ""
    payload = getattr(event, kind)
    return (payload.id if kind == "task" else payload.task_id), payload.context_id


def _said(event: "a2a.StreamResponse") -> Iterator[Said]:
    """Yield an event in our words: without their ids, and without states that are not for an agent to say."""
    kind = event.WhichOneof("payload")
    if kind == "message":
        yield from event.message.parts
    elif kind == "task":
        yield from event.task.artifacts
        if event.task.status.state in RESTS:
            yield _status(event.task.status)
    elif kind == "artifact_update":
        update = a2a.TaskArtifactUpdateEvent()
        update.CopyFrom(event.artifact_update)
        update.ClearField("task_id")
        update.ClearField("context_id")
        yield update
    elif kind == "status_update" and event.status_update.status.state in (*RESTS, a2a.TASK_STATE_WORKING):
        status = _status(event.status_update.status)
        if event.status_update.HasField("metadata"):
            status.metadata.CopyFrom(event.status_update.metadata)
        yield status


def _status(said: "a2a.TaskStatus") -> "a2a.TaskStatusUpdateEvent":
    status = a2a.TaskStatusUpdateEvent()
    # That it was cancelled is for our own users to say; to them it has failed.
    cancelled = said.state == a2a.TASK_STATE_CANCELED
    status.status.state = a2a.TASK_STATE_FAILED if cancelled else said.state
    if said.HasField("message") and said.message.parts:
        message = status.status.message
        message.parts.extend(said.message.parts)
        message.role, message.message_id = a2a.ROLE_AGENT, said.message.message_id
    return status
