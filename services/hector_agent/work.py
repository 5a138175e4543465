"""What this process does for one run: who asked for it, its task, its clocks, and what stops it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from hector.agent.v1 import SignalReceived, StatusChanged
from hector_mesh import Call, HectorError
from hector_store import NewPush

from .agent import Agent
from .beside import NOTHING, Beside
from .idempotency import Once
from .order import Seat
from .run import Run


@dataclass(slots=True, eq=False)
class Work:
    """What this process does for one run."""

    agent: Agent
    call: Call
    """The call that asked for it, and once it is opened, the run's own."""
    opened: "asyncio.Future[Run | str]"
    """For whoever asked: the run, or the id of an earlier one that has its key."""
    once: Once | None = None
    """By which key it is asked for."""
    pushes: tuple[NewPush, ...] = ()
    """Who is to be told of it."""
    beside: Beside = NOTHING
    """What the client says beside its message."""
    wake_json: str = ""
    """What it is woken with, in place of a message."""
    task: "asyncio.Task[None] | None" = None
    """Opens the run and takes its turn, until it is done. Cancelled where the run is stopped."""
    run: Run | None = None
    timer: asyncio.TimerHandle = field(init=False)
    """Stops a run that takes too long."""
    failure: HectorError | None = None
    """Why its end could not be written."""
    change: StatusChanged | None = None
    """What is to be written of a run that was stopped."""
    asked: list[SignalReceived] = field(default_factory=list)
    """Who had it stopped, if anybody did."""
    consume: list[int] = field(default_factory=list)
    """Signals that are answered with its end, by number."""
    begun: float = 0.0
    seat: Seat | None = None
    """Its place among the turns of its session."""
    patience: asyncio.TimerHandle | None = None
    """How long a run that was stopped may take to stop."""
    is_left: bool = False
    """It did not stop, and was ended without."""
    is_let_go: bool = False
    """It is to stop here without an end, and to go on elsewhere."""
    is_fenced: bool = False
    """It is somebody else's by now."""
    over: Callable[[], None] | None = None
    """Told when nothing more is done for it here."""

    def open(self, run: Run) -> None:
        """Let whoever asked have the run, unless it has left."""
        if not self.opened.done():
            self.opened.set_result(run)
        else:
            run.unread()

    def end(self) -> None:
        """Say that nothing more is done for it here."""
        over, self.over = self.over, None
        if over is not None:
            over()

    def is_done(self, run: Run) -> bool:
        """Return whether nothing is left to write of the run: it is over, or waits and may."""
        return run.over or (run.parked and self.change is None)
