"""The runs that this process is at work on: their tasks, their turns in order, and what stops them.

A run is its own task under its own call: whoever asked may leave, and nothing stops.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from contextvars import Context
from functools import partial

from hector.agent.v1 import RUN_STATE_FAILED, RunEvent, SignalReceived, StatusChanged
from hector_mesh import Call
from hector_store import RunLog, RunRow

from .agent import Agent
from .deadlines import left_s
from .elsewhere import Elsewhere
from .ends import concluded, too_long
from .errors import ShuttingDown
from .lease import Lease
from .ledger import ended
from .measuring import ACTIVE, run_ended
from .order import InOrder
from .run import Run
from .turns import take_turn
from .work import Work

logger = logging.getLogger(__name__)

GRACE_S = 1.0  # so that it is the run that is found too long, and not the call it happens to wait for
STOPPING_S = 0.75
"""How long the code of a run that is stopped may take to tidy up, before the run is ended without it."""
ENDING_S = 5.0
"""How long a stop waits for what runs are writing: the database may be away."""
LOOK_S = 0.1  # and how often it looks which of them are left


class AtWork:
    """The runs of this process, by id, from their opening until it lets go of them."""

    def __init__(self, elsewhere: Elsewhere) -> None:
        self._live: dict[str, Work] = {}
        self._elsewhere = elsewhere
        self._turns = InOrder()
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_closed = True
        """Nothing new is begun, and what is opened is let go of."""
        self.left: dict[str, tuple[int, Lease]] = {}
        """Runs that are this worker's by their rows, with their epochs, and that nobody works on any more."""

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, run: str) -> bool:
        return run in self._live

    def is_live(self, work: Work) -> bool:
        """Say whether a run is at work here, or about to be."""
        if work.opened is not None and not work.opened.done():
            return True
        return work.run is not None and self._live.get(work.run.place.run) is work

    def live(self, app: str, owner: str, run: str) -> Run | None:
        """Return a run that is at work here and belongs to the caller."""
        work = self._live.get(run)
        found = work.run if work is not None else None
        if found is None or (found.place.app, found.place.owner) != (app, owner):
            return None
        return found

    def find(self, run: str) -> Run | None:
        """Return a run that is at work here, whoever's it is."""
        work = self._live.get(run)
        return work.run if work is not None else None

    def has_turns(self, session: tuple[str, str, str]) -> bool:
        """Say whether a turn of a session is at work here, or waits."""
        return self._turns.busy(session)

    def begin(self, work: Work, coroutine: Coroutine[object, object, None]) -> None:
        """Set a task to a run: it opens the run, and takes its turn."""
        work.task = task = asyncio.get_running_loop().create_task(coroutine, context=Context())
        self._tasks.add(task)
        task.add_done_callback(partial(self._worked, work))

    def spawn(self, work: "Coroutine[object, object, None]") -> "asyncio.Task[None]":
        """Begin something that belongs to no call."""
        # An empty context: a run must not inherit, and so die with, the call that asked for it.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def opens(self, run: str, work: Work) -> None:
        """Have a run found here, now that it is open."""
        self._live[run] = work

    async def take_turn(
        self, log: RunLog, work: Work, run: Run, own: Sequence[RunEvent] = (), row: RunRow | None = None
    ) -> None:
        """Take a run's turn when those before it in its session are over.

        Args:
            log: Where the session's other runs are.
            work: What is done for the run.
            run: The run, open.
            own: What happened in it so far; empty for a new one.
            row: The run as it was taken up; None for a new one.
        """
        agent, call, place = work.agent, work.call, run.place
        work.run = run
        work.begun = time.perf_counter()
        ACTIVE.add(agent.name)
        self._live[place.run] = work
        limit_s = left_s(agent.config.timeout, own) if own else agent.config.timeout
        work.timer = asyncio.get_running_loop().call_later(limit_s, self._halt_late, run, agent)
        if run.draft is not None:
            if work.opened is not None:
                run.opened = partial(work.open, run)
            run.open_soon()
        else:
            work.open(run)
        if self.is_closed or run.cannot_write:  # the server was stopped meanwhile, or its lease is over
            self.let_go(run)
        work.call = Call(
            call.principal,
            call.app,
            time.monotonic() + limit_s + GRACE_S,
            call.traceparent,
            call.request_id,
            "",
            agent.revision or call.revision,
            agent.documents,
        )
        work.seat = seat = self._turns.turn((place.app, place.owner, place.context), place.position)
        try:
            if seat.waits:
                await seat.enter()
            await take_turn(log, agent, run, work, own, row, self._elsewhere)
        finally:
            seat.leave()

    def halt(
        self,
        run: Run,
        change: StatusChanged,
        asked: Sequence[SignalReceived] = (),
        consume: Sequence[int] = (),
    ) -> None:
        """Stop a run and all that it started, and write that it ended so.

        Args:
            run: The run.
            change: How it ends.
            asked: Who wanted it, to be written with it.
            consume: Signals that this answers, by number.
        """
        work = self._live.get(run.place.run)
        if work is None or work.change is not None or work.is_let_go:
            return  # it has ended, or is stopping: once more would break off what it tidies up
        work.change, work.asked, work.consume = change, list(asked), list(consume)
        run.stopping = run.halted = True
        self._stop(work, run)

    def let_go(self, run: Run) -> None:
        """Stop a run here, without an end: it goes on elsewhere, from what is committed."""
        work = self._live.get(run.place.run)
        if work is None or work.is_let_go:
            return
        work.is_let_go = True
        if work.change is None:
            run.stopping = True
            self._stop(work, run)

    def written(self, begun_before: float) -> Sequence[str]:
        """Return the runs that must have a row: those that are not over, and whose opening is written.

        Args:
            begun_before: Only what was begun here by then, by `time.perf_counter`.
        """
        return [
            run_id
            for run_id, work in self._live.items()
            if (run := work.run) is not None
            and work.begun <= begun_before
            and run.draft is None
            and not (run.over or run.is_lost)
        ]

    def drop(self, run_id: str) -> None:
        """Stop a run whose row is gone: nothing more is written of it, and it goes on nowhere."""
        run = self.find(run_id)
        if run is None or run.over:
            return
        facts = {"run": run_id, "agent": run.place.agent}
        logger.warning("run was stopped because it was erased", extra=facts)
        run.is_lost = True
        self.let_go(run)

    def let_all_go(self, lease: Lease | None = None) -> None:
        """Stop all runs here without an end, or those that a lease was for."""
        for work in tuple(self._live.values()):
            if work.run is not None and (lease is None or work.run.lease is lease):
                self.let_go(work.run)

    def ask_to_leave(self) -> None:
        """Have all runs stop before their next step."""
        for work in self._live.values():
            if work.run is not None:
                work.run.leaving = True

    async def emptied(self, within_s: float) -> bool:
        """Wait until nothing is at work here, for so long at most, and say whether that is so."""
        gives_up = time.monotonic() + within_s
        while self._tasks and (left_s := gives_up - time.monotonic()) > 0:
            # Not all at once: a run that was stopped begins another task, or is left behind.
            await asyncio.wait(self._tasks, timeout=min(left_s, LOOK_S))
        return not self._live

    def _worked(self, work: Work, task: asyncio.Task[None]) -> None:
        """See to it that the log says how a run ended, whatever happened to its turn."""
        self._tasks.discard(task)
        error, run = None if task.cancelled() else task.exception(), work.run
        work.task = None  # what it raised keeps its frames, and they would keep the run
        if work.is_left:
            return
        if run is None:
            work.end()
            work.fail(error or ShuttingDown())
        elif not run.writing and (run.over or work.is_done(run)):  # as it should be: nothing to wait for
            self._leave(work, run)
        else:
            self.spawn(self._conclude(work, run, error))

    async def _conclude(self, work: Work, run: Run, error: BaseException | None) -> None:
        try:
            await concluded(work, run, error)
        finally:
            await run.settled()
            self._leave(work, run)

    def _leave(self, work: Work, run: Run) -> None:
        work.timer.cancel()
        if work.patience is not None:
            work.patience.cancel()
        del self._live[run.place.run]
        work.end()
        ACTIVE.add(work.agent.name, amount=-1)
        if run.draft is not None:
            run.failure = work.failure or ShuttingDown()
            work.fail(run.failure)
        if run.undecided is not None:
            run.undecided.set()
        if run.over or run.draft is not None:
            if run.is_in_doubt and run.lease is not None:  # it may be there, with nobody at it
                self.left[run.place.run] = run.place.epoch, run.lease
            run.close()
            run_ended(run, work.call, work.begun)
            return
        if not run.parked:  # it goes on elsewhere, or here a little later
            if run.lease is not None and not (run.cannot_write or work.is_fenced):
                self.left[run.place.run] = run.place.epoch, run.lease
            run.is_lost = True
            facts = {"run": run.place.run, "agent": run.place.agent, "epoch": run.place.epoch}
            logger.info("run was left", extra=facts)
        self._elsewhere.keep(run.place.run, run.feed)
        run.park()

    def _halt_late(self, run: Run, agent: Agent) -> None:
        self.halt(run, ended(run.task, RUN_STATE_FAILED, too_long(agent)))

    def _stop(self, work: Work, run: Run) -> None:
        if work.task is not None:
            work.task.cancel()
        work.patience = asyncio.get_running_loop().call_later(STOPPING_S, self._leave_behind, work, run)

    def _leave_behind(self, work: Work, run: Run) -> None:
        """Be done with a run whose code does not stop; it goes on, but what it does is nobody's any more."""
        task = work.task
        if task is None or task.done():
            return
        work.is_left = True
        facts = {"run": run.place.run, "agent": run.place.agent, "waited_s": STOPPING_S}
        logger.warning("run was ended although its code did not stop", extra=facts)
        self._tasks.discard(task)
        work.call.end()
        if work.seat is not None:
            work.seat.leave()
        self.spawn(self._conclude(work, run, None))
