"""Readers of a task that was begun elsewhere: from now on, or from where their last stream broke off."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import hector_a2a as a2a
from hector_mesh import Call
from hector_store import RunRow

from .feed import Cursor, Feed, Follower
from .following import as_of, first, place_in, updates
from .ledger import state_of
from .run import Run
from .runs import Runs
from .tail import Reader
from .view import FINAL, INTERRUPTED, TASK_STATES

BROUGHT_UP_S = 0.5
"""How long a stream that broke off inside a text waits for it: twice as long as it stays uncommitted."""


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
        wanted = place_in(place) if place else None
        run = self._live(call, task_id, agent)
        if run is not None and wanted is None:
            task, cursor = run.snapshot()
            reader = Reader(self._runs.log, call.app, task_id, run.feed, cursor)
        else:
            # Before the row is read: whoever takes the run up in between finds the feed, and us, here.
            feed = run.feed if run is not None else self._runs.waiting.feed(task_id)
            row = await self._runs.log.get(call.app, call.principal.id, task_id)
            if row is None or not row.is_task or (agent and row.agent != agent):
                raise a2a.TaskNotFound(task_id)
            if run is not None:
                task, reader = await self._read(row, feed, wanted)
            else:
                task, reader = await self._read_unowned(row, feed, wanted)
        context, opening = task.context_id, first(task, Cursor(reader.seq, reader.offset))
        del task, run
        async with aclosing(updates(reader, context, opening)) as events:
            del opening
            async for responses in events:
                for response in responses:
                    yield response
                del responses, response  # a stream that waits would keep them

    async def _read(self, row: RunRow, feed: Feed | None, wanted: Cursor | None) -> tuple["a2a.Task", Reader]:
        """Return the task as of a place, or as it is, and who reads on from there."""
        log = self._runs.log
        task, cursor = await as_of(log, row, feed, wanted or Cursor(row.next_seq - 1))
        return task, Reader(log, row.app, row.id, feed, cursor)

    async def _read_unowned(
        self, row: RunRow, elsewhere: Feed, wanted: Cursor | None
    ) -> tuple["a2a.Task", Reader]:
        feed = await self._unowned(row, elsewhere, follows_on=wanted is not None)
        if feed is not elsewhere or wanted is None or not wanted.offset:
            return await self._read(row, feed, wanted)
        follower = Follower(Cursor(row.next_seq - 1))
        feed.join(follower)  # from now on the run is followed; only then there is text that is not committed
        try:
            await brought_up(feed, wanted)
            return await self._read(row, feed, wanted)
        finally:
            feed.leave(follower)

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


async def brought_up(feed: Feed, cursor: Cursor) -> None:
    """Wait a moment for the text that a reader has in part, and that is on its way from another process."""
    with suppress(TimeoutError):  # it may be lost: then the reader goes on before it
        async with asyncio.timeout(BROUGHT_UP_S):
            while feed.next == cursor.seq + 1 and not feed.over:
                if feed.open_text is not None and feed.open_text.size >= cursor.offset:
                    return
                await feed.change()
