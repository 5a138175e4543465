"""One run that this process is at work on: what is known of it beside its log, and what it tells."""

from collections.abc import Mapping
from types import MappingProxyType

import hector_a2a as a2a
from hector.agent.v1 import RUN_STATE_WAITING, SignalReceived
from hector.common.v1 import Artifact, Message
from hector_mesh import HectorError
from hector_mesh.flag import Flag
from hector_store import RunChanges, RunLog

from .conversation import from_a2a
from .feed import Cursor, Feed
from .moment import Place
from .sessions.scopes import OF_USER
from .view import INTERRUPTED
from .writing import RunWriter

DECIDES_S = 0.001
"""How long an agent may think about whether its answer is a task, where somebody needs to know at once."""
PARKED = INTERRUPTED | {RUN_STATE_WAITING}
"""States of runs that nobody works on."""


class Run(RunWriter):
    """A run that this process owns. Nobody else writes its events."""

    # As it is at first, in most runs also at last: in the class, since every answer makes one of these.
    tried = 0
    """How often the step was tried that failed for good; 0: none has that could be tried again."""
    tokens, reason = 0, ""
    """What its models were paid for so far, and why it failed, for whoever counts."""
    about: Mapping[str, str] = MappingProxyType({})
    """What the failure is about, fact by fact."""
    stopping = False
    """Somebody wants it stopped."""
    halted = False
    """It is stopped for good, and does not go on elsewhere."""
    leaving = False
    """It is to stop before its next step, and go on elsewhere."""
    pausing: SignalReceived | None = None
    """It is to stop before its next step, until it is resumed; and who says so."""
    retry_of = ""
    """The run at which this is another attempt."""
    answer: "a2a.Message | None" = None
    """What was answered in place of a task."""
    undecided: Flag | None = None
    """Set when it is known whether the answer is a task. None: it is."""
    plain = False
    """The answer is a plain message, and on its way."""
    failure: HectorError | None = None
    """Why nothing of it could be written."""
    taken_for_task = False
    """Somebody was told that there is a task."""

    def __init__(
        self, log: RunLog, place: Place, task: "a2a.Task", next_seq: int, feed: Feed | None = None
    ) -> None:
        super().__init__(log, place, task, next_seq, feed)
        self.finished = Flag()
        """Set when the run is over or waits for somebody, and this process has let go of it."""
        self.wakes: list[str] = []
        """Signals that code of the operator's own may wait for, and that it has not taken yet: JSON."""
        self.effects_of = place.run
        """The run whose effects these are: the first one, where this is another attempt."""

    @property
    def task(self) -> "a2a.Task":
        """The task as last committed; who keeps it makes a copy."""
        return self._live.whole

    @property
    def parked(self) -> bool:
        """The run waits for somebody, and nobody works on it."""
        return self.state in PARKED

    @property
    def is_in_doubt(self) -> bool:
        """Nobody can tell whether the last write was done."""
        return self._doubted_chars is not None

    async def decide(self) -> None:
        """Wait until it is known whether the answer is a task or a message; after a moment it is a task.

        An agent whose answers are always messages is waited for.
        """
        if self.undecided is None or self.undecided.is_set():
            return
        if self.is_task and not await self.undecided.happens_within(DECIDES_S) and not self.plain:
            self.taken_for_task = True
        else:
            await self.undecided.wait()

    async def comes_to_wait(self) -> bool:
        """Return whether the run waits for somebody now that what was under way is known, and is let go.

        What is being written may be seen by others before it is known here.
        """
        if not self.parked:
            await self.settled()
        if self.parked:
            await self.finished.wait()
        return self.parked

    def unread(self) -> None:
        """Keep nothing for whoever asked for it, and does not read it from its beginning."""
        begun, self.begun = self.begun, None
        if begun is not None:
            begun[1].close()

    def said(self) -> list[Message]:
        """Return what the user said to start the run."""
        return [from_a2a(message) for message in self._live.told.history]

    def snapshot(self) -> tuple["a2a.Task", Cursor]:
        """Return the task as last committed, and the cursor of a reader that has it."""
        task = a2a.Task()
        task.CopyFrom(self.task)
        return task, Cursor(self._next_seq - 1)

    async def stored(self, name: str) -> Artifact | None:
        """Return the newest version of an artifact of the session, or of its user; None: there is none."""
        place = self.place
        context = "" if name.startswith(OF_USER) else place.context
        found = await self._log.artifacts.load(place.app, place.owner, context, name)
        return None if found is None else Artifact.FromString(found[1])

    async def now_us(self) -> int:
        """Return the database's time.

        Raises:
            HectorError: It cannot be asked.
        """
        return await self._log.now_us()

    async def release(self, due_us: int) -> None:
        """Let somebody have a run at a moment that waits already."""
        place = self.place
        await self._log.append(place.run, place.epoch, (), RunChanges(worker="", due_us=due_us))

    def park(self) -> None:
        """Let those go who wait for an answer, once all writes are settled; who follows the run stays."""
        self._stop_timer()
        self.finished.set()

    def close(self) -> None:
        """Let the readers go, once all writes are settled."""
        self._stop_timer()
        self._is_closed = True
        if self._feed is not None:
            self._end(self._feed)
        self.finished.set()
