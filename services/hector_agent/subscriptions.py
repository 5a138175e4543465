"""Readers of a task that was begun elsewhere: from now on, or from where their last stream broke off."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import hector_a2a as a2a
from hector_mesh import Call
from hector_store import RunRow

from .feed import Cursor, Feed
from .following import as_of, first, place_in, updates
from .ledger import state_of
from .run import Run
from .runs import Runs
from .tail import Reader
from .view import FINAL, INTERRUPTED, TASK_STATES


class Subscriptions:
    """Shows tasks to those who may see them."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def subscribed(
        self, call: Call, task_id: str, agent: str, place: str
    ) -> AsyncGenerator["a2a.StreamResponse", None]:
        """Yield a task and what changes, until it is over.

        Args:
            call: Who asks.
            task_id: Which task.
            agent: Only if it is this one's; empty: whosever.
            place: Where the caller's last stream broke off; empty: it has seen nothing, and wants to see no
                task that is over.

        Raises:
            HectorError: InvalidParams: there is no such place. HistoryPruned: there is none any more.
                UnsupportedOperation: the task is over. TaskNotFound.
        """
        log, wanted = self._runs.log, place_in(place) if place else None
        run = self._live(call, task_id, agent)
        if run is not None and wanted is None:
            feed: Feed | None = run.feed
            task, cursor = run.snapshot()
        else:
            # Before the row is read: whoever takes the run up in between finds the feed, and us, here.
            feed = run.feed if run is not None else self._runs.waiting.feed(task_id)
            row = await log.get(call.app, call.principal.id, task_id)
            if row is None or not row.is_task or (agent and row.agent != agent):
                raise a2a.TaskNotFound(task_id)
            if run is None:
                feed = await self._unowned(row, feed, follows_on=wanted is not None)
            task, cursor = await as_of(log, row, feed, wanted or Cursor(row.next_seq - 1))
        context, opening = task.context_id, first(task, cursor)
        del task, run
        reader = Reader(log, call.app, task_id, feed, cursor)
        async with aclosing(updates(reader, context, opening)) as events:
            del opening
            async for response in events:
                yield response

    async def _unowned(self, row: RunRow, elsewhere: Feed, *, follows_on: bool) -> Feed | None:
        """Return where to see what comes of a run that nobody here works on; None: nothing will."""
        state = state_of(row)
        if state in FINAL and follows_on:
            return None
        if state in FINAL:
            shown = a2a.TaskState.Name(TASK_STATES[state])
            raise a2a.UnsupportedOperation(f"task {row.id!r} is over ({shown}); GetTask returns it whole")
        if state not in INTERRUPTED:  # it may have been taken up just now
            run = await self._runs.taken_up(row.app, row.owner, row.id)
            if run is not None:
                return run.feed
        elsewhere.begin(row.next_seq)
        return elsewhere

    def _live(self, call: Call, task_id: str, agent: str) -> Run | None:
        run = self._runs.live(call.app, call.principal.id, task_id)
        if run is not None and agent and run.place.agent != agent:
            raise a2a.TaskNotFound(task_id)
        return run
