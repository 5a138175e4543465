"""What a run shows while it works: committed events in a ring, and text that is not committed yet.

Readers come with a cursor and take what is behind it; none of them can hold up the run.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hector.agent.v1 import RunEvent, TextAppended

RING_BYTES = 1 << 20  # how far a reader may fall behind before it must read the log instead


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a reader has: every event up to `seq`, and `offset` characters of the text of the next."""

    seq: int = 0
    offset: int = 0


class Feed:
    """The live end of one run's log. Written by the run's owner only, read by anybody here."""

    def __init__(self, first_seq: int = 1) -> None:
        self._ring: deque[tuple[RunEvent, int]] = deque()
        self._first, self._size = first_seq, 0
        self._open: TextAppended | None = None
        self._next = first_seq
        self._waiting: set[asyncio.Event] = set()
        self.over = False

    @property
    def first(self) -> int:
        """The oldest event in the ring; what is before it must be read from the log."""
        return self._first

    def publish(self, events: Iterable[RunEvent]) -> None:
        """Show committed events. Open text is among them now, or void."""
        for event in events:
            size = event.ByteSize()
            self._ring.append((event, size))
            self._size += size
            self._next = event.seq + 1
        while self._size > RING_BYTES and len(self._ring) > 1:
            self._size -= self._ring.popleft()[1]
        if self._ring:
            self._first = self._ring[0][0].seq
        self._open = None
        self._wake()

    def show(self, text: TextAppended) -> None:
        """Show all of the text that will be committed as the next event."""
        self._open = text
        self._wake()

    def end(self) -> None:
        """Let readers go once they have read everything."""
        self.over = True
        self._wake()

    def behind(self, cursor: Cursor) -> list[RunEvent]:
        """Return what a reader at `cursor` has not got; the caller has checked `first`."""
        found = []
        for event, _ in self._ring:
            if event.seq <= cursor.seq:
                continue
            rest = rest_of(event, cursor)
            if rest is not None:
                found.append(rest)
        start = cursor.offset if cursor.seq + 1 == self._next else 0
        if self._open is not None and cursor.seq < self._next and len(self._open.text) > start:
            event = RunEvent(seq=self._next, provisional=True, offset=start, text_appended=self._open)
            if start:
                event.text_appended.text = self._open.text[start:]
                event.text_appended.append = True
            found.append(event)
        return found

    async def follow(self, cursor: Cursor) -> AsyncIterator[list[RunEvent]]:
        """Yield what is new behind `cursor`, in batches, until the run is over.

        Ends early when the reader fell so far behind that the ring no longer has what it needs.
        """
        with self._woken() as woken:
            while cursor.seq + 1 >= self._first:
                woken.clear()
                events = self.behind(cursor)
                if events:
                    cursor = after(events[-1])
                    yield events
                elif self.over:
                    return
                else:
                    await woken.wait()

    @contextmanager
    def _woken(self) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()


def after(event: RunEvent) -> Cursor:
    """Return the cursor of a reader that has just got `event`."""
    if event.provisional:
        return Cursor(event.seq - 1, event.offset + len(event.text_appended.text))
    return Cursor(event.seq)


def rest_of(event: RunEvent, cursor: Cursor) -> RunEvent | None:
    """Return a committed event without the text that the reader has seen before it was committed.

    None means that nothing is left: the reader had it all, and there is nothing else to say.
    """
    if not cursor.offset or event.seq != cursor.seq + 1 or event.WhichOneof("event") != "text_appended":
        return event
    left = event.text_appended.text[cursor.offset :]
    if not left and not event.text_appended.last:
        return None
    rest = RunEvent()
    rest.CopyFrom(event)
    rest.offset = cursor.offset
    rest.text_appended.text = left
    rest.text_appended.append = True
    return rest
