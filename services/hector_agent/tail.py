"""A run's events from any place on: from the log as far as it must, from the live feed as soon as it can."""

from collections.abc import AsyncGenerator, Sequence

import hector_a2a as a2a
from hector_store import EventRow, RunLog

from .errors import HistoryPruned
from .feed import BATCH, Cursor, Feed, Follower, Shown
from .ledger import begins, events_of
from .view import SHOWN, fold, new_task


class Reader(Follower):
    """Reads one run, without a gap. Whoever makes one closes it."""

    __slots__ = ("_app", "_feed", "_is_done", "_log", "run")

    def __init__(
        self,
        log: RunLog,
        app: str,
        run: str,
        feed: Feed | None,
        cursor: Cursor,
        *,
        is_mirror: bool = False,
    ) -> None:
        """Begin to read.

        Args:
            log: Where committed events are.
            app: The run's app.
            run: The run.
            feed: The run's live end, if it is at work in this process or waits here.
            cursor: What the reader has.
            is_mirror: It wants committed events whole.
        """
        super().__init__(cursor, is_mirror=is_mirror)
        self._log, self._app, self.run, self._feed = log, app, run, feed
        self._is_done = False
        if feed is not None:
            feed.join(self)

    def close(self) -> None:
        """Leave; nobody else notices."""
        if self._feed is not None:
            self._feed.leave(self)
            self._feed = None

    async def read(self) -> list[Shown]:
        """Return what is new, once there is something; nothing when the run is over.

        Raises:
            HectorError: HistoryPruned: events that the reader wants are not kept any more. Others: the run's
                owner could not go on.
        """
        if self.offset and self._feed is not None:
            await self._feed.rest()
        while not self._is_done:
            feed = self._feed
            if feed is None or self.seq + 1 < feed.first:
                if found := await self._stored():
                    return found
            elif found := feed.behind(self):
                return found
            elif not feed.over:
                if self.is_dismissed:
                    return []
                await feed.change()
            elif feed.failure is not None:
                raise feed.failure
            else:
                self._is_done = True
        return []

    async def shown_before(self, seq: int) -> "a2a.Task":
        """Return the run's task as it was before an event."""
        found = await self._log.story(self._app, None, self.run, SHOWN)
        task = new_task(self.run, "")
        return fold(task, (event for event in events_of(found[1] if found else ()) if event.seq < seq))

    async def _stored(self) -> list[Shown]:
        rows = await self._log.events(self._app, self.run, after=self.seq, limit=BATCH)
        # Nothing more: that is all of it, or the run was deleted under the reader.
        self._is_done = not rows or (self._feed is None and len(rows) < BATCH)
        if not rows:
            return []
        if begins(rows[0]) != self.seq + 1:
            raise HistoryPruned(self.run, self.seq, rows[0].seq)
        found = self._without_what_it_has(rows)
        self.seq = rows[-1].seq
        return found

    def _without_what_it_has(self, rows: Sequence[EventRow]) -> list[Shown]:
        found = []
        for event in events_of(rows):
            rest = self.without(event) if self.offset else event
            if rest is not None:
                found.append(Shown(rest))
        return found


async def tail(
    log: RunLog, app: str, run: str, feed: Feed | None, cursor: Cursor
) -> AsyncGenerator[list[Shown], None]:
    """Yield what is behind `cursor`, in batches and without a gap, until the run is over; see `Reader`."""
    reader = Reader(log, app, run, feed, cursor)
    try:
        while events := await reader.read():
            yield events
    finally:
        reader.close()
