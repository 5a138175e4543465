"""Agents, runs and sessions for those who need more than A2A."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from hector.agent.v1 import (
    GetAgentRequest,
    GetAgentResponse,
    GetRunRequest,
    GetRunResponse,
    ListAgentsRequest,
    ListAgentsResponse,
    ListRunsRequest,
    ListRunsResponse,
    RunState,
    SignalRequest,
    SignalResponse,
    TailRequest,
    TailResponse,
)
from hector_mesh import Call, Context, current_call
from hector_store import RunRow

from .commands.commands import Commands
from .commands.servicer import CommandsServicer
from .commands.standing import retry_of
from .errors import (
    RunElsewhere,
    RunNotFound,
    RunOver,
    SignalNotSupported,
)
from .feed import Cursor
from .ledger import events_of, state_of
from .opening import waits
from .push.deliveries import DeliveriesServicer
from .push.push import Push
from .roster import Roster
from .run import Run
from .runs import Runs
from .sessions.artifact_servicer import ArtifactsServicer
from .sessions.servicer import SessionsServicer, page_size
from .shown import run_of
from .tail import Reader, tail
from .usage import summed

TURNS = frozenset({"turn"})
"""Kinds of runs that answer somebody."""


class AgentServicer(SessionsServicer, ArtifactsServicer, CommandsServicer, DeliveriesServicer):
    """Serves hector.agent.v1.AgentService. Everybody sees only what is their own."""

    def __init__(self, roster: Roster, runs: Runs, push: Push) -> None:
        super().__init__(push)
        self._roster, self._runs, self._commands = roster, runs, Commands(runs, roster)

    async def ListAgents(self, request: ListAgentsRequest, context: Context) -> ListAgentsResponse:
        """List all agents; the border hides what a caller may not see."""
        return ListAgentsResponse(agents=self._roster.described())

    async def GetAgent(self, request: GetAgentRequest, context: Context) -> GetAgentResponse:
        """Return one agent."""
        name = self._roster.pick(request.agent).name
        return GetAgentResponse(agent=next(found for found in self._roster.described() if found.name == name))

    async def ListRuns(self, request: ListRunsRequest, context: Context) -> ListRunsResponse:
        """List the caller's runs, the latest change first."""
        call = current_call.get()
        page = await self._runs.log.list(
            call.app,
            call.principal.id,
            context_id=request.session or None,
            agent=request.agent or None,
            states=[RunState.Name(state) for state in request.states] or None,
            kinds=TURNS,
            page_size=page_size(request.page_size),
            page_token=request.page_token,
        )
        runs = [run_of(row) for row in page.runs]
        return ListRunsResponse(runs=runs, next_page_token=page.next_page_token, total_size=page.total_size)

    async def GetRun(self, request: GetRunRequest, context: Context) -> GetRunResponse:
        """Return one run, with why it failed and what its models cost."""
        call = current_call.get()
        row = await self._row(call, request.run)
        run = run_of(row)
        events = events_of(await self._runs.log.events(call.app, row.id))
        run.usage.CopyFrom(summed(events))
        again = retry_of(events)
        run.retry_of = again.run if again is not None else ""
        for event in events:
            if event.WhichOneof("event") == "status_changed" and event.status_changed.HasField("error"):
                run.error.CopyFrom(event.status_changed.error)
        return GetRunResponse(run=run)

    async def Tail(self, request: TailRequest, context: Context) -> AsyncIterator[TailResponse]:
        """Stream a run's events from a place on, whoever works on it."""
        call = current_call.get()
        if request.mirror:
            async with aclosing(self._mirrored(request, call)) as responses:
                async for response in responses:
                    yield response
            return
        # Before the row is read: whoever takes up a run that waits finds the feed, and us, here.
        waiting = self._runs.waiting.feed(request.run)
        row = await self._row(call, request.run)
        live = await self._at_work(call, row)
        feed = live.feed if live is not None else None
        if feed is None and not row.finished:
            waiting.begin(row.next_seq)
            feed = waiting
        if request.committed_only:
            feed = None
        cursor = Cursor(request.after, request.offset)
        async with aclosing(tail(self._runs.log, call.app, row.id, feed, cursor)) as batches:
            async for batch in batches:
                for shown in batch:
                    response = TailResponse(event=shown.event)
                    response.event.run = row.id
                    yield response

    async def _mirrored(self, request: TailRequest, call: Call) -> AsyncGenerator[TailResponse, None]:
        """Show another process a run for as long as it is at work here."""
        live = self._runs.live(call.app, call.principal.id, request.run)
        if live is None or live.draft is not None:
            raise RunElsewhere(request.run)
        cursor, log = Cursor(request.after, request.offset), self._runs.log
        reader = Reader(log, call.app, request.run, live.feed, cursor, is_mirror=True)
        del live
        try:
            while batch := await reader.read():
                for shown in batch:
                    yield TailResponse(event=shown.event)
        finally:
            reader.close()

    async def Signal(self, request: SignalRequest, context: Context) -> SignalResponse:
        """Ask something of a run."""
        call, wish = current_call.get(), request.signal
        kind = wish.WhichOneof("signal")
        if kind == "cancel":
            row = await self._row(call, request.run)
            if row.finished:
                raise RunOver(row.id, RunState.Name(state_of(row)))
            done = await self._commands.cancel(call, request.run, wish.cancel.reason)
        elif kind == "pause":
            done = await self._commands.pause(call, request.run, wish.pause.reason)
        elif kind == "resume":
            done = await self._commands.resume(call, request.run, wish.resume.reason)
        elif kind == "wake_json":
            done = await self._commands.wake(call, request.run, wish.wake_json)
        else:
            raise SignalNotSupported(kind or "nothing")
        return SignalResponse(id=done.id)

    async def _row(self, call: Call, run: str) -> RunRow:
        row = await self._runs.log.get(call.app, call.principal.id, run)
        if row is None:
            raise RunNotFound(run)
        return row

    async def _at_work(self, call: Call, row: RunRow) -> Run | None:
        live = self._runs.live(call.app, call.principal.id, row.id)
        if live is not None or row.finished or waits(row):
            return live
        return await self._runs.taken_up(call.app, call.principal.id, row.id)
