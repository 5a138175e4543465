"""`/api/sessions`: stored sessions for their owner: list, create, look at, append to, delete."""

import time
from collections.abc import Mapping
from typing import Any

import orjson

from hector.agent.v1 import (
    AgentServiceStub,
    AppendToSessionRequest,
    CreateSessionRequest,
    DeleteSessionRequest,
    GetSessionRequest,
    ListSessionsRequest,
    Session,
)
from hector_a2a import InvalidParams
from hector_a2a.json_fields import described
from hector_a2a.json_in import from_json
from hector_a2a.json_out import to_json
from hector_mesh import Call, Mesh, Principal, scope

from .access import Access
from .artifact_pages import ArtifactPages
from .config import ServerConfig
from .errors import NothingHere
from .exchange import Exchange
from .not_json import why_not_json
from .operations import check_content_type
from .page_verbs import PRIVATE, check_verb
from .query import from_query

PATH = "/api/sessions"
OLD_PATH = "/sessions"
"""Where Hector's documents have them."""
ARTIFACTS = "/api/artifacts"
_ROLES = {"user": "ROLE_USER", "assistant": "ROLE_ASSISTANT", "agent": "ROLE_ASSISTANT"}


class SessionPages:
    """Shows callers their own sessions and artifacts, whatever they do with them.

    `GET, POST /api/sessions`, `GET, DELETE /api/sessions/ID`, `POST /api/sessions/ID/append`, and below
    `/api/sessions/ID/artifacts` and `/api/artifacts` what `artifact_pages` says.
    """

    def __init__(self, access: Access, mesh: Mesh, server: ServerConfig) -> None:
        self._access, self._server = access, server
        self._agents = AgentServiceStub(mesh)
        self._artifacts = ArtifactPages(self._agents, server)

    def has(self, path: str) -> bool:
        """Say whether a path is one of these."""
        return any(path == root or path.startswith(f"{root}/") for root in (PATH, OLD_PATH, ARTIFACTS))

    async def serve(self, exchange: Exchange, principal: Principal) -> None:
        """Answer one request.

        Raises:
            Unauthenticated: Somebody must show a credential first.
            NothingHere: It is no such path.
            WrongVerb: The path takes another one.
            InvalidParams: The query or the body says something that is not known.
            AioRpcError: There is no such session, or it cannot be done.
        """
        self._access.admit(principal)
        call = Call(
            principal=principal,
            deadline=time.monotonic() + self._server.request_timeout,
            traceparent=exchange.traceparent,
            request_id=exchange.request_id,
        )
        steps = exchange.steps
        if steps[0] == "api":
            del steps[0]
        with scope(call):
            match steps:
                case ["artifacts", *name]:
                    await self._artifacts.serve(exchange, "", "/".join(name))
                case ["sessions"]:
                    await self._sessions(exchange)
                case ["sessions", session]:
                    await self._session(exchange, session)
                case ["sessions", session, "append"]:
                    await self._append(exchange, session)
                case ["sessions", session, "artifacts", *name]:
                    await self._artifacts.serve(exchange, session, "/".join(name))
                case _:
                    raise NothingHere(exchange.path)

    async def _sessions(self, exchange: Exchange) -> None:
        check_verb(exchange, "GET", "HEAD", "POST")
        if exchange.verb == "POST":
            body = await self._body(exchange)
            _state_as_text(body, "state", "stateJson")
            created = await self._agents.CreateSession(from_json(body, CreateSessionRequest))
            await _reply(exchange, _shown(created.session), status=201)
            return
        query = from_query(exchange.query_string, described(ListSessionsRequest))
        page = await self._agents.ListSessions(from_json(query, ListSessionsRequest))
        sessions = [_shown(session, brief=True) for session in page.sessions]
        await _reply(exchange, {"sessions": sessions, "nextPageToken": page.next_page_token})

    async def _session(self, exchange: Exchange, session: str) -> None:
        check_verb(exchange, "GET", "HEAD", "DELETE")
        if exchange.verb == "DELETE":
            query = from_query(exchange.query_string, described(DeleteSessionRequest))
            wanted = from_json(query | {"session": session}, DeleteSessionRequest)
            gone = await self._agents.DeleteSession(wanted)
            await _reply(exchange, {"runs": gone.runs})
            return
        query = from_query(exchange.query_string, described(GetSessionRequest))
        found = await self._agents.GetSession(from_json(query | {"session": session}, GetSessionRequest))
        await _reply(exchange, _shown(found.session))

    async def _append(self, exchange: Exchange, session: str) -> None:
        check_verb(exchange, "POST")
        body = await self._body(exchange)
        _state_as_text(body, "state", "stateDeltaJson")
        messages = body.get("messages", [])
        if isinstance(messages, list):
            body["messages"] = [_message(one) for one in messages]
        wanted = from_json(body | {"session": session}, AppendToSessionRequest)
        added = await self._agents.AppendToSession(wanted)
        await _reply(exchange, {"position": added.position})

    async def _body(self, exchange: Exchange) -> dict[str, Any]:
        check_content_type(exchange, lenient=True)
        limits = self._server.limits
        body = await exchange.body(limits.max_body_size, within_s=limits.receive_timeout)
        if not body.strip():
            return {}
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise InvalidParams({"": why_not_json(body, error)}) from None
        if not isinstance(found, dict):
            raise InvalidParams({"": "an object is needed here"})
        return found


def _message(said: object) -> object:
    """Return a message with its roles and its text written out; others may come as the contract has them."""
    if not isinstance(said, dict):
        return said
    found = dict(said)
    role = found.get("role", "user")
    found["role"] = _ROLES.get(role, role) if isinstance(role, str) else role
    if "text" in found and "parts" not in found:
        found["parts"] = [{"text": found.pop("text")}]
    return found


def _state_as_text(body: dict[str, Any], name: str, field: str) -> None:
    if name in body:
        body[field] = orjson.dumps(body.pop(name)).decode()


def _shown(session: Session, *, brief: bool = False) -> Mapping[str, object]:
    found: dict[str, Any] = to_json(session)
    found["runs"] = session.runs
    state = found.pop("stateJson", "")
    if not brief:
        found["state"] = orjson.loads(state or "{}")
        found.setdefault("messages", [])
    return found


async def _reply(exchange: Exchange, found: Mapping[str, object], status: int = 200) -> None:
    await exchange.reply(status, orjson.dumps(found), headers=PRIVATE)
