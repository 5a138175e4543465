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
from dataclasses import dataclass, field
from functools import partial

import grpc.aio

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_CANCELED,
    RUN_STATE_FAILED,
    RUN_STATE_SUBMITTED,
    RUN_STATE_WORKING,
    CancelRun,
    RunError,
    RunEvent,
    RunState,
    Signal,
    StatusChanged,
)
from hector_mesh import Call, HectorError, scope
from hector_store import IdempotencyMismatch, NewPush, NewRun, RunLog, RunRow, new_id

from .agent import Agent
from .conversation import messages_of
from .errors import ShuttingDown, TooManyRuns
from .failure import error_of
from .idempotency import IdempotencyKeyReused, Once
from .ledger import close_abandoned, ended, events_of, task_of
from .measuring import ACTIVE, run_ended
from .order import InOrder
from .push.push import Push
from .run import Place, Run, row_of
from .state import state_of_session
from .turn import Turn
from .view import TASK_STATES, listed, new_task
from .waiting import Waiting

logger = logging.getLogger(__name__)

MOST_LIVE = 10_000  # runs at work or waiting for their turn; each holds some kilobytes and a task
GRACE_S = 1.0  # so that it is the run that is found too long, and not the call it happens to wait for

_Key = tuple[str, str, str]
"""App, owner and the name of a key."""

ENDING_S = 5.0
"""How long a stop waits for the ends of runs to be written: the database may be away."""

INTERRUPTED = RunError(
    reason="INTERRUPTED",
    code=grpc.StatusCode.UNAVAILABLE.value[0],
    message="the server stopped while it worked on this; what it had written is kept: send the message again",
)


class Runs:
    """Starts runs and owns them until they are over. Use inside `running()`."""

    def __init__(self, push: Push | None = None) -> None:
        self._opened: RunLog | None = None
        self._push = push
        self._worker = f"worker-{uuid.uuid4().hex[:12]}"
        self._live: dict[str, _Work] = {}
        self._once: dict[_Key, _Work] = {}
        """Of the live ones those that have a key, from the moment they are asked for."""
        self._turns = InOrder()
        self.waiting = Waiting()
        """Where those stay who follow a run that waits for somebody."""
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
        """
        self._opened = log
        for row in await log.unfinished():
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
                await asyncio.wait(self._tasks, timeout=left_s)  # a run that was stopped begins another one
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
        self, agent: Agent, message: "a2a.Message", call: Call, pushes: tuple[NewPush, ...] = ()
    ) -> Run:
        """Open a run with its first message, durably, and set it to work.

        The message's context id names the session; without one a new session begins. A caller that leaves
        in the middle stops nothing: the run goes on, or was not accepted. Who is to be told of it is written
        with it.

        Raises:
            HectorError: The run was not accepted: nothing was written.
        """
        run = await self._begin(agent, message, call, None, pushes).opened
        assert isinstance(run, Run)  # only a key can lead to one that is over
        return run

    async def start_once(
        self,
        agent: Agent,
        message: "a2a.Message",
        call: Call,
        once: Once,
        pushes: tuple[NewPush, ...] = (),
    ) -> Run | str:
        """Open a run as `start` does, unless its key was used before: then return what became of that.

        Returns:
            A run that is at work here, or the id of one that is not.

        Raises:
            IdempotencyKeyReused: The key stands for another message.
            HectorError: The run was not accepted: nothing was written, and the key is free.
        """
        key = (call.app, call.principal.id, once.name)
        work = self._once.get(key)
        if work is None or not self._is_live(work):
            work = self._once[key] = self._begin(agent, message, call, once, pushes)
        elif work.once is not None and work.once.hash != once.hash:
            found = await asyncio.shield(work.opened)
            raise IdempotencyKeyReused(once.key, found if isinstance(found, str) else found.place.run)
        try:
            # Shielded: others may wait for the same.
            return await asyncio.shield(work.opened)
        except IdempotencyMismatch as error:
            raise IdempotencyKeyReused(once.key, error.facts["run_id"]) from None

    def _begin(
        self,
        agent: Agent,
        message: "a2a.Message",
        call: Call,
        once: Once | None,
        pushes: tuple[NewPush, ...],
    ) -> "_Work":
        if not self._accepting:
            raise ShuttingDown
        if len(self._live) >= MOST_LIVE:
            raise TooManyRuns(MOST_LIVE)
        work = _Work(agent, call, asyncio.get_running_loop().create_future(), once, pushes)
        work.task = self._spawn(self._work_on(work, message))
        work.task.add_done_callback(partial(self._worked, work))
        return work

    def _is_live(self, work: "_Work") -> bool:
        """Say whether a run is at work here, or about to be."""
        return not work.opened.done() or (work.run is not None and self._live.get(work.run.place.run) is work)

    async def cancel(self, run: Run, reason: str) -> int:
        """Stop a run and all that it started, and return the number of the signal that says so.

        Returns when the run is over; it may have ended otherwise meanwhile.
        """
        wish = Signal(cancel=CancelRun(reason=reason))
        place = run.place
        number = await self.log.signal(place.app, place.run, "cancel", wish.SerializeToString())
        self._halt(run, StatusChanged(state=RUN_STATE_CANCELED))
        await run.finished.wait()
        return number

    async def _end_abandoned(self, log: RunLog, row: RunRow) -> None:
        facts = {"run": row.id, "agent": row.agent}
        change = ended(task_of(row), RUN_STATE_FAILED, INTERRUPTED)
        try:
            await close_abandoned(log, row, self._worker, change, "the process is gone")
        except HectorError as error:  # one bad row must not keep all others from being served
            logger.error("interrupted run could not be ended", extra={**facts, "reason": error.reason})
        else:
            logger.warning("run was interrupted", extra=facts)

    async def _work_on(self, work: "_Work", message: "a2a.Message") -> None:
        """Open a run, and take its turn."""
        agent, call = work.agent, work.call
        received = a2a.Message()
        received.CopyFrom(message)
        received.task_id = new_id()
        received.context_id = received.context_id or new_id()
        run = await self._open(work, received, new_context=not message.context_id)
        if isinstance(run, str):
            if not work.opened.done():
                work.opened.set_result(run)
            return
        work.run = run
        work.begun = time.perf_counter()
        ACTIVE.add(agent.name)
        self._live[run.place.run] = work
        limit_s = agent.config.timeout
        work.timer = asyncio.get_running_loop().call_later(limit_s, self._halt_late, run, agent)
        if not work.opened.done():  # else whoever asked has left
            work.opened.set_result(run)
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
        await self._take_turn(agent, run, work.call)

    async def _open(self, work: "_Work", message: "a2a.Message", *, new_context: bool) -> Run | str:
        """Write a run down, and return it; the id of another one that has its key already."""
        agent, call, once = work.agent, work.call, work.once
        run_id, app, owner = message.task_id, call.app, call.principal.id
        waits = self._turns.busy((app, owner, message.context_id))
        state = RUN_STATE_SUBMITTED if waits else RUN_STATE_WORKING
        received = RunEvent()
        received.message_received.message.Pack(message)
        events = [received, RunEvent(status_changed=StatusChanged(state=state))]
        task = new_task(run_id, message.context_id)
        task.history.append(message)
        task.status.state = TASK_STATES[state]
        new = NewRun(
            id=run_id,
            app=app,
            owner=owner,
            agent=agent.name,
            context_id=message.context_id,
            new_context=new_context,
            state=RunState.Name(state),
            revision=agent.revision or call.revision,
            worker=self._worker,
            idempotency_key=once.name if once else "",
            idempotency_hash=once.hash if once else "",
            view=listed(task),
            pushes=tuple(push if push.id else push._replace(id=run_id) for push in work.pushes),
        )
        created = await self.log.create(new, [row_of(event) for event in events])
        if created.repeated:
            return created.run_id
        task.status.timestamp.FromMicroseconds(created.time_us)
        place = Place(
            run_id, app, owner, agent.name, message.context_id, created.context_position, created.epoch
        )
        run = Run(self.log, place, task, len(events) + 1)
        if self._push is not None:
            run.committed = self._push.wake
            if work.pushes:
                self._push.placed(run_id)
        run.state = state
        return run

    async def _take_turn(self, agent: Agent, run: Run, root: Call) -> None:
        place = run.place
        async with self._turns.turn((place.app, place.owner, place.context), place.position):
            if run.state == RUN_STATE_SUBMITTED:
                await run.commit([RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING))])
            before = (
                []
                if place.position == 1
                else events_of(
                    await self.log.conversation(
                        place.app, place.owner, place.context, before_position=place.position
                    )
                )
            )
            if agent.handler is not None:
                with scope(root):
                    await _answer_by_code(agent, run, before, root)
                return
            history, said = messages_of(before), run.said()
            with scope(root):
                turn = Turn(agent, run, [*history, *said], state_of_session(before))
                await turn.work(said, len(history))

    def _worked(self, work: "_Work", task: asyncio.Task[None]) -> None:
        """See to it that the log says how a run ended, whatever happened to its turn."""
        error, run = None if task.cancelled() else task.exception(), work.run
        if run is None:
            self._forget_key(work)
            if not work.opened.done():
                work.opened.set_exception(error or ShuttingDown())
        elif run.over and not run.writing:  # as it should be: there is nothing to wait for
            self._let_go(work, run)
        else:
            self._spawn(self._conclude(work, run, error))

    async def _conclude(self, work: "_Work", run: Run, error: BaseException | None) -> None:
        """Write how a run ended, unless its turn has: cancelled, halted or failed."""
        try:
            await run.settled()  # what was on its way when the turn was stopped may have been the end
            if run.over:
                return
            change = work.change
            if change is None:
                change = ended(
                    run.task, RUN_STATE_FAILED, INTERRUPTED if error is None else _why(error, run.place)
                )
            run.reason, run.about = change.error.reason, dict(change.error.metadata)
            await run.commit([RunEvent(status_changed=change)], last=True)
        except HectorError as failure:
            # The log is out of reach, or somebody else's: whoever opens it next ends the run.
            logger.error("end of run was not written", extra={"run": run.place.run, "reason": failure.reason})
        finally:
            await run.settled()
            self._let_go(work, run)

    def _let_go(self, work: "_Work", run: Run) -> None:
        work.timer.cancel()
        del self._live[run.place.run]
        self._forget_key(work)
        run.close()
        ACTIVE.add(work.agent.name, amount=-1)
        run_ended(run, work.call, work.begun)

    def _forget_key(self, work: "_Work") -> None:
        if work.once is not None:
            key = (work.call.app, work.call.principal.id, work.once.name)
            if self._once.get(key) is work:
                del self._once[key]

    def _interrupt(self, run: Run) -> None:
        self._halt(run, ended(run.task, RUN_STATE_FAILED, INTERRUPTED))

    def _halt_late(self, run: Run, agent: Agent) -> None:
        self._halt(run, ended(run.task, RUN_STATE_FAILED, _too_long(agent)))

    def _halt(self, run: Run, change: StatusChanged) -> None:
        work = self._live.get(run.place.run)
        if work is None:  # it ended while somebody wished it would
            return
        work.change = work.change or change
        work.task.cancel()

    def _spawn(self, work: "Coroutine[object, object, None]") -> "asyncio.Task[None]":
        # An empty context: a run must not inherit, and so die with, the call that asked for it.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


@dataclass(slots=True, eq=False)
class _Work:
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
    task: "asyncio.Task[None]" = field(init=False)
    """Opens the run and takes its turn. Cancelled where the run is stopped."""
    run: Run | None = None
    timer: asyncio.TimerHandle = field(init=False)
    """Stops a run that takes too long."""
    change: StatusChanged | None = None
    """What is to be written of a run that was stopped."""
    begun: float = 0.0


async def _answer_by_code(agent: Agent, run: Run, before: Sequence[RunEvent], call: Call) -> None:
    from .custom import turn, work

    assert agent.handler is not None
    place = run.place
    given = turn.Turn(
        message=run.task.history[-1],
        task_id=place.run,
        context_id=place.context,
        state=state_of_session(before),
        agent=agent.name,
        app=place.app,
        principal=call.principal,
        revision=call.revision,
    )
    await work.work(agent.handler, given, run)


def _why(error: BaseException, place: Place) -> RunError:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, HectorError | grpc.aio.AioRpcError):
        return error_of(error)
    # The border of the agent's own code: a bug must end the run, and must not reach the user.
    logger.error("run met a bug", exc_info=error, extra={"run": place.run, "agent": place.agent})
    return RunError(
        reason="INTERNAL",
        code=grpc.StatusCode.INTERNAL.value[0],
        message=f"something in Hector went wrong; the log has it under run {place.run}",
        metadata={"run": place.run},
    )


def _too_long(agent: Agent) -> RunError:
    limit = agent.config.timeout
    return RunError(
        reason="RUN_TIMED_OUT",
        code=grpc.StatusCode.DEADLINE_EXCEEDED.value[0],
        message=f"the run took longer than {limit:g} s; raise agents.{agent.name}.timeout, or ask for less",
        metadata={"timeout_s": f"{limit:g}"},
    )
