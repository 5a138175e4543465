"""A run's events from any place on: from the log as far as it must, from the live feed as soon as it can."""

from collections.abc import AsyncIterator

from hector.agent.v1 import RunEvent
from hector_store import RunLog

from .feed import Cursor, Feed, after, rest_of
from .ledger import events_of

BATCH = 500  # events read from the log at once


async def tail(
    log: RunLog, app: str, run: str, feed: Feed | None, cursor: Cursor
) -> AsyncIterator[list[RunEvent]]:
    """Yield what is behind `cursor`, in batches and without a gap, until the run is over.

    Args:
        log: Where committed events are.
        app: The run's app.
        run: The run.
        feed: The run's live end, if it is at work in this process.
        cursor: What the reader has.
    """
    while True:
        if feed is None or cursor.seq + 1 < feed.first:
            rows = await log.events(app, run, after=cursor.seq, limit=BATCH)
            events = [rest for event in events_of(rows) if (rest := rest_of(event, cursor)) is not None]
            if rows:
                cursor = Cursor(rows[-1].seq)
            if events:
                yield events
            if not rows or (feed is None and len(rows) < BATCH):
                return  # all of it, or the run was deleted under the reader
            continue
        async for events in feed.follow(cursor):
            cursor = after(events[-1])
            yield events
        if cursor.seq + 1 >= feed.first:
            return
