"""Commands to runs and what operators see of the queue, as `hector.agent.v1.AgentService` has them."""

from hector.agent.v1 import (
    AgentQueue,
    AgentServiceServicer,
    CancelRunRequest,
    CancelRunResponse,
    Checkpoint,
    DeadLetter,
    GetQueueStatsRequest,
    GetQueueStatsResponse,
    ListCheckpointsRequest,
    ListCheckpointsResponse,
    ListDeadLettersRequest,
    ListDeadLettersResponse,
    PauseRunRequest,
    PauseRunResponse,
    QueueWorker,
    RequeueDeadLetterRequest,
    RequeueDeadLetterResponse,
    ResumeRunRequest,
    ResumeRunResponse,
    RetryRunRequest,
    RetryRunResponse,
    Run,
)
from hector_agent.ledger import events_of
from hector_agent.recovery import checkpoints
from hector_agent.roster import Roster
from hector_agent.runs import Runs
from hector_agent.shown import run_of
from hector_mesh import Call, Context, current_call
from hector_store import DeadLetter as DeadRow
from hector_store import DeadLetters, Queue, RunRow

from .commands import OPERATORS, Commands
from .errors import NoDeadLetter, OnlyForOperators
from .retries import retried

_COUNTS = ("due", "working", "sleeping", "waiting", "orphaned")


class CommandsServicer(AgentServiceServicer):
    """The part of AgentService that concerns commands."""

    _roster: Roster
    _runs: Runs
    _commands: Commands

    async def CancelRun(self, request: CancelRunRequest, context: Context) -> CancelRunResponse:
        """Stop a run."""
        done = await self._commands.cancel(current_call.get(), request.run, request.reason)
        return CancelRunResponse(run=run_of(done.row), changed=done.changed)

    async def PauseRun(self, request: PauseRunRequest, context: Context) -> PauseRunResponse:
        """Have a run stop before its next step."""
        done = await self._commands.pause(current_call.get(), request.run, request.reason)
        return PauseRunResponse(run=run_of(done.row), changed=done.changed)

    async def ResumeRun(self, request: ResumeRunRequest, context: Context) -> ResumeRunResponse:
        """Let a run go on that is held."""
        done = await self._commands.resume(current_call.get(), request.run)
        return ResumeRunResponse(run=run_of(done.row), changed=done.changed)

    async def RetryRun(self, request: RetryRunRequest, context: Context) -> RetryRunResponse:
        """Begin a run anew that has failed."""
        call = current_call.get()
        row = await self._commands.row(call, request.run)
        run, changed = await self._retried(call, row, from_start=request.from_start)
        return RetryRunResponse(run=run, changed=changed)

    async def ListCheckpoints(
        self, request: ListCheckpointsRequest, context: Context
    ) -> ListCheckpointsResponse:
        """List from where a run may be gone on with."""
        row = await self._commands.row(current_call.get(), request.run)
        own = events_of(await self._runs.log.events(row.app, row.id))
        times = {event.seq: event.time for event in own}
        return ListCheckpointsResponse(
            checkpoints=[
                Checkpoint(seq=one.seq, iteration=one.iteration, why=one.why, time=times.get(one.seq))
                for one in checkpoints(own, self._runs.checkpoint)
            ]
        )

    async def GetQueueStats(self, request: GetQueueStatsRequest, context: Context) -> GetQueueStatsResponse:
        """Say what there is to be done."""
        call = _operators("looking at the queue")
        database = self._runs.database
        stats, dead = await Queue(database).stats(call.app), await DeadLetters(database).counts(call.app)
        response = GetQueueStatsResponse(oldest_due_ms=stats.oldest_due_us // 1000)
        for name in sorted({*stats.agents, *dead}):
            shown = response.agents.add(agent=name, dead=dead.get(name, 0))
            if name in stats.agents:
                shown.MergeFrom(AgentQueue(**{each: getattr(stats.agents[name], each) for each in _COUNTS}))
        for each in (*_COUNTS, "dead"):
            setattr(response.total, each, sum(getattr(one, each) for one in response.agents))
        for worker, runs in stats.workers:
            added = QueueWorker(
                name=worker.id,
                host=worker.host,
                pid=worker.pid,
                target=worker.target,
                runs=runs,
                alive=worker.is_alive,
            )
            added.start_time.FromMicroseconds(worker.started_time_us)
            response.workers.append(added)
        return response

    async def ListDeadLetters(
        self, request: ListDeadLettersRequest, context: Context
    ) -> ListDeadLettersResponse:
        """List runs that nobody tries again."""
        call = _operators("looking at dead letters")
        page = await DeadLetters(self._runs.database).list(
            call.app,
            agent=request.agent or None,
            requeued=request.requeued,
            page_size=min(request.page_size, 100) if request.page_size > 0 else 50,
            page_token=request.page_token,
        )
        return ListDeadLettersResponse(
            dead_letters=[_letter_of(one) for one in page.letters], next_page_token=page.next_page_token
        )

    async def RequeueDeadLetter(
        self, request: RequeueDeadLetterRequest, context: Context
    ) -> RequeueDeadLetterResponse:
        """Have a dead letter tried again."""
        call = _operators("requeueing dead letters")
        letters = DeadLetters(self._runs.database)
        row = await self._runs.log.get(call.app, None, request.run)
        if row is None or await letters.get(call.app, request.run) is None:
            raise NoDeadLetter(request.run)
        run, changed = await self._retried(call, row, from_start=request.from_start)
        return RequeueDeadLetterResponse(run=run, changed=changed)

    async def _retried(self, call: Call, row: RunRow, *, from_start: bool) -> tuple[Run, bool]:
        log = self._runs.log
        new, changed = await retried(log, self._roster, row, call.principal.id, from_start=from_start)
        await DeadLetters(self._runs.database).requeue(call.app, row.id, new)
        found = await log.get(row.app, row.owner, new)
        assert found is not None
        return run_of(found, retry_of=row.id), changed


def _operators(what: str) -> Call:
    """Return the call, if it is an operator's.

    Raises:
        OnlyForOperators: It is not.
    """
    call = current_call.get()
    if not call.principal.roles & OPERATORS:
        raise OnlyForOperators(what)
    return call


def _letter_of(row: DeadRow) -> DeadLetter:
    letter = DeadLetter(
        run=row.run_id,
        agent=row.agent,
        session=row.context_id,
        owner=row.owner,
        reason=row.reason,
        message=row.message,
        attempts=row.attempts,
        requeued_as=row.requeued_as,
    )
    letter.time.FromMicroseconds(row.time_us)
    return letter
