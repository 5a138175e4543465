"""What a run shows while it works: committed events in a ring, and text that is not committed yet.

Readers come with the place they are at and take what is behind it; none of them can hold up the run. The ring
holds what one of them has not got yet: without readers it is empty.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hector.agent.v1 import RunEvent
from hector_mesh import HectorError

from .growing import OpenText

RING_BYTES = 1 << 20
"""How far a reader may fall behind before it must read the log instead."""
KEPT_BYTES = 16 * 1024
"""What the ring may hold that everybody has got: it is not looked through for less."""
EVENT_BYTES = 600
"""What an event takes beside its content: many small ones must not take more than a few large ones."""
BATCH = 500
"""Events that a reader takes at once."""
ROUNDS = 8
"""Rounds of the event loop between two looks of a reader at text that grows: what is said in them is one
event for it, and not one for each word. Where nothing else is done they take some 0.01 ms."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a reader has: every event up to `seq`, and `offset` characters of the text behind it."""

    seq: int = 0
    offset: int = 0


class Follower:
    """A reader, with the place it is at: what a `Cursor` says, as it moves on."""

    __slots__ = ("artifact", "is_dismissed", "is_mirror", "offset", "seq", "void")

    def __init__(self, cursor: Cursor, *, is_mirror: bool = False) -> None:
        self.seq, self.offset = cursor.seq, cursor.offset
        self.is_dismissed = False
        """It has all that it will get, once it has read what is there."""
        self.artifact = ""
        """Whose the text is of which it has `offset` characters."""
        self.is_mirror = is_mirror
        """It wants committed events whole, whatever it has of their text."""
        self.void = ""
        """The artifact whose last text it has in vain: what came in the text's place was read just now."""

    def without(self, event: RunEvent) -> RunEvent | None:
        """Return a committed event without the text that this reader has of it; None: it has it all."""
        if self.is_mirror:
            self.offset = 0
            return event
        if event.WhichOneof("event") != "text_appended":  # the text was lost, with whoever worked on the run
            self.offset, self.void = 0, self.artifact
            return event
        rest, self.offset = rest_of(event, self.offset)
        return rest


class Shown:
    """An event as readers get it, with what is made of it for them: once, however many they are."""

    __slots__ = ("event", "made")

    def __init__(self, event: RunEvent) -> None:
        self.event = event
        self.made: Any = None
        """None: it is not made yet, or there is nothing to make of it."""


class Feed:
    """The live end of one run's log. Written by the run's owner only, read by anybody here."""

    def __init__(self, first_seq: int = 1) -> None:
        self._ring: list[Shown] = []
        self.first = first_seq
        """The oldest event in the ring; what is before it must be read from the log."""
        self.next = first_seq
        """The event that will be committed next; its text may be shown already."""
        self._size_bytes = 0
        self._open: OpenText | None = None
        self._pieces: dict[tuple[int, int], Shown] = {}
        """What is left of a text for readers who have its beginning, by place: most have the same."""
        self._followers: list[Follower] = []
        self._waiting: set[asyncio.Future[None]] = set()
        self._resting: tuple[asyncio.Future[None], ...] = ()
        """Readers who have just got text, and let more of it come together."""
        self.watched: Callable[[bool], None] | None = None
        """Is told when there are readers, and when there are none any more."""
        self.over = False
        self.failure: HectorError | None = None
        """What readers are told at the end; None: that was all."""

    @property
    def size_bytes(self) -> int:
        """What the ring is counted to take; at most RING_BYTES, or one event."""
        return self._size_bytes

    @property
    def readers(self) -> int:
        """How many wait for something to happen."""
        return len(self._waiting)

    @property
    def followers(self) -> int:
        """How many there are."""
        return len(self._followers)

    @property
    def open_text(self) -> OpenText | None:
        """All of the text that will be committed as the next event, as far as it was shown."""
        return self._open

    def join(self, follower: Follower) -> None:
        """Keep from now on what a reader has not got."""
        if follower.offset and self._open is not None and follower.seq + 1 == self.next:
            follower.artifact = self._open.artifact_id
        self._followers.append(follower)
        if self.watched is not None:
            self.watched(True)

    def leave(self, follower: Follower) -> None:
        """Keep nothing for it any more."""
        self._followers.remove(follower)
        if not self._followers:
            self._forget()
            if self.watched is not None:
                self.watched(False)

    def begin(self, next_seq: int) -> None:
        """Go on behind events that were not shown here: who has not got them reads the log."""
        if next_seq > self.next:
            self._open, self.next = None, next_seq
            self._forget()
            self._wake()

    def publish(self, events: Sequence[RunEvent]) -> None:
        """Show committed events. Open text is among them now, or void.

        Some may have been read from the log already, by who came between their commit and this: see `begin`.
        """
        self._open = None
        if events and events[0].seq < self.next:
            events = [event for event in events if event.seq >= self.next]
        if events:
            self.next = events[-1].seq + 1
        if not self._followers:
            self._forget()
            return
        self._ring += map(Shown, events)
        self._size_bytes += sum(map(RunEvent.ByteSize, events)) + len(events) * EVENT_BYTES
        if self._size_bytes > KEPT_BYTES:
            self._trim()
        if self._pieces:
            self._pieces.clear()
        self._wake()

    def show(self, text: OpenText) -> None:
        """Show all of the text that will be committed as the next event; again when it has grown."""
        self._open = text
        if self._pieces:
            self._pieces.clear()
        if self._waiting:
            self._wake_waiting()

    def end(self, failure: HectorError | None = None) -> None:
        """Let readers go once they have read everything; a failure says why it is not all."""
        self.over, self.failure = True, failure
        self._wake()

    def dismiss_mirrors(self) -> None:
        """Let other processes go: the run is not at work here any more, and so no concern of ours."""
        for follower in self._followers:
            follower.is_dismissed = follower.is_mirror
        self._wake()

    def behind(self, follower: Follower) -> list[Shown]:
        """Return what a reader has not got, as far as one batch goes, and move it on.

        The caller has checked `first`.
        """
        seq, offset, ring = follower.seq, follower.offset, self._ring
        if seq + 1 == self.next:
            if self._open is None:
                return []
            found = []
        else:
            start = seq + 1 - self.first
            found = ring[start : start + BATCH]
            seq += len(found)
        if offset:
            found = self._rests(found, follower)
            offset = follower.offset
        if seq + 1 == self.next:
            text = self._open
            if text is not None and text.size > offset:
                found.append(self._piece(text, offset))
                if not offset:
                    follower.artifact = text.artifact_id
                offset = text.size
            if ring and len(self._followers) == 1:
                self._forget()
        follower.seq, follower.offset = seq, offset
        return found

    async def change(self) -> None:
        """Wait until there may be something new, or the run is over."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)

    async def rest(self) -> None:
        """Let more of the open text come together: for a few rounds of the loop, or until it is committed."""
        if self._open is None or self.over:
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        if not self._resting:
            loop.call_soon(self._count, loop, waiter, ROUNDS)
        self._resting = (*self._resting, waiter)
        await waiter

    def _count(self, loop: asyncio.AbstractEventLoop, first: "asyncio.Future[None]", rounds: int) -> None:
        """Wake those who rest when the first of them has done so for long enough."""
        if not self._resting or self._resting[0] is not first:
            return
        if rounds > 1:
            loop.call_soon(self._count, loop, first, rounds - 1)
        else:
            self._wake_resting()

    def _forget(self) -> None:
        """Empty the ring: everybody has what is in it, or reads the log."""
        self.first = self.next
        if self._pieces:
            self._pieces.clear()
        if self._ring:
            self._ring.clear()
            self._size_bytes = 0

    def _trim(self) -> None:
        """Drop what everybody has got, and what is too much."""
        ring, least, gone = self._ring, min(follower.seq for follower in self._followers), 0
        while gone < len(ring) - 1 and (self._size_bytes > RING_BYTES or ring[gone].event.seq <= least):
            self._size_bytes -= ring[gone].event.ByteSize() + EVENT_BYTES
            gone += 1
        del ring[:gone]
        self.first = ring[0].event.seq

    def _wake(self) -> None:
        if self._waiting:
            self._wake_waiting()
        if self._resting:
            self._wake_resting()

    def _wake_waiting(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _wake_resting(self) -> None:
        resting, self._resting = self._resting, ()
        for waiter in resting:
            if not waiter.done():
                waiter.set_result(None)

    def _piece(self, text: OpenText, offset: int) -> Shown:
        """Return the open text from an offset on."""
        known = self._pieces.get((self.next, offset))
        if known is None:
            event = RunEvent()
            event.seq, event.provisional, event.offset = self.next, True, offset
            more = event.text_appended
            more.artifact_id, more.text = text.artifact_id, text.text[offset:]
            more.append = text.append or offset > 0
            known = Shown(event)
            self._pieces[self.next, offset] = known
        return known

    def _rests(self, shown: list[Shown], follower: Follower) -> list[Shown]:
        """Return events without the text that a reader has of them."""
        found: list[Shown] = []
        for index, one in enumerate(shown):
            if not follower.offset:
                return found + shown[index:]
            rest = self._rest(one, follower)
            if rest is not None:
                found.append(rest)
        return found

    def _rest(self, shown: Shown, follower: Follower) -> Shown | None:
        event, offset = shown.event, follower.offset
        if not follower.is_mirror:
            known = self._pieces.get((event.seq, offset))
            if known is not None:
                follower.offset = 0
                return known
        rest = follower.without(event)
        if rest is None or rest is event:
            return None if rest is None else shown
        known = self._pieces[event.seq, offset] = Shown(rest)
        return known


def rest_of(event: RunEvent, offset: int) -> tuple[RunEvent | None, int]:
    """Return a committed event without the text its reader has already, and what the reader has beyond it.

    None means that nothing is left: the reader has it all, and there is nothing else to say. Text that was
    shown as one can be committed as two, when nobody could tell whether the first half was written.
    """
    if not offset or event.WhichOneof("event") != "text_appended":
        return event, 0
    text = event.text_appended.text
    if offset >= len(text) and not event.text_appended.last:
        return None, offset - len(text)
    rest = RunEvent()
    rest.CopyFrom(event)
    rest.offset = min(offset, len(text))
    rest.text_appended.text = text[offset:]
    rest.text_appended.append = True
    return rest, 0
