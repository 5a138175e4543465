"""A2A as agents speak it inside the mesh: send, stream, get, cancel, subscribe.

The caller's identity is the call's; a task that is somebody else's is not found.
"""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from typing import Any

import hector_a2a as a2a
from hector_a2a.parameters import Parameters
from hector_mesh import Call, Context, current_call, gives_away
from hector_store import RunRow

from .again import Again, before_its_end
from .beside import Beside
from .commands.commands import Commands
from .errors import RunDoesNotWait, RunLost, RunOver, StillAtWork
from .feed import Cursor
from .following import first, updates
from .idempotency import Earlier, once_of
from .ledger import task_of
from .listing import list_tasks
from .opening import waits
from .override import check_override
from .push.push import Push
from .push.servicer import PushServicer
from .references import check_references
from .roster import Roster
from .run import Run
from .runs import Runs
from .subscriptions import Subscriptions
from .tail import Reader
from .view import INTERRUPTED, SHOWN, trimmed

LOOK_S = 0.05
"""How often it is looked whether a run was written, whose caller has no more time."""


class A2AServicer(PushServicer):
    """Serves lf.a2a.v1.A2AService."""

    def __init__(self, roster: Roster, runs: Runs, push: Push) -> None:
        super().__init__(roster, push)
        self._roster, self._runs, self._commands = roster, runs, Commands(runs, roster)
        self._subscriptions = Subscriptions(runs)
        self._again = Again(runs, self._subscriptions)

    @gives_away
    async def SendMessage(
        self, request: "a2a.SendMessageRequest", context: Context
    ) -> "a2a.SendMessageResponse":
        """Answer whole: wait until the task is over or waits for somebody, unless the client will not wait.

        A plain message is waited for in any case: nothing else could be shown of it.
        """
        wanted = _history_length(request.configuration, "configuration.")
        waits = not request.configuration.return_immediately
        call = current_call.get()
        run = self._start(request, context, call, at_once=waits)
        if not isinstance(run, Run):
            found = await run
            if isinstance(found, Earlier):
                if found.live is None:
                    return await self._again.answer(call, found, wanted, waits=waits)
                found = found.live
            run = found
        if not waits and run.undecided is not None:
            await run.decide()
        if (waits or run.plain) and not await finished(run, call):
            return await self._again.answer(call, Earlier(run.place.run), wanted)
        if run.plain:
            return a2a.SendMessageResponse(message=message_of(run))
        response = a2a.SendMessageResponse(task=run.task)  # a copy
        trimmed(response.task, wanted)
        return response

    async def SendStreamingMessage(  # type: ignore[override]  # the mesh reads what a coroutine returns, too
        self, request: "a2a.SendMessageRequest", context: Context
    ) -> AsyncGenerator[Any, None]:
        """Answer as it comes: the task first, then what changes; or the one message that is the answer.

        What is there at the same time is yielded together, as `CallInterceptor` has it.
        """
        wanted = _history_length(request.configuration, "configuration.")
        call = current_call.get()
        begun = self._start(request, context, call, at_once=True, reads=True)
        run = begun if isinstance(begun, Run) else await begun
        place = Parameters.of(context).last_event_id
        if isinstance(run, Earlier) and run.live is not None and not place:
            run = run.live
        if isinstance(run, Earlier):
            return self._again.replayed(call, run, place, wanted)
        if run.undecided is not None and not run.undecided.is_set():
            try:
                await run.decide()
            except BaseException:
                run.unread()
                raise
        if not run.plain:
            return self._stream(run, wanted)
        run.unread()
        if await finished(run, call):
            return _only(a2a.StreamResponse(message=message_of(run)))
        answer = await self._again.answer(call, Earlier(run.place.run), wanted)
        return _only(a2a.StreamResponse(message=answer.message))

    async def GetTask(self, request: "a2a.GetTaskRequest", context: Context) -> "a2a.Task":
        """Return a task as last committed."""
        wanted = _history_length(request)
        task, _, _ = await self._found(request.id, request.tenant)
        return trimmed(task, wanted)

    async def ListTasks(self, request: "a2a.ListTasksRequest", context: Context) -> "a2a.ListTasksResponse":
        """List the caller's tasks, the latest change first."""
        agent = await self._of_tasks(request.tenant)
        return await list_tasks(self._runs.log, current_call.get(), request, agent)

    async def CancelTask(self, request: "a2a.CancelTaskRequest", context: Context) -> "a2a.Task":
        """Stop a task and everything it started, and return what became of it."""
        call = current_call.get()
        task, _, _ = await self._found(request.id, request.tenant)
        if task.status.state == a2a.TASK_STATE_CANCELED:
            raise a2a.TaskNotCancelable(request.id, a2a.TaskState.Name(task.status.state))
        with suppress(RunOver):  # somebody was faster: the answer says what became of it
            await self._commands.cancel(call, request.id, "cancelled over A2A", only_own=True)
        task, _, _ = await self._found(request.id, request.tenant)
        if task.status.state != a2a.TASK_STATE_CANCELED:
            raise a2a.TaskNotCancelable(request.id, a2a.TaskState.Name(task.status.state))
        return task

    async def SubscribeToTask(  # type: ignore[override]  # as above
        self, request: "a2a.SubscribeToTaskRequest", context: Context
    ) -> AsyncGenerator[Any, None]:
        """Show a task that is not over: as it is, then what changes.

        With Last-Event-ID: as it was where the caller's stream broke off, then what came and comes after.
        """
        place = Parameters.read(context.invocation_metadata()).last_event_id
        agent = await self._of_tasks(request.tenant)
        return self._subscriptions.subscribed(current_call.get(), request.id, agent, place)

    def _start(
        self,
        request: "a2a.SendMessageRequest",
        context: Context,
        call: Call,
        *,
        at_once: bool,
        reads: bool = False,
        is_checked: bool = False,
    ) -> Run | Awaitable[Run | Earlier]:
        """Take a message: return its run where that is at work already, as it is as a rule."""
        message = request.message
        if not is_checked:
            _check(message)
            if message.reference_task_ids or message.task_id:
                return self._start_referring(request, context, call, at_once=at_once, reads=reads)
        agent = self._roster.pick(request.tenant)
        check_override(agent, message, call.principal)
        pushes = self.wanted(request, context)
        return self._again.started(agent, request, call, context, pushes, at_once, reads)

    async def _start_referring(
        self, request: "a2a.SendMessageRequest", context: Context, call: Call, *, at_once: bool, reads: bool
    ) -> Run | Earlier:
        """Take a message that is about tasks, or for one, which have to be looked for."""
        message = request.message
        if message.reference_task_ids:
            await check_references(self._runs.log, call, message)
        if message.task_id:
            return await self._followed_up(request, context)
        begun = self._start(request, context, call, at_once=at_once, reads=reads, is_checked=True)
        return begun if isinstance(begun, Run) else await begun

    async def _followed_up(self, request: "a2a.SendMessageRequest", context: Context) -> Run | Earlier:
        """Take a message for a task that is there already: only one that waits takes any."""
        message, call = request.message, current_call.get()
        task, run, row = await self._found(message.task_id, request.tenant)
        name = run.place.agent if run is not None else row.agent if row else ""
        once = once_of(request, name, context)
        if once is not None:
            earlier = await self._again.followed(call, task.id, once)
            if earlier is not None:
                return earlier
        if message.context_id and message.context_id != task.context_id:
            raise a2a.InvalidParams({"message.contextId": "is not the context of that task"})
        if not (await run.comes_to_wait() if run is not None else waits(row)):
            raise _takes_no_message(task)
        agent = self._roster.pick(name)
        check_override(agent, message, call.principal)
        pushes = self.wanted(request, context)
        try:
            beside = Beside.of(request, context)
            return await self._runs.take_up(agent, task.id, message, call, beside, pushes, once)
        except RunDoesNotWait:
            # Somebody was faster. It may have been the same message.
            earlier = await self._again.followed(call, task.id, once) if once is not None else None
            if earlier is not None:
                return earlier
            task, _, _ = await self._found(message.task_id, request.tenant)
            raise _takes_no_message(task) from None

    def _stream(
        self, run: Run, history_length: int | None
    ) -> AsyncGenerator[list["a2a.StreamResponse"], None]:
        place = run.place
        begun, run.begun = run.begun, None
        if begun is not None:
            task, reader = begun
            cursor = Cursor(reader.seq)
        else:
            task, cursor = run.snapshot()
            reader = Reader(self._runs.log, place.app, place.run, run.feed, cursor)
        return updates(reader, place.context, first(trimmed(task, history_length), cursor), for_sender=True)

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

    async def _found(self, task_id: str, tenant: str) -> tuple["a2a.Task", Run | None, RunRow | None]:
        """Return a task as it is, with the run that is at work on it, or else its row."""
        call = current_call.get()
        owner = call.principal.id
        agent = await self._of_tasks(tenant)
        run, found = self._runs.live(call.app, owner, task_id), None
        if run is None:
            found = await self._runs.log.story(call.app, owner, task_id, SHOWN)
            if found is not None and not (found[0].finished or waits(found[0])):
                run = await self._runs.taken_up(call.app, owner, task_id)
        if run is not None and run.is_task and (not agent or run.place.agent == agent):
            return run.snapshot()[0], run, None
        if run is not None or found is None or not found[0].is_task or (agent and found[0].agent != agent):
            raise a2a.TaskNotFound(task_id)
        return task_of(*found), None, found[0]


async def finished(run: Run, call: Call) -> bool:
    """Wait until a run is over, or waits for somebody; False: it goes on in another process.

    Raises:
        StillAtWork: Its caller will not wait any longer, and has to be told which task there is.
        InvalidAgentResponse: That is what it came to.
        RunLost: It stopped, and how it ended could not be written.
    """
    left_s = call.remaining()
    if left_s is None:
        await run.finished.wait()
    elif not await run.finished.happens_within(before_its_end(left_s)):
        while run.draft is not None and not await run.finished.happens_within(LOOK_S):
            pass  # nobody can be told of a task that may never be there
        if not run.finished.is_set() and not run.plain and run.is_task:
            run.taken_for_task = True
            raise StillAtWork(run.place.run, run.place.context)
        await run.finished.wait()
    if run.draft is not None:
        raise run.failure or RunLost(run.place.run)
    if run.reason == a2a.InvalidAgentResponse.reason:
        raise a2a.InvalidAgentResponse(run.task.status.message.parts[0].text, taskId=run.place.run)
    return run.over or run.state in INTERRUPTED


async def _only(response: "a2a.StreamResponse") -> AsyncGenerator["a2a.StreamResponse", None]:
    yield response


def message_of(run: Run) -> "a2a.Message":
    """Return the plain message that is the answer of a run that is over.

    Raises:
        RunLost: It could not be written.
    """
    if run.answer is None:
        raise RunLost(run.place.run)
    return run.answer


def _takes_no_message(task: "a2a.Task") -> a2a.UnsupportedOperation:
    return a2a.UnsupportedOperation(
        f"task {task.id!r} is {a2a.TaskState.Name(task.status.state)} and takes no message; "
        "send it without taskId, but with its contextId, to go on with the conversation"
    )


def _check(message: "a2a.Message") -> None:
    parts = message.parts
    is_well = message.message_id and message.role == a2a.ROLE_USER and len(message.context_id) <= 128
    if is_well and parts and parts[0].WhichOneof("content"):
        return
    wrong = {}
    if not message.message_id:
        wrong["message.messageId"] = "is required"
    if message.role != a2a.ROLE_USER:
        wrong["message.role"] = "must be ROLE_USER"
    if not parts:
        wrong["message.parts"] = "must have at least one part"
    elif not any(part.WhichOneof("content") for part in parts):
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
