"""What a handler said and is not written yet: as few commits as may be, and nothing out of order.

Text is shown at once, as a model's is. Everything else is shown when it is committed, and that begins as soon
as the handler waits for something: what it says without waiting is committed together.
"""

import asyncio
import logging
from collections.abc import Sequence

from hector.agent.v1 import ArtifactSaved, RunEvent, StateChanged, TextAppended
from hector_agent.moment import Also
from hector_agent.run import Run

from .errors import HandlerSaidNonsense
from .turn import Turn

log = logging.getLogger(__name__)

PENDING_BYTES, EVENT_BYTES = 256 * 1024, 4 * 1024
"""How much a handler may say before it has to wait for the log, and what an event counts as beside that."""
ROUNDS = 8
"""Rounds of the event loop from one commit to the next: what is said in them is committed together."""


class Unwritten:
    """Events on their way into the log of a run."""

    # As it is at first, in the class: every answer makes one of these.
    _tail: ArtifactSaved | TextAppended | None = None
    """What was said last of the answer itself, while that is not written yet."""
    _spent: Sequence[RunEvent] = ()
    """What was paid before anything was said: written with what is said first."""
    _flushing: asyncio.Handle | None = None
    _begins = 0
    """Writes that are on their way."""
    _room_bytes = PENDING_BYTES
    """How much may be said until it is written."""
    _failure: BaseException | None = None
    _is_decided = False
    """Whoever waits for that knows that the answer is a task."""

    def __init__(self, run: Run, turn: Turn) -> None:
        self._run, self._turn = run, turn
        self._pending: list[RunEvent] = []

    async def commit(self, *events: RunEvent, also: Also | None = None) -> None:
        """Commit what was said so far, and these events behind it.

        Raises:
            HectorError: The log cannot take it.
        """
        self._decided()
        self._unschedule()

        def settled() -> tuple[list[RunEvent], bool]:
            return [*self._taken()[0], *events], False

        await self._run.commit(settled, also=also)
        if self._failure is not None:
            raise self._failure

    def break_off(self) -> None:
        """Let what was said so far be committed although it does not come to an end."""
        if self._flushing is not None:
            self._unschedule()
            self._flush()

    def _say(self, event: RunEvent, size_bytes: int = 0) -> None:
        """Have an event committed as soon as the handler waits, with what else it says until then."""
        self._pending.append(event)
        self._room_bytes -= size_bytes + EVENT_BYTES
        if self._flushing is None:
            if not self._is_decided:
                self._decided()
            self._flush_in(0)

    def _flush(self, rounds: int = 0) -> None:
        """Commit what waits, if there was no commit for a few rounds; and so again while more is said."""
        if rounds:
            self._flushing = self._soon(self._flush, rounds - 1)
            return
        self._flushing = None
        if self._pending:
            self._begins += 1
            self._run.begin(self._taken).add_done_callback(self._written)
            self._flush_in(ROUNDS)

    def _flush_in(self, rounds: int) -> None:
        self._soon = asyncio.get_running_loop().call_soon
        self._flushing = self._soon(self._flush, rounds)

    def _unschedule(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None

    def _written(self, write: "asyncio.Task[None]") -> None:
        self._begins -= 1
        if not write.cancelled():
            self._failure = self._failure or write.exception()

    def _taken(self) -> tuple[list[RunEvent], bool]:
        """Return what waits to be written, in the moment in which it is."""
        events, self._pending = [*self._spent, *self._pending], []
        self._spent, self._tail = (), None
        self._room_bytes = PENDING_BYTES
        change = self._state_changed()
        return ([*events, change] if change is not None else events), False

    def _state_changed(self) -> RunEvent | None:
        try:
            delta, before = self._turn._changes()
        except (TypeError, ValueError) as error:
            self._failure = self._nonsense(f"what it left in the session's state cannot be kept: {error}")
            return None
        if not delta:
            return None
        return RunEvent(state_changed=StateChanged(delta_json=delta, before_json=before))

    def _decided(self) -> None:
        self._is_decided = True
        if self._run.undecided is not None:
            self._run.undecided.set()

    def _nonsense(self, what: str) -> HandlerSaidNonsense:
        place = self._run.place
        log.error("agent answered wrong", extra={"run": place.run, "agent": place.agent, "why": what})
        return HandlerSaidNonsense(place.agent, place.run)
