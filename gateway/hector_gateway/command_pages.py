"""`/api/tasks`: commands to tasks, and how their runs stand."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from hector.agent.v1 import (
    AgentServiceStub,
    CancelRunRequest,
    GetRunRequest,
    ListCheckpointsRequest,
    PauseRunRequest,
    ResumeRunRequest,
    RetryRunRequest,
    Signal,
    SignalRequest,
)
from hector_a2a.json_fields import described
from hector_a2a.json_in import from_json
from hector_a2a.json_out import to_json
from hector_mesh import Call, Mesh, Principal, scope

from .access import Access
from .config import ServerConfig
from .errors import NothingHere
from .exchange import Exchange
from .page_verbs import PRIVATE, check_verb
from .query import from_query

PATH = "/api/tasks"
_COMMANDS: Mapping[str, Any] = {
    "cancel": CancelRunRequest,
    "pause": PauseRunRequest,
    "resume": ResumeRunRequest,
    "retry": RetryRunRequest,
}


class CommandPages:
    """For a task's owner, and for operators.

    `GET /api/tasks/ID`, `GET /api/tasks/ID/checkpoints`, and `POST /api/tasks/ID:cancel`, `:pause`,
    `:resume`, `:retry`, `:signal`; what a command needs besides stands in the query, as `?reason=` or
    `?fromStart=true`.
    The body of `:signal` is the JSON object that the run gets.
    """

    def __init__(self, access: Access, mesh: Mesh, server: ServerConfig) -> None:
        self._access, self._server = access, server
        self._agents = AgentServiceStub(mesh)

    def has(self, path: str) -> bool:
        """Say whether a path is one of these."""
        return path.startswith(f"{PATH}/")

    async def serve(self, exchange: Exchange, principal: Principal) -> None:
        """Answer one request.

        Raises:
            Unauthenticated: Somebody must show a credential first.
            NothingHere: It is no such path.
            WrongVerb: The path takes another one.
            InvalidParams: The query says something that is not known.
            AioRpcError: There is no such task, or the command is refused.
        """
        self._access.admit(principal)
        call = Call(
            principal=principal,
            deadline=time.monotonic() + self._server.request_timeout,
            traceparent=exchange.traceparent,
            request_id=exchange.request_id,
        )
        with scope(call):
            match exchange.steps[2:]:
                case [task, "checkpoints"]:
                    check_verb(exchange, "GET", "HEAD")
                    found: Any = await self._agents.ListCheckpoints(ListCheckpointsRequest(run=task))
                case [step] if ":" in step:
                    check_verb(exchange, "POST")
                    task, _, command = step.rpartition(":")
                    found = await self._commanded(exchange, task, command)
                case [task] if task:
                    check_verb(exchange, "GET", "HEAD")
                    found = (await self._agents.GetRun(GetRunRequest(run=task))).run
                case _:
                    raise NothingHere(exchange.path)
        await exchange.reply(200, orjson.dumps(to_json(found)), headers=PRIVATE)

    async def _commanded(self, exchange: Exchange, task: str, command: str) -> object:
        if command == "signal":
            limits = self._server.limits
            body = await exchange.body(limits.max_body_size, within_s=limits.receive_timeout)
            said = Signal(wake_json=body.decode("utf-8", "replace").strip() or "{}")
            return await self._agents.Signal(SignalRequest(run=task, signal=said))
        kind = _COMMANDS.get(command)
        if kind is None:
            raise NothingHere(exchange.path)
        query = from_query(exchange.query_string, described(kind))
        ask: Callable[[Any], Awaitable[object]] = getattr(self._agents, f"{command.capitalize()}Run")
        return await ask(from_json(query | {"run": task}, kind))
