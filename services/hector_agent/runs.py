"""The runs that this process works on: admission, turns in order, cancellation, and what a restart finds.

A run is its own task under its own call: whoever asked may leave, and nothing stops.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from itertools import count

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_CANCELED,
    RUN_STATE_FAILED,
    RUN_STATE_WORKING,
    CancelRun,
    RunEvent,
    Signal,
    SignalReceived,
    StatusChanged,
)
from hector_mesh import Call, HectorError
from hector_mesh.flag import Flag
from hector_store import IdempotencyMismatch, NewPush, RunLog, RunRow, new_id

from .agent import Agent
from .beside import NOTHING, Beside
from .elsewhere import Elsewhere
from .ends import INTERRUPTED, too_long, why
from .errors import RunDoesNotWait, ShuttingDown, TooManyRuns
from .idempotency import Earlier, IdempotencyKeyReused, Once, heard
from .ledger import close_abandoned, ended, task_of
from .measuring import ACTIVE, run_ended
from .opening import WAITING, opened, received, reopened, unwritten, waits
from .order import InOrder
from .push.push import Push
from .run import Run
from .turns import take_turn
from .work import Work

logger = logging.getLogger(__name__)

MOST_LIVE = 10_000  # runs at work or waiting for their turn; each holds some kilobytes and a task
GRACE_S = 1.0  # so that it is the run that is found too long, and not the call it happens to wait for

_Key = tuple[str, str, str]
"""App, owner and the name of a key."""

STOPPING_S = 0.75
"""How long the code of a run that is stopped may take to tidy up, before the run is ended without it."""

ENDING_S = 5.0
"""How long a stop waits for the ends of runs to be written: the database may be away."""
LOOK_S = 0.1  # and how often it looks which of them are left


class Runs:
    """Starts runs and owns them until they are over. Use inside `running()`."""

    def __init__(self, push: Push | None = None) -> None:
        self._opened: RunLog | None = None
        self._push = push
        self._worker = f"worker-{uuid.uuid4().hex[:12]}"
        self._live: dict[str, Work] = {}
        self._once: dict[_Key, Work] = {}
        """Of the live ones those that have a key, from the moment they are asked for."""
        self._turns = InOrder()
        self._takers = InOrder()
        """Who wants something of a run that waits."""
        self._taken = count(1)
        self.waiting = Elsewhere()
        """Where those stay who follow a run that waits for somebody, or is at work in another process."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting = False

    @property
    def log(self) -> RunLog:
        """Where runs are kept.

        Raises:
            ShuttingDown: Not inside `running()`.
        """
        if self._opened is None:
            raise ShuttingDown
        return self._opened

    @asynccontextmanager
    async def running(self, log: RunLog) -> AsyncIterator[None]:
        """Own the runs' tasks.

        On entry, runs that a crash left behind are ended as INTERRUPTED. On exit, so are those still
        at work; what they had committed is kept. What cannot be written in time is left to the next start.
        Runs that wait for somebody go on waiting.
        """
        self._opened = log
        # Those that wait are not read: there can be many of them, and nothing is to be done.
        for row in await log.unfinished(but=WAITING):
            await self._end_abandoned(log, row)
        self._accepting = True
        try:
            yield
        finally:
            self._accepting = False
            self.waiting.end(ShuttingDown())
            for work in tuple(self._live.values()):
                if work.run is not None:
                    self._interrupt(work.run)
            gives_up = time.monotonic() + ENDING_S
            while self._tasks and (left_s := gives_up - time.monotonic()) > 0:
                # Not all at once: a run that was stopped begins another task, or is left behind.
                await asyncio.wait(self._tasks, timeout=min(left_s, LOOK_S))
            if self._live:
                logger.warning("runs were left to the next start to end", extra={"runs": len(self._live)})

    def live(self, app: str, owner: str, run: str) -> Run | None:
        """Return a run that is at work here and belongs to the caller."""
        work = self._live.get(run)
        found = work.run if work is not None else None
        if found is None or (found.place.app, found.place.owner) != (app, owner):
            return None
        return found

    async def start(
        self,
        agent: Agent,
        message: "a2a.Message",
        call: Call,
        pushes: tuple[NewPush, ...] = (),
        beside: Beside = NOTHING,
    ) -> Run:
        """Open a run with its first message, durably, and set it to work.

        The message's context id names the session; without one a new session begins. A caller that leaves
        in the middle stops nothing: the run goes on, or was not accepted. Who is to be told of it is written
        with it.

        Raises:
            HectorError: The run was not accepted: nothing was written.
        """
        work = self._begin(agent, message, call, None, pushes, beside)
        try:
            run = await work.opened
        except BaseException:
            if work.run is not None:
                work.run.unread()
            raise
        assert isinstance(run, Run)  # only a key can lead to one that is over
        return run

    async def start_once(
        self,
        agent: Agent,
        message: "a2a.Message",
        call: Call,
        once: Once,
        pushes: tuple[NewPush, ...] = (),
        beside: Beside = NOTHING,
    ) -> Run | Earlier:
        """Open a run as `start` does, unless its key was used before: then return what became of that.

        Raises:
            IdempotencyKeyReused: The key stands for another message.
            HectorError: The run was not accepted: nothing was written, and the key is free.
        """
        key = (call.app, call.principal.id, once.name)
        work = self._once.get(key)
        is_new = work is None or not self._is_live(work)
        if work is None or is_new:
            work = self._once[key] = self._begin(agent, message, call, once, pushes, beside)
        try:
            found = await asyncio.shield(work.opened)  # shielded: others may wait for the same
        except IdempotencyMismatch as error:
            raise IdempotencyKeyReused(once.key, error.facts["run_id"]) from None
        if isinstance(found, str):
            return Earlier(found, self.live(call.app, call.principal.id, found))
        if work.once is not None and work.once.hash != once.hash:
            raise IdempotencyKeyReused(once.key, found.place.run)
        return found if is_new else Earlier(found.place.run, found)

    async def take_up(
        self,
        agent: Agent,
        task_id: str,
        message: "a2a.Message",
        call: Call,
        beside: Beside = NOTHING,
        pushes: tuple[NewPush, ...] = (),
        once: Once | None = None,
    ) -> Run:
        """Go on with a run that waits for somebody, with a message of its owner's, durably.

        Of two messages at once one is taken, and the other finds the run at work.

        Raises:
            RunDoesNotWait: It does not wait: the error says how it is.
            HectorError: The message was not taken, and the run goes on waiting.
        """
        told = a2a.Message()
        told.CopyFrom(message)
        return await self._go_on(self._work(agent, call, once, pushes, beside), task_id, told)

    async def wake(self, agent: Agent, run: str, wish: Signal, call: Call) -> int:
        """Go on with a run that waits, without a message of the client's; return the signal's number.

        Raises:
            RunDoesNotWait: It does not wait: the error says how it is.
        """
        number = await self.log.signal(call.app, run, "wake", wish.SerializeToString())
        await self._go_on(self._work(agent, call), run, wish)
        return number

    async def taken_up(self, app: str, owner: str, run: str) -> Run | None:
        """Return a run that is at work by what the log says: it tells of one that waited a moment before."""
        if self._takers.busy(run):
            async with self._takers.turn(run, next(self._taken)):
                pass
        return self.live(app, owner, run)

    async def _go_on(self, work: Work, run: str, reason: "a2a.Message | Signal") -> Run:
        self._set_to(work, self._take_up(work, run, reason))
        found = await work.opened
        assert isinstance(found, Run)
        return found

    def _begin(
        self,
        agent: Agent,
        message: "a2a.Message",
        call: Call,
        once: Once | None,
        pushes: tuple[NewPush, ...],
        beside: Beside,
    ) -> Work:
        work = self._work(agent, call, once, pushes, beside)
        self._set_to(work, self._work_on(work, message))
        return work

    def _work(
        self,
        agent: Agent,
        call: Call,
        once: Once | None = None,
        pushes: tuple[NewPush, ...] = (),
        beside: Beside = NOTHING,
    ) -> Work:
        if not self._accepting:
            raise ShuttingDown
        if len(self._live) >= MOST_LIVE:
            raise TooManyRuns(MOST_LIVE)
        return Work(agent, call, asyncio.get_running_loop().create_future(), once, pushes, beside)

    def _set_to(self, work: Work, coroutine: Coroutine[object, object, None]) -> None:
        work.task = task = self._spawn(coroutine)
        task.add_done_callback(partial(self._worked, work))

    def _is_live(self, work: Work) -> bool:
        """Say whether a run is at work here, or about to be."""
        return not work.opened.done() or (work.run is not None and self._live.get(work.run.place.run) is work)

    async def cancel(self, run: Run, reason: str) -> int:
        """Stop a run and all that it started, and return the number of the signal that says so.

        Returns when the run is over; it may have ended otherwise meanwhile.
        """
        wish = Signal(cancel=CancelRun(reason=reason))
        place = run.place
        self._halt(run, StatusChanged(state=RUN_STATE_CANCELED))  # first: what it stops may cost money
        number = await self.log.signal(place.app, place.run, "cancel", wish.SerializeToString())
        await run.finished.wait()
        return number

    async def cancel_waiting(self, row: RunRow, reason: str) -> int:
        """Cancel a run that waits for somebody, and return the number of the signal that says so.

        One that is taken up meanwhile is stopped at its work, as `cancel` does.

        Raises:
            RunDoesNotWait: It is over.
            HectorError: It could not be written.
        """
        wish = Signal(cancel=CancelRun(reason=reason))
        number = await self.log.signal(row.app, row.id, "cancel", wish.SerializeToString())
        try:
            await asyncio.shield(self._spawn(self._cancel_waiting(row)))
        except RunDoesNotWait:
            run = self.live(row.app, row.owner, row.id)
            if run is None:
                raise
            self._halt(run, StatusChanged(state=RUN_STATE_CANCELED))
            await run.finished.wait()
        return number

    async def _cancel_waiting(self, row: RunRow) -> None:
        async with self._takers.turn(row.id, next(self._taken)):
            found = await self._waiting_row(row.app, row.owner, row.id)
            change = RunEvent(status_changed=StatusChanged(state=RUN_STATE_CANCELED))
            run, _ = await self._reopened(found, [change])
            run.close()

    async def _waiting_row(self, app: str, owner: str, run: str) -> RunRow:
        found = await self.log.get(app, owner, run)
        if found is None or run in self._live or not waits(found):
            raise RunDoesNotWait(run, found.state if found is not None else "gone")
        return found

    async def _reopened(
        self, row: RunRow, why: Sequence[RunEvent], pushes: tuple[NewPush, ...] = ()
    ) -> tuple[Run, list[RunEvent]]:
        told = self._push.wake if self._push is not None else None
        return await reopened(self.log, self._worker, self.waiting, row, why, told, pushes)

    async def _end_abandoned(self, log: RunLog, row: RunRow) -> None:
        facts = {"run": row.id, "agent": row.agent}
        change = ended(task_of(row), RUN_STATE_FAILED, INTERRUPTED)
        try:
            await close_abandoned(log, row, self._worker, change, "the process is gone")
        except HectorError as error:  # one bad row must not keep all others from being served
            logger.error("interrupted run could not be ended", extra={**facts, "reason": error.reason})
        else:
            logger.warning("run was interrupted", extra=facts)

    async def _work_on(self, work: Work, message: "a2a.Message") -> None:
        """Open a run, and take its turn."""
        agent, call = work.agent, work.call
        told = a2a.Message()
        told.CopyFrom(message)
        told.task_id = new_id()
        told.context_id = told.context_id or new_id()
        if work.beside.at_once and not (message.context_id or work.once or work.pushes):
            reads = work.beside.reads
            run: Run | str = unwritten(self.log, self._worker, agent, told, call, reads=reads)
        else:
            run = await opened(
                self.log,
                self._worker,
                agent,
                told,
                call,
                work.once,
                work.pushes,
                new_context=not message.context_id,
                waits=self._turns.busy((call.app, call.principal.id, told.context_id)),
            )
        if isinstance(run, str):
            if not work.opened.done():
                work.opened.set_result(run)
            return
        del message, told  # a run may take hours, and with its message it would keep the whole request
        if agent.handler is not None:
            run.undecided = Flag()
        if self._push is not None:
            run.committed = self._push.wake
            if work.pushes:
                self._spawn(self._tell(run, self._push))
        await self._at_work(work, run, ())

    async def _tell(self, run: Run, push: Push) -> None:
        """Let others be told of a run, once it is known whether it is a task."""
        await run.decide()
        push.placed(run.place.run)

    async def _take_up(self, work: Work, run_id: str, reason: "a2a.Message | Signal") -> None:
        """Take a run up again that waits, and its turn with it."""
        call = work.call
        async with self._takers.turn(run_id, next(self._taken)):
            row = await self._waiting_row(call.app, call.principal.id, run_id)
            if work.once and await heard(self.log, call.app, call.principal.id, run_id, work.once):
                raise RunDoesNotWait(run_id, row.state)  # not for this: it was said before
            if isinstance(reason, Signal):
                work.wake_json = reason.wake_json
                principal = call.principal.id
                said = RunEvent(signal_received=SignalReceived(signal=reason, principal=principal))
            else:
                reason.task_id, reason.context_id = row.id, row.context_id
                said = received(reason, work.once)
            working = RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING))
            run, own = await self._reopened(row, [said, working], work.pushes)
            self._live[run_id] = work
        if self._push is not None and work.pushes:
            self._push.placed(run_id)
        await self._at_work(work, run, own)

    async def _at_work(self, work: Work, run: Run, own: Sequence[RunEvent]) -> None:
        """Take a run's turn when those before it in its session are over."""
        agent, call, place = work.agent, work.call, run.place
        work.run = run
        work.begun = time.perf_counter()
        ACTIVE.add(agent.name)
        self._live[place.run] = work
        limit_s = agent.config.timeout
        work.timer = asyncio.get_running_loop().call_later(limit_s, self._halt_late, run, agent)
        if run.draft is not None:
            run.opened = partial(work.open, run)
            run.open_soon()
        else:
            work.open(run)
        if not self._accepting:  # the server was stopped meanwhile
            self._interrupt(run)
        work.call = Call(
            principal=call.principal,
            app=call.app,
            deadline=time.monotonic() + limit_s + GRACE_S,
            traceparent=call.traceparent,
            request_id=call.request_id,
            revision=agent.revision or call.revision,
        )
        work.seat = self._turns.turn((place.app, place.owner, place.context), place.position)
        async with work.seat:
            await take_turn(self.log, agent, run, work.call, work.beside, own, work.wake_json)

    def _worked(self, work: Work, task: asyncio.Task[None]) -> None:
        """See to it that the log says how a run ended, whatever happened to its turn."""
        error, run = None if task.cancelled() else task.exception(), work.run
        work.task = None  # what it raised keeps its frames, and they would keep the run
        if work.is_left:
            return
        if run is None:
            self._forget_key(work)
            if not work.opened.done():
                work.opened.set_exception(error or ShuttingDown())
        elif work.is_done(run) and not run.writing:  # as it should be: there is nothing to wait for
            self._let_go(work, run)
        else:
            self._spawn(self._conclude(work, run, error))

    async def _conclude(self, work: Work, run: Run, error: BaseException | None) -> None:
        """Write how a run ended, unless its turn has: cancelled, halted or failed."""
        try:
            await run.settled()  # what was on its way when the turn was stopped may have been the end
            if work.is_done(run):
                return
            change = work.change
            if change is None:
                change = ended(
                    run.task, RUN_STATE_FAILED, INTERRUPTED if error is None else why(error, run.place)
                )
            run.reason, run.about = change.error.reason, dict(change.error.metadata)
            # What failed is a task, so that its owner can look at it.
            is_task = None if run.is_task else True
            await run.commit([RunEvent(status_changed=change)], last=True, is_task=is_task)
        except HectorError as failure:
            # The log is out of reach, or somebody else's: whoever opens it next ends the run.
            logger.error("end of run was not written", extra={"run": run.place.run, "reason": failure.reason})
            work.failure = failure
        finally:
            await run.settled()
            self._let_go(work, run)

    def _let_go(self, work: Work, run: Run) -> None:
        work.timer.cancel()
        if work.patience is not None:
            work.patience.cancel()
        del self._live[run.place.run]
        self._forget_key(work)
        ACTIVE.add(work.agent.name, amount=-1)
        if not work.opened.done():
            work.opened.set_exception(work.failure or ShuttingDown())
        if run.undecided is not None:
            run.undecided.set()
        if run.parked:
            self.waiting.keep(run.place.run, run.feed)
            run.park()
            return
        run.close()
        run_ended(run, work.call, work.begun)

    def _forget_key(self, work: Work) -> None:
        if work.once is not None:
            key = (work.call.app, work.call.principal.id, work.once.name)
            if self._once.get(key) is work:
                del self._once[key]

    def _interrupt(self, run: Run) -> None:
        self._halt(run, ended(run.task, RUN_STATE_FAILED, INTERRUPTED))

    def _halt_late(self, run: Run, agent: Agent) -> None:
        self._halt(run, ended(run.task, RUN_STATE_FAILED, too_long(agent)))

    def _halt(self, run: Run, change: StatusChanged) -> None:
        work = self._live.get(run.place.run)
        if work is None:  # it ended while somebody wished it would
            return
        if work.change is not None:  # it is stopping: once more would break off what it tidies up
            return
        work.change = change
        run.stopping = True
        if work.task is not None:
            work.task.cancel()
        work.patience = asyncio.get_running_loop().call_later(STOPPING_S, self._leave_behind, work, run)

    def _leave_behind(self, work: Work, run: Run) -> None:
        """End a run whose code does not stop; that goes on, but whatever it does is nobody's any more."""
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
        self._spawn(self._conclude(work, run, None))

    def _spawn(self, work: "Coroutine[object, object, None]") -> "asyncio.Task[None]":
        # An empty context: a run must not inherit, and so die with, the call that asked for it.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
