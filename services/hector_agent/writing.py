"""Writes one run: what happens is committed first, and shown after.

The text of the model call in progress is the exception. It is shown at once as provisional, and
committed every quarter of a second and with whatever happens next.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import hector_a2a as a2a
from hector.agent.v1 import RunEvent, RunState, TextAppended
from hector_mesh import HectorError
from hector_store import NOTHING_KEPT, Appended, Created, Kept, NewEvent, NewRun, RunChanges

from .errors import RunLost, RunOver
from .growing import OpenText
from .moment import IN_DOUBT, NOTHING_ELSE, Also, Late, changes_of
from .rows import event_of, kinds_of, place_all, rows_of, set_time
from .sessions.scopes import CHANGING, KEPT, kept_of, lasting
from .showing import RunShown
from .view import FINAL, TOLD, artifact_ids, listed, state_of, told_after

if TYPE_CHECKING:
    from .lease import Lease
    from .tail import Reader

NO_CHANGES = RunChanges()
FLUSH_S = 0.25  # how long shown text may stay uncommitted
FLUSH_AGAIN_S = 1.0  # and how long until it is tried again, if the database would not take it
FLUSH_CHARS = 32 * 1024  # how much of it
OPENING_ROUNDS = 3
"""Rounds of the event loop that do not count as waiting, as of `asyncio.sleep(0)`."""


class RunWriter(RunShown):
    """Writes the events of a run that this process owns. Nobody else does."""

    _latest: asyncio.Task[None] | None = None
    """The write that was begun last, while it is under way; one follows the other."""
    _is_writing = False
    _doubted_chars: int | None = None  # of the open text, that may be in the log; None: no doubt
    _flushing: asyncio.TimerHandle | None = None
    _opening: asyncio.Handle | None = None
    committed: Callable[[str], None] | None = None
    """Told the run whenever it goes on."""
    draft: tuple[NewRun, Sequence[NewEvent]] | None = None
    """The run and its first events, where they are not written yet: they are, with whatever is."""
    opened: Callable[[], None] | None = None
    """Is told when the draft is written."""
    begun: "tuple[a2a.Task, Reader] | None" = None
    """The task as it began, and who reads on from there; for whoever asked for the run."""
    is_task = True
    """A2A knows it as a task."""
    is_lost = False
    """It is somebody else's, or may be: nothing is written any more."""
    lease: "Lease | None" = None
    """Under which it is written; None: it is nobody else's in any case."""

    @property
    def cannot_write(self) -> bool:
        """Somebody else may have the run by now, and nothing is written of it here any more."""
        return self.is_lost or (self.lease is not None and self.lease.is_lost)

    def show(self, artifact_id: str, text: str, *, begun: bool = False) -> None:
        """Append to the answer: seen at once, committed soon. `begun`: its artifact is there."""
        if self.state in FINAL:  # whoever says it was left behind
            return
        if self._open is None:
            # Its first piece may still be on its way to the log, and so not be in the task yet.
            known = not self.takes_back(artifact_id) and (
                begun or artifact_id == self._growing or artifact_id in artifact_ids(self._live.whole)
            )
            self._open = OpenText(artifact_id, text, append=known)
            self._growing = artifact_id
        else:
            self._open.add(text)
        if not self._is_writing:
            if self._feed is None:
                self._shown = self._open
            else:
                self._feed.show(self._open)
        if self.draft is not None:
            return  # it is about to be written in any case
        if self._flushing is None:
            self._flush_in(FLUSH_S)
        elif self._open.size >= FLUSH_CHARS and not self._is_writing:
            self._stop_timer()
            self._flush()

    async def commit(
        self,
        events: "Sequence[RunEvent] | Late",
        *,
        strategy: tuple[str, int, bytes] | None = None,
        last: bool = False,
        is_task: bool | None = None,
        also: Also | None = None,
    ) -> None:
        """Write events to the log, after the text that is open, and show them.

        A caller that is cancelled leaves at once, but what it wanted written is written all the same, and
        before anything that is committed later: `settled` waits for the outcome.

        Args:
            events: What happened, in order; may be empty to commit the open text alone. Or what says so, and
                `last`, in the moment in which it is written.
            strategy: Name, version and data of the strategy's state, to be kept with the run.
            last: The open text is the end of its artifact.
            is_task: Whether A2A is to know the run as a task from now on; None: as before.
            also: What is written in the same moment.

        Raises:
            HectorError: Nothing was written, and nothing is shown; open text stays open. RUN_FENCED:
                somebody else owns the run now. STORAGE_IN_DOUBT: it may have been written; the next write
                finds out first, and writes nothing when the run was over with it.
        """
        write = self._begin(events, strategy, last, is_task, also or NOTHING_ELSE)
        outcome: asyncio.Future[None] = write.get_loop().create_future()
        write.add_done_callback(partial(self._tell, outcome))  # asyncio.shield does the same in six calls
        await outcome

    async def still_here(self) -> None:
        """Return if what was written down may be done: as far as anybody can know, nobody else has the run.

        A process that was stopped behind its commit would otherwise do it beside the next owner.

        Raises:
            RunLost: Somebody may have it.
        """
        if self.lease is not None and self.lease.is_over:
            await self.lease.held()
        if self.cannot_write:
            raise RunLost(self.place.run)

    async def settled(self) -> None:
        """Wait for the outcome of all writes under way."""
        if self._latest is not None:
            await _over(self._latest)

    @property
    def writing(self) -> bool:
        """A write is under way."""
        return self._latest is not None

    def open_soon(self, rounds: int = OPENING_ROUNDS) -> None:
        """Write the draft down as soon as whoever works on the run waits for something."""
        soon = asyncio.get_running_loop().call_soon
        self._opening = soon(self.open_soon, rounds - 1) if rounds else soon(self.begin, ())

    def begin(self, events: "Sequence[RunEvent] | Late") -> "asyncio.Task[None]":
        """Write as `commit` does, and return what can be waited for: a failure is told there, once."""
        write = self._begin(events)
        write.add_done_callback(self._written)
        return write

    def _begin(
        self,
        events: "Sequence[RunEvent] | Late",
        strategy: tuple[str, int, bytes] | None = None,
        last: bool = False,
        is_task: bool | None = None,
        also: Also = NOTHING_ELSE,
    ) -> "asyncio.Task[None]":
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        writing = self._write(self._latest, events, strategy, last, is_task, also)
        self._latest = write = asyncio.get_running_loop().create_task(writing)
        return write

    async def _write(
        self,
        before: "asyncio.Task[None] | None",
        events: "Sequence[RunEvent] | Late",
        strategy: tuple[str, int, bytes] | None,
        last: bool,
        is_task: bool | None,
        also: Also,
    ) -> None:
        if before is not None:
            await _over(before)
            del before
        self._is_writing = True
        try:
            if self._flushing is not None:
                self._stop_timer()
            if self.is_lost or (self.lease is not None and self.lease.is_over):
                await self.still_here()
            if self.state in FINAL:
                raise RunOver(self.place.run, RunState.Name(self.state))
            if self._doubted_chars is not None:
                await self._catch_up(self._doubted_chars)
                if self.state in FINAL:
                    return
            if callable(events):
                events, last = events()
            text, self._open = self._open, None
            if text is not None:
                events = [text.event(last=last), *events]
            elif last and self._growing:
                ended = TextAppended(artifact_id=self._growing, append=True, last=True)
                events = [RunEvent(text_appended=ended), *events]
            kinds = kinds_of(events)
            if not CHANGING.isdisjoint(kinds):
                events = lasting(events)
                kinds = kinds_of(events)
            if not events and also is NOTHING_ELSE and self.draft is None:
                return
            tells = not TOLD.isdisjoint(kinds)
            state, view = told_after(self._live.told, events, kinds) if tells else (None, None)
            changes = changes_of(state, view, strategy, is_task, also)
            was_draft = self.draft is not None
            try:
                kept = NOTHING_KEPT if KEPT.isdisjoint(kinds) else self._kept(events)
                rows = rows_of(events, kinds)
                committed: Appended | Created
                if was_draft:
                    committed = await self._create(rows, changes, also, kept)
                else:
                    committed = await self._append(rows, changes, also, kept)
            except HectorError as error:
                # Of a draft's two transactions the first is done when it is a draft no more.
                if error.reason == IN_DOUBT or (was_draft and self.draft is None):
                    self._doubted_chars = text.size if text is not None else 0
                self._reopen(text)
                raise
            place_all(events, self.place.run, self._next_seq, committed.time_us)
            if last:
                self._growing = ""
            if is_task is not None:
                self.is_task = is_task
            self._take(events, kinds, state, committed.last_seq + 1)
        finally:
            self._is_writing = False

    def _kept(self, events: Sequence[RunEvent]) -> Kept:
        """Return what events say of state and artifacts, which is kept beside them."""
        place = self.place
        first = len(self.draft[1]) if self.draft is not None else 0
        return kept_of(events, place.app, place.owner, place.context, first)

    async def _create(
        self, rows: Sequence[NewEvent], changes: Mapping[str, Any], also: Also, kept: Kept
    ) -> Created:
        """Write a draft down, with what happened since."""
        assert self.draft is not None
        new, first = self.draft
        whole = new._replace(**{"view": listed(self._live.told), **changes})
        created = await self._log.create(whole, [*first, *rows], kept)
        self._written_down(created.time_us)
        if also is not NOTHING_ELSE:
            await self._append((), changes, also, NOTHING_KEPT)
        return created

    async def _append(
        self, rows: Sequence[NewEvent], changes: Mapping[str, Any], also: Also, kept: Kept
    ) -> Appended:
        changed = RunChanges(**changes) if changes else NO_CHANGES
        if also is NOTHING_ELSE:
            return await self._log.append(self.place.run, self.place.epoch, rows, changed, kept=kept)
        return await self._log.append(
            self.place.run,
            self.place.epoch,
            rows,
            changed,
            consume=also.consume,
            effects=also.effects,
            pushes=also.pushes,
            kept=kept,
            dead=also.dead,
        )

    def _written_down(self, time_us: int) -> None:
        """Be no draft any more, and let whoever waits for that know."""
        self.draft = None
        set_time(self._live.told.status.timestamp, time_us)
        if self.begun is not None:
            set_time(self.begun[0].status.timestamp, time_us)
        opened, self.opened = self.opened, None  # it knows the run: a circle, if it were kept
        if opened is not None:
            opened()

    def _take(
        self,
        events: Sequence[RunEvent],
        kinds: Sequence[str | None],
        state: "RunState.ValueType | None",
        next_seq: int,
    ) -> None:
        """Make committed events part of the task, and show them."""
        self._next_seq = next_seq
        if state is not None:
            self.state = state
        self._live.take(events, kinds)
        self._shown = self._open
        if self._feed is not None:
            self._feed.publish(events)
            if self._open is not None:
                self._feed.show(self._open)
        if self._open is not None:
            self._flush_in(FLUSH_S)  # what came while a draft was written has no timer yet
        if self.committed is not None:
            self.committed(self.place.run)

    async def _catch_up(self, doubted_chars: int) -> None:
        """Take what is in the log after all. Nobody else writes there, so it is what was in doubt."""
        place = self.place
        rows = await self._log.events(place.app, place.run, after=self._next_seq - 1)
        self._doubted_chars = None
        if self.draft is not None and (row := await self._log.get(place.app, place.owner, place.run)):
            self._written_down(row.created_time_us)
        if not rows:
            return
        if self._open is not None and doubted_chars:
            rest = self._open.text[doubted_chars:]
            self._open = OpenText(self._open.artifact_id, rest, append=True) if rest else None
        events = [event_of(row) for row in rows]
        if events[0].text_appended.last:
            self._growing = ""
        self._take(events, kinds_of(events), state_of(events), rows[-1].seq + 1)

    def _reopen(self, text: OpenText | None) -> None:
        """Take back text that was not written, so that whatever is written next has it."""
        if text is None:
            return
        if self._open is not None:
            text.add(self._open.text)
        self._open = self._shown = text
        if self._feed is not None:
            self._feed.show(text)
        if not self.cannot_write:
            self._flush_in(FLUSH_AGAIN_S)

    def _flush_in(self, seconds: float) -> None:
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(seconds, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        self.begin([])

    def _written(self, write: "asyncio.Task[None]") -> None:
        if self._latest is write:
            self._latest = None
        if not write.cancelled():
            write.exception()  # a flush has nobody to tell: its text is open again, for the next commit

    def _tell(self, outcome: "asyncio.Future[None]", write: "asyncio.Task[None]") -> None:
        """Let whoever waits for a write know what came of it, unless they have left."""
        if self._latest is write:
            self._latest = None
        if write.cancelled():
            outcome.cancel()
            return
        error = write.exception()
        if outcome.done():
            return
        if error is None:
            outcome.set_result(None)
        else:
            outcome.set_exception(error)

    def _stop_timer(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None


async def _over(write: "asyncio.Task[None]") -> None:
    """Wait for the outcome of a write, whatever it is."""
    over: asyncio.Future[None] = write.get_loop().create_future()
    write.add_done_callback(partial(_let_go, over))
    await over


def _let_go(over: "asyncio.Future[None]", write: "asyncio.Task[None]") -> None:
    if not over.done():
        over.set_result(None)
