"""A2A as agents speak it inside the mesh: send, stream, get, cancel, subscribe.

The caller's identity is the call's; a task that is somebody else's is not found.
"""

from collections.abc import AsyncIterator

import hector_a2a as a2a
from hector_a2a.parameters import Parameters
from hector_mesh import Context, current_call

from .again import Again
from .errors import RunLost
from .following import first, updates
from .ledger import task_of
from .listing import list_tasks
from .override import check_override
from .push.push import Push
from .push.servicer import PushServicer
from .roster import Roster
from .run import Run
from .runs import Runs
from .subscriptions import Subscriptions
from .view import SHOWN, trimmed


class A2AServicer(PushServicer):
    """Serves lf.a2a.v1.A2AService."""

    def __init__(self, roster: Roster, runs: Runs, push: Push) -> None:
        super().__init__(roster, push)
        self._again = Again(runs)
        self._roster, self._runs = roster, runs
        self._subscriptions = Subscriptions(runs)

    async def SendMessage(
        self, request: "a2a.SendMessageRequest", context: Context
    ) -> "a2a.SendMessageResponse":
        """Answer whole: wait until the task is over, unless the client asks not to wait."""
        wanted = _history_length(request.configuration, "configuration.")
        run = await self._start(request, context)
        if isinstance(run, str):
            return a2a.SendMessageResponse(
                task=trimmed(await self._again.task(current_call.get(), run), wanted)
            )
        if not request.configuration.return_immediately:
            await run.finished.wait()
            if not run.over:
                raise RunLost(run.place.run)
        response = a2a.SendMessageResponse(task=run.task)  # a copy
        trimmed(response.task, wanted)
        return response

    async def SendStreamingMessage(
        self, request: "a2a.SendMessageRequest", context: Context
    ) -> AsyncIterator["a2a.StreamResponse"]:
        """Answer as it comes: the task first, then what changes."""
        wanted = _history_length(request.configuration, "configuration.")
        run = await self._start(request, context)
        if isinstance(run, str):
            events = self._again.replayed(current_call.get(), run, wanted)
        else:
            events = self._stream(run, wanted)
        async for response in events:
            yield response

    async def GetTask(self, request: "a2a.GetTaskRequest", context: Context) -> "a2a.Task":
        """Return a task as last committed."""
        wanted = _history_length(request)
        task, _ = await self._find(request.id, request.tenant)
        return trimmed(task, wanted)

    async def ListTasks(self, request: "a2a.ListTasksRequest", context: Context) -> "a2a.ListTasksResponse":
        """List the caller's tasks, the latest change first."""
        agent = await self._of_tasks(request.tenant)
        return await list_tasks(self._runs.log, current_call.get(), request, agent)

    async def CancelTask(self, request: "a2a.CancelTaskRequest", context: Context) -> "a2a.Task":
        """Stop a task and everything it started, and return what became of it."""
        task, run = await self._find(request.id, request.tenant)
        if run is None or run.over:
            raise a2a.TaskNotCancelable(request.id, a2a.TaskState.Name(task.status.state))
        await self._runs.cancel(run, "cancelled over A2A")
        if not run.over:
            raise RunLost(run.place.run)
        task, _ = run.snapshot()
        if task.status.state != a2a.TASK_STATE_CANCELED:
            raise a2a.TaskNotCancelable(request.id, a2a.TaskState.Name(task.status.state))
        return task

    async def SubscribeToTask(
        self, request: "a2a.SubscribeToTaskRequest", context: Context
    ) -> AsyncIterator["a2a.StreamResponse"]:
        """Show a task that is not over: as it is, then what changes.

        With Last-Event-ID: as it was where the caller's stream broke off, then what came and comes after.
        """
        place = Parameters.read(context.invocation_metadata()).last_event_id
        agent = await self._of_tasks(request.tenant)
        call = current_call.get()
        async for response in self._subscriptions.subscribed(call, request.id, agent, place):
            yield response

    async def _start(self, request: "a2a.SendMessageRequest", context: Context) -> Run | str:
        message, agent = request.message, self._roster.pick(request.tenant)
        _check(message)
        check_override(agent, message, current_call.get().principal)
        if message.task_id:
            task, _ = await self._find(message.task_id, request.tenant)
            if message.context_id and message.context_id != task.context_id:
                raise a2a.InvalidParams({"message.contextId": "is not the context of that task"})
            state = a2a.TaskState.Name(task.status.state)
            raise a2a.UnsupportedOperation(
                f"task {task.id!r} is {state} and takes no message; "
                "send it without taskId, but with its contextId, to go on with the conversation"
            )
        pushes = self.wanted(request, context)
        return await self._again.started(agent, request, current_call.get(), context, pushes)

    async def _stream(self, run: Run, history_length: int | None) -> AsyncIterator["a2a.StreamResponse"]:
        task, cursor = run.snapshot()
        place = run.place
        yield first(trimmed(task, history_length), cursor)
        async for response in updates(self._runs.log, place.app, place.run, place.context, run.feed, cursor):
            yield response
            if response.status_update.status.state == a2a.TASK_STATE_INPUT_REQUIRED:
                return  # the next word is the client's; credentials come another way

    async def _of_tasks(self, tenant: str) -> str:
        """Return the agent whose tasks are meant; empty: all. Tasks of an agent that is gone are still there.

        Raises:
            AgentNotFound: There is no such agent, and the caller has no tasks of one.
        """
        agent = tenant.rpartition("/")[2]
        if agent and agent not in self._roster.agents:
            call = current_call.get()
            if not (await self._runs.log.list(call.app, call.principal.id, agent=agent, page_size=1)).runs:
                self._roster.pick(agent)
        return agent

    async def _find(self, task_id: str, tenant: str) -> tuple["a2a.Task", Run | None]:
        call = current_call.get()
        owner = call.principal.id
        run = self._runs.live(call.app, owner, task_id)
        agent = await self._of_tasks(tenant)
        if run is not None and (not agent or run.place.agent == agent):
            return run.snapshot()[0], run
        found = await self._runs.log.story(call.app, owner, task_id, SHOWN) if run is None else None
        if found is None or not found[0].is_task or (agent and found[0].agent != agent):
            raise a2a.TaskNotFound(task_id)
        return task_of(*found), None


def _check(message: "a2a.Message") -> None:
    wrong = {}
    if not message.message_id:
        wrong["message.messageId"] = "is required"
    if message.role != a2a.ROLE_USER:
        wrong["message.role"] = "must be ROLE_USER"
    if not message.parts:
        wrong["message.parts"] = "must have at least one part"
    elif not any(part.WhichOneof("content") for part in message.parts):
        wrong["message.parts"] = "must have text, raw, url or data"
    if len(message.context_id) > 128:
        wrong["message.contextId"] = "may have at most 128 characters"
    if wrong:
        raise a2a.InvalidParams(wrong)


def _history_length(asked: "a2a.SendMessageConfiguration | a2a.GetTaskRequest", path: str = "") -> int | None:
    """Return how many messages are wanted; None if nothing is said."""
    if asked.history_length < 0:
        raise a2a.InvalidParams({f"{path}historyLength": "must not be negative"})
    return asked.history_length if asked.HasField("history_length") else None
