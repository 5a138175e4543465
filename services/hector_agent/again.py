"""A message that may have been sent before: starts a run for it, or finds what became of the first one."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import hector_a2a as a2a
from hector_mesh import Call, Context
from hector_store import NewPush

from .agent import Agent
from .beside import NOTHING, Beside
from .errors import RunLost
from .feed import Cursor
from .following import first, updates
from .idempotency import once_of
from .ledger import events_of, state_of, task_of
from .run import Run
from .runs import Runs
from .tail import Reader
from .view import FINAL, INTERRUPTED, SHOWN, fold, new_task, trimmed

OPENING = 2
"""Events that every run begins with, in one commit: the message, and the first state."""


class Again:
    """Takes messages once that have an idempotency key, and others as often as they come."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def started(
        self,
        agent: Agent,
        request: "a2a.SendMessageRequest",
        call: Call,
        context: Context,
        pushes: tuple[NewPush, ...] = (),
        *,
        waits: bool = False,
    ) -> Run | str:
        """Return a run for a message; of one that was sent before, the id of a run that is not at work.

        Raises:
            IdempotencyKeyReused: Its key stands for another message.
            HectorError: It was not accepted; its key is free.
        """
        once = once_of(request, agent.name, context)
        beside = Beside.of(request, context, waits=waits) if agent.handler is not None else NOTHING
        if once is None:
            return await self._runs.start(agent, request.message, call, pushes, beside)
        return await self._runs.start_once(agent, request.message, call, once, pushes, beside)

    async def task(self, call: Call, run: str) -> "a2a.Task":
        """Return what became of a run whose message came again."""
        found = await self._runs.log.story(call.app, call.principal.id, run, SHOWN)
        if found is None:  # its session was deleted in this moment
            raise a2a.TaskNotFound(run)
        if state_of(found[0]) not in FINAL | INTERRUPTED:
            raise RunLost(run)
        return task_of(*found)

    async def replayed(
        self, call: Call, run: str, history_length: int | None
    ) -> AsyncGenerator["a2a.StreamResponse", None]:
        """Show such a run as its first stream showed it."""
        task = await self.task(call, run)
        opening = events_of(await self._runs.log.events(call.app, run, limit=OPENING))
        begun = fold(new_task(run, task.context_id), opening)
        cursor = Cursor(OPENING)
        reader = Reader(self._runs.log, call.app, run, None, cursor)
        shown = first(trimmed(begun, history_length), cursor)
        async with aclosing(updates(reader, task.context_id, shown)) as events:
            async for response in events:
                yield response
