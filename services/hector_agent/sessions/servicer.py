"""The stored session API: list, get, create, append, delete. Everybody has only their own sessions."""

import asyncio
import json

from hector.agent.v1 import (
    AgentServiceServicer,
    AppendToSessionRequest,
    AppendToSessionResponse,
    CancelRun,
    CreateSessionRequest,
    CreateSessionResponse,
    DeleteSessionRequest,
    DeleteSessionResponse,
    GetSessionRequest,
    GetSessionResponse,
    ListSessionsRequest,
    ListSessionsResponse,
    Session,
    Signal,
    SignalRequest,
)
from hector_agent.commands.standing import without_retried
from hector_agent.conversation import messages_of
from hector_agent.errors import SessionNotFound
from hector_agent.ledger import events_of
from hector_agent.roster import Roster
from hector_agent.runs import Runs
from hector_mesh import Call, Context, HectorError, current_call
from hector_store import ContextRow, new_id
from hector_store.errors import ContextBusy

from . import appending
from .errors import NotToBeKept
from .reading import SAID
from .scopes import merged

LONGEST_ID = 255
CANCELLING_S = 30.0
"""How long a session that is to go is waited for, where its call says nothing else."""
_OVER = ("RUN_OVER", "RUN_DOES_NOT_WAIT", "RUN_NOT_FOUND")


class SessionsServicer(AgentServiceServicer):
    """Serves the part of hector.agent.v1.AgentService that is about sessions."""

    _roster: Roster
    _runs: Runs

    async def ListSessions(self, request: ListSessionsRequest, context: Context) -> ListSessionsResponse:
        """List the caller's sessions, the latest change first."""
        call = current_call.get()
        page = await self._runs.log.contexts(
            call.app,
            call.principal.id,
            agent=request.agent or None,
            page_size=page_size(request.page_size),
            page_token=request.page_token,
        )
        sessions = [session_of(row) for row in page.contexts]
        return ListSessionsResponse(sessions=sessions, next_page_token=page.next_page_token)

    async def GetSession(self, request: GetSessionRequest, context: Context) -> GetSessionResponse:
        """Return one session with what was said in it, and its state."""
        call = current_call.get()
        row = await self._session(call, request.session)
        most = request.history_length if request.HasField("history_length") else None
        if most is not None and most < 0:
            raise NotToBeKept("history_length", f"it must not be negative, found {most}")
        # Each place says something, so that so many messages are in no more than so many places.
        after = 0 if most is None else max(0, row.latest - most)
        told = await self._runs.log.told(
            call.app, call.principal.id, row.context_id, after_position=after, kinds=SAID
        )
        session = session_of(row)
        messages = messages_of(without_retried(events_of(told.events)))
        session.messages.extend(messages if most is None else messages[max(0, len(messages) - most) :])
        session.state_json = json.dumps(merged(told.scopes), ensure_ascii=False)
        return GetSessionResponse(session=session)

    async def CreateSession(self, request: CreateSessionRequest, context: Context) -> CreateSessionResponse:
        """Begin a session."""
        call, name = current_call.get(), request.session or new_id()
        if len(name) > LONGEST_ID:
            raise NotToBeKept("session", f"it has {len(name)} characters (allowed: {LONGEST_ID})")
        agent = self._roster.pick(request.agent).name
        await appending.begin(self._runs.log, call, name, agent, request.state_json)
        found = await self.GetSession(GetSessionRequest(session=name), context)
        return CreateSessionResponse(session=found.session)

    async def AppendToSession(
        self, request: AppendToSessionRequest, context: Context
    ) -> AppendToSessionResponse:
        """Add to the end of a session."""
        call = current_call.get()
        found = await self._runs.log.latest(call.app, call.principal.id, request.session)
        if found is None:
            raise SessionNotFound(request.session)
        position = await appending.append(
            self._runs.log,
            call,
            request.session,
            found[1],
            request.messages,
            request.state_delta_json,
            request.idempotency_key,
        )
        return AppendToSessionResponse(position=position)

    async def DeleteSession(self, request: DeleteSessionRequest, context: Context) -> DeleteSessionResponse:
        """Remove one session with all that belongs to it; what is at work in it is cancelled if so asked."""
        call = current_call.get()
        row = await self._session(call, request.session)
        left_s = call.remaining()
        gives_up = asyncio.get_running_loop().time() + (CANCELLING_S if left_s is None else left_s)
        while True:
            try:
                gone = await self._runs.log.delete_context(call.app, call.principal.id, row.context_id)
            except ContextBusy as busy:
                if not request.cancel:
                    raise
                try:
                    async with asyncio.timeout_at(gives_up):
                        await self._cancelled(busy.facts["run"], context)
                except TimeoutError:
                    raise busy from None
            else:
                return DeleteSessionResponse(runs=gone)

    async def _cancelled(self, run: str, context: Context) -> None:
        """Cancel a run, wherever it is at work, and wait until it is over."""
        wish = Signal(cancel=CancelRun(reason="its session is deleted"))
        try:
            await self.Signal(SignalRequest(run=run, signal=wish), context)
        except HectorError as error:
            if error.reason not in _OVER:
                raise
        await self._runs.waiting.settled(run)

    async def _session(self, call: Call, session: str) -> ContextRow:
        row = await self._runs.log.context(call.app, call.principal.id, session)
        if row is None:
            raise SessionNotFound(session)
        return row


def page_size(wanted: int) -> int:
    """Return how many a page has."""
    return min(wanted, 100) if wanted > 0 else 50


def session_of(row: ContextRow) -> Session:
    """Return a session as lists show it."""
    session = Session(name=row.context_id, agent=row.agent, runs=row.runs)
    session.create_time.FromMicroseconds(row.created_time_us)
    session.update_time.FromMicroseconds(row.updated_time_us)
    return session
