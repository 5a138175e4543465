"""A message that may have been sent before: starts a run for it, or finds what became of the first one."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing

import hector_a2a as a2a
from hector_mesh import Call, Context
from hector_store import EventRow, NewPush, RunRow

from .agent import Agent
from .beside import NOTHING, Beside
from .errors import StillAtWork
from .following import place_in
from .idempotency import Earlier, Once, heard, once_of
from .ledger import events_of, state_of, task_of
from .packing import unpack
from .run import Run
from .runs import Runs
from .subscriptions import Subscriptions
from .view import FINAL, INTERRUPTED, SHOWN, trimmed

EARLIER_S, EARLIER = 0.25, 0.05
"""By so much, or by this share of its time, a caller is answered before its time is over."""
_TOLD = SHOWN | {"message_sent"}


class Again:
    """Takes messages once that have an idempotency key, and others as often as they come."""

    def __init__(self, runs: Runs, subscriptions: Subscriptions) -> None:
        self._runs, self._subscriptions = runs, subscriptions

    def started(
        self,
        agent: Agent,
        request: "a2a.SendMessageRequest",
        call: Call,
        context: Context,
        pushes: tuple[NewPush, ...],
        at_once: bool,
        reads: bool,
    ) -> Run | Awaitable[Run | Earlier]:
        """Return a run for a message, or what became of it when it was sent before: at once where it can be.

        Raises:
            IdempotencyKeyReused: Its key stands for another message.
            HectorError: It was not accepted; its key is free.
        """
        once, beside = once_of(request, agent.name, context), NOTHING
        if agent.handler is not None:
            beside = Beside.of(request, context, at_once, reads)
            if at_once and not (reads or pushes or once):
                run = self._runs.start_at_once(agent, request.message, call, beside)
                if run is not None:
                    return run
        if once is None:
            return self._runs.start(agent, request.message, call, pushes, beside)
        return self._runs.start_once(agent, request.message, call, once, pushes, beside)

    async def followed(self, call: Call, task_id: str, once: Once) -> Earlier | None:
        """Return what became of a message for a task that was there already; None: it is new.

        Raises:
            IdempotencyKeyReused: Its key stands for another message for the task.
        """
        app, owner = call.app, call.principal.id
        seq = await heard(self._runs.log, app, owner, task_id, once)
        return Earlier(task_id, await self._runs.taken_up(app, owner, task_id), seq + 1) if seq else None

    async def answer(
        self, call: Call, earlier: Earlier, history_length: int | None, *, waits: bool = True
    ) -> "a2a.SendMessageResponse":
        """Return the answer to a message whose run is not at work here: it is over, waits, or is elsewhere.

        Args:
            call: Who asks.
            earlier: What became of the message.
            history_length: How many messages the answer may have.
            waits: The client wants the end, or what the run waits for. A plain message is waited for in any
                case.

        Raises:
            StillAtWork: The caller will not wait any longer.
        """
        row, events = await self._told(call, earlier.run)
        if state_of(row) not in FINAL | INTERRUPTED and (waits or not row.is_task):
            await self._settled(call, row)
            row, events = await self._told(call, earlier.run)
        if not row.is_task:
            return a2a.SendMessageResponse(message=_sent(events))
        shown = [event for event in events if event.kind in SHOWN]
        return a2a.SendMessageResponse(task=trimmed(task_of(row, shown), history_length))

    async def _told(self, call: Call, run: str) -> tuple[RunRow, Sequence[EventRow]]:
        found = await self._runs.log.story(call.app, call.principal.id, run, _TOLD)
        if found is None:  # its session was deleted in this moment
            raise a2a.TaskNotFound(run)
        return found

    async def _settled(self, call: Call, row: RunRow) -> None:
        """Wait until a run that another process works on is over, or waits for somebody."""
        left_s = call.remaining() if row.is_task else None
        try:
            async with asyncio.timeout(None if left_s is None else before_its_end(left_s)):
                await self._runs.waiting.settled(row.id)
        except TimeoutError:
            raise StillAtWork(row.id, row.context_id) from None

    async def replayed(
        self, call: Call, earlier: Earlier, place: str, history_length: int | None
    ) -> AsyncGenerator["a2a.StreamResponse", None]:
        """Show a run as its first stream showed it.

        Args:
            call: Who asks.
            earlier: What became of the message.
            place: Where the client's stream broke off (Last-Event-ID); empty: from the beginning.
            history_length: How many messages the first event may have.
        """
        row = await self._runs.log.get(call.app, call.principal.id, earlier.run)
        if row is not None and not row.is_task and earlier.live is None:
            answer = await self.answer(call, earlier, history_length)
            yield a2a.StreamResponse(message=answer.message)
            return
        after = place if place and place_in(place).seq >= earlier.after else str(earlier.after)
        events = self._subscriptions.subscribed(call, earlier.run, "", after)
        async with aclosing(events):
            async for response in events:
                if response.HasField("task"):
                    trimmed(response.task, history_length)
                yield response
                if response.status_update.status.state == a2a.TASK_STATE_INPUT_REQUIRED:
                    return  # as every stream of a send


def before_its_end(left_s: float) -> float:
    """Return how long a call waits that has so much time left: its caller must hear if there is no answer."""
    return left_s - min(EARLIER_S, left_s * EARLIER)


def _sent(events: Sequence[EventRow]) -> "a2a.Message":
    message = a2a.Message()
    for event in events_of(events):
        if event.WhichOneof("event") == "message_sent":
            unpack(event.message_sent.message, message)
    return message
