"""The runs that this process works on: admission, turns in order, cancellation, and what a restart finds.

A run is its own task under its own call: whoever asked may leave, and nothing stops.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context
from typing import TypeVar

import grpc.aio

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_CANCELED,
    RUN_STATE_FAILED,
    RUN_STATE_SUBMITTED,
    RUN_STATE_WORKING,
    CancelRun,
    MessageReceived,
    RunError,
    RunEvent,
    RunState,
    Signal,
    StatusChanged,
)
from hector_mesh import Call, HectorError, scope
from hector_store import NewRun, RunLog, RunRow, new_id

from .agent import Agent
from .conversation import messages_of
from .errors import ShuttingDown, TooManyRuns
from .failure import error_of
from .ledger import close_abandoned, ended, events_of, packed, task_of
from .measuring import ACTIVE, run_ended
from .order import InOrder
from .run import Place, Run, row_of
from .state import state_of_session
from .turn import Turn
from .view import fold, listed, new_task

logger = logging.getLogger(__name__)

T = TypeVar("T", Run, None)

MOST_LIVE = 10_000  # runs at work or waiting for their turn; each holds some kilobytes and a task
GRACE_S = 1.0  # so that it is the run that is found too long, and not the call it happens to wait for

INTERRUPTED = RunError(
    reason="INTERRUPTED",
    code=grpc.StatusCode.UNAVAILABLE.value[0],
    message="the server stopped while it worked on this; what it had written is kept: send the message again",
)


class Runs:
    """Starts runs and owns them until they are over. Use inside `running()`."""

    def __init__(self) -> None:
        self._opened: RunLog | None = None
        self._worker = f"worker-{uuid.uuid4().hex[:12]}"
        self._live: dict[str, Run] = {}
        self._work: dict[str, asyncio.Task[None]] = {}
        self._halted: dict[str, StatusChanged] = {}
        self._turns = InOrder()
        self._tasks: set[asyncio.Task[Run] | asyncio.Task[None]] = set()
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
        at work; what they had committed is kept.
        """
        self._opened = log
        for row in await log.unfinished():
            await self._end_abandoned(log, row)
        self._accepting = True
        try:
            yield
        finally:
            self._accepting = False
            for run in tuple(self._live.values()):
                self._interrupt(run)
            while self._tasks:  # a run that is just being opened begins another one
                await asyncio.wait(self._tasks)

    def live(self, app: str, owner: str, run: str) -> Run | None:
        """Return a run that is at work here and belongs to the caller."""
        found = self._live.get(run)
        if found is None or (found.place.app, found.place.owner) != (app, owner):
            return None
        return found

    async def start(self, agent: Agent, message: "a2a.Message", call: Call) -> Run:
        """Open a run with its first message, durably, and set it to work.

        The message's context id names the session; without one a new session begins. A caller that leaves
        in the middle stops nothing: the run goes on, or was not accepted.

        Raises:
            HectorError: The run was not accepted: nothing was written.
        """
        if not self._accepting:
            raise ShuttingDown
        if len(self._live) >= MOST_LIVE:
            raise TooManyRuns(MOST_LIVE)
        return await asyncio.shield(self._spawn(self._begin(agent, message, call)))

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

    async def _begin(self, agent: Agent, message: "a2a.Message", call: Call) -> Run:
        received = a2a.Message()
        received.CopyFrom(message)
        received.task_id = new_id()
        received.context_id = received.context_id or new_id()
        run = await self._open(agent, received, call)
        root = Call(
            principal=call.principal,
            app=call.app,
            deadline=time.monotonic() + agent.config.timeout + GRACE_S,
            traceparent=call.traceparent,
            request_id=call.request_id,
            revision=call.revision,
        )
        if not self._accepting:  # the server was stopped meanwhile
            self._interrupt(run)
        self._spawn(self._own(agent, run, root, fresh=not message.context_id))
        return run

    async def _open(self, agent: Agent, message: "a2a.Message", call: Call) -> Run:
        run_id, app, owner = message.task_id, call.app, call.principal.id
        waits = self._turns.busy((app, owner, message.context_id))
        state = RUN_STATE_SUBMITTED if waits else RUN_STATE_WORKING
        events = [
            RunEvent(message_received=MessageReceived(message=packed(message))),
            RunEvent(status_changed=StatusChanged(state=state)),
        ]
        task = fold(new_task(run_id, message.context_id), events)
        new = NewRun(
            id=run_id,
            app=app,
            owner=owner,
            agent=agent.name,
            context_id=message.context_id,
            state=RunState.Name(state),
            revision=call.revision,
            worker=self._worker,
            view=listed(task),
        )
        created = await self.log.create(new, [row_of(event) for event in events])
        task.status.timestamp.FromMicroseconds(created.time_us)
        place = Place(
            run_id, app, owner, agent.name, message.context_id, created.context_position, created.epoch
        )
        run = Run(self.log, place, task, len(events) + 1)
        run.state = state
        self._live[run_id] = run
        return run

    async def _own(self, agent: Agent, run: Run, root: Call, *, fresh: bool) -> None:
        """Work on a run until it is over. Whatever happens, its log says how it ended."""
        place, begun = run.place, time.perf_counter()
        ACTIVE.add(place.agent)
        work = asyncio.get_running_loop().create_task(self._take_turn(agent, run, root, fresh=fresh))
        self._work[place.run] = work
        if place.run in self._halted:
            work.cancel()
        try:
            done, _ = await asyncio.wait([work], timeout=agent.config.timeout)
            if not done:
                self._halt(run, ended(run.task, RUN_STATE_FAILED, _too_long(agent)))
                await asyncio.wait([work])
            await self._conclude(run, work)
        finally:
            work.cancel()
            self._work.pop(place.run, None)
            self._halted.pop(place.run, None)
            self._live.pop(place.run, None)
            await run.close()
            ACTIVE.add(place.agent, amount=-1)
            run_ended(run, root, begun)

    async def _take_turn(self, agent: Agent, run: Run, root: Call, *, fresh: bool) -> None:
        place = run.place
        async with self._turns.turn((place.app, place.owner, place.context), place.position):
            if run.state == RUN_STATE_SUBMITTED:
                await run.commit([RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING))])
            before = (
                []
                if fresh
                else events_of(
                    await self.log.conversation(
                        place.app, place.owner, place.context, before_position=place.position
                    )
                )
            )
            history, said = messages_of(before), run.said()
            with scope(root):
                turn = Turn(agent, run, [*history, *said], state_of_session(before))
                await turn.work(said, len(history))

    async def _conclude(self, run: Run, work: "asyncio.Task[None]") -> None:
        """Write how a run ended, unless its turn has: cancelled, halted or failed."""
        await run.settled()  # what was on its way when the turn was stopped may have been the end
        place, error = run.place, None if work.cancelled() else work.exception()
        if run.over:
            return
        change = self._halted.get(place.run)
        if change is None:
            why = INTERRUPTED if error is None else _why(error, place)
            change = ended(run.task, RUN_STATE_FAILED, why)
        run.reason, run.about = change.error.reason, dict(change.error.metadata)
        try:
            await run.commit([RunEvent(status_changed=change)], last=True)
        except HectorError as failure:
            # The log is out of reach, or somebody else's: whoever opens it next ends the run.
            logger.error("end of run was not written", extra={"run": place.run, "reason": failure.reason})

    def _interrupt(self, run: Run) -> None:
        self._halt(run, ended(run.task, RUN_STATE_FAILED, INTERRUPTED))

    def _halt(self, run: Run, change: StatusChanged) -> None:
        if run.place.run not in self._live:  # it ended while somebody wished it would
            return
        self._halted.setdefault(run.place.run, change)
        if work := self._work.get(run.place.run):
            work.cancel()

    def _spawn(self, work: "Coroutine[object, object, T]") -> "asyncio.Task[T]":
        # An empty context: a run must not inherit, and so die with, the call that asked for it.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


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
