"""What this process does for one run: who asked for it, its task, its clocks, and what stops it."""

import asyncio
from collections.abc import Callable, Sequence

from hector.agent.v1 import SignalReceived, StatusChanged
from hector_mesh import Call, HectorError
from hector_store import NewPush

from .agent import Agent
from .beside import NOTHING, Beside
from .idempotency import Once
from .order import Seat
from .run import Run


class Work:
    """What this process does for one run."""

    # As it is at first, in most runs also at last: in the class, since every answer makes one of these.
    wake_json = ""
    """What it is woken with, in place of a message."""
    task: "asyncio.Task[None] | None" = None
    """Opens the run and takes its turn, until it is done. Cancelled where the run is stopped."""
    run: Run | None = None
    timer: asyncio.TimerHandle
    """Stops a run that takes too long."""
    failure: HectorError | None = None
    """Why its end could not be written."""
    change: StatusChanged | None = None
    """What is to be written of a run that was stopped."""
    asked: Sequence[SignalReceived] = ()
    """Who had it stopped, if anybody did."""
    consume: Sequence[int] = ()
    """Signals that are answered with its end, by number."""
    begun = 0.0
    seat: Seat | None = None
    """Its place among the turns of its session."""
    patience: asyncio.TimerHandle | None = None
    """How long a run that was stopped may take to stop."""
    is_left = False
    """It did not stop, and was ended without."""
    is_let_go = False
    """It is to stop here without an end, and to go on elsewhere."""
    is_fenced = False
    """It is somebody else's by now."""
    over: Callable[[], None] | None = None
    """Told when nothing more is done for it here."""

    def __init__(
        self,
        agent: Agent,
        call: Call,
        opened: "asyncio.Future[Run | str] | None",
        once: Once | None = None,
        pushes: tuple[NewPush, ...] = (),
        beside: Beside = NOTHING,
    ) -> None:
        """Begin.

        Args:
            agent: Whose run it is.
            call: The call that asked for it; once it is opened, the attribute is the run's own.
            opened: For whoever asked: the run, or the id of an earlier one that has its key. None: nobody
                waits for that.
            once: By which key it is asked for.
            pushes: Who is to be told of it.
            beside: What the client says beside its message.
        """
        self.agent, self.call, self.opened = agent, call, opened
        self.once, self.pushes, self.beside = once, pushes, beside

    def open(self, run: Run) -> None:
        """Let whoever asked have the run, unless it has left."""
        opened = self.opened
        if opened is not None and not opened.done():
            opened.set_result(run)
        else:
            run.unread()

    def open_earlier(self, run_id: str) -> None:
        """Let whoever asked have the id of the run that has its key already."""
        if self.opened is not None and not self.opened.done():
            self.opened.set_result(run_id)

    def fail(self, error: BaseException) -> None:
        """Let whoever asked know why there is no run, unless it has left."""
        if self.opened is not None and not self.opened.done():
            self.opened.set_exception(error)

    def end(self) -> None:
        """Say that nothing more is done for it here."""
        over, self.over = self.over, None
        if over is not None:
            over()

    def is_done(self, run: Run) -> bool:
        """Return whether nothing is left to write of the run: it is over, or waits and may."""
        return run.over or (run.parked and self.change is None)
