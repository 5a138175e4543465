"""A run's events from any place on: from the log as far as it must, from the live feed as soon as it can."""

from collections.abc import AsyncIterator, Sequence

from hector.agent.v1 import RunEvent
from hector_store import EventRow, RunLog

from .errors import HistoryPruned
from .feed import BATCH, Cursor, Feed, Shown, rest_of
from .ledger import events_of


async def tail(
    log: RunLog, app: str, run: str, feed: Feed | None, cursor: Cursor
) -> AsyncIterator[list[Shown]]:
    """Yield what is behind `cursor`, in batches and without a gap, until the run is over.

    Args:
        log: Where committed events are.
        app: The run's app.
        run: The run.
        feed: The run's live end, if it is at work in this process or waits here.
        cursor: What the reader has.

    Raises:
        HectorError: HistoryPruned: events behind the cursor are not kept any more. Others: the run's owner
            could not go on.
    """
    while True:
        if feed is None or cursor.seq + 1 < feed.first:
            rows = await log.events(app, run, after=cursor.seq, limit=BATCH)
            check_gap(run, cursor.seq, rows)
            events, cursor = _behind(rows, cursor)
            if events:
                yield events
            if not rows or (feed is None and len(rows) < BATCH):
                return  # all of it, or the run was deleted under the reader
            continue
        events, cursor = feed.behind(cursor)
        if events:
            yield events
        elif not feed.over:
            await feed.change()
        elif feed.failure is not None:
            raise feed.failure
        else:
            return


def check_gap(run: str, seq: int, rows: Sequence[EventRow]) -> None:
    """See that the first of the events behind a place is the next one.

    Raises:
        HistoryPruned: It is not.
    """
    if rows and rows[0].seq > seq + 1:
        raise HistoryPruned(run, seq, rows[0].seq)


def _behind(rows: Sequence[EventRow], cursor: Cursor) -> tuple[list[Shown], Cursor]:
    """Return stored events without what the reader has already, and where it is then."""
    found, offset = [], cursor.offset
    for event in events_of(rows):
        rest: RunEvent | None = event
        if offset:
            rest, offset = rest_of(event, offset)
        if rest is not None:
            found.append(Shown(rest))
    return found, Cursor(rows[-1].seq, offset) if rows else cursor
