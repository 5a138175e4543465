"""`/admin/queue`: what there is to be done, and the runs that nobody tries again."""

import time
from typing import Any

import orjson

from hector.agent.v1 import (
    AgentServiceStub,
    GetQueueStatsRequest,
    ListDeadLettersRequest,
    RequeueDeadLetterRequest,
)
from hector_a2a.json_fields import described
from hector_a2a.json_in import from_json
from hector_a2a.json_whole import to_whole_json
from hector_mesh import Call, Mesh, Principal, scope

from .access import ADMIN, Access
from .errors import NothingHere
from .exchange import Exchange
from .page_verbs import PRIVATE, check_verb
from .query import from_query

PATH = "/admin/queue"
OPERATORS = frozenset({"operator", "admin"})
ASK_S = 30.0
"""How long the agent service may take: it counts every run that is not over."""


class QueuePages:
    """For operators: `GET /admin/queue/stats`, `GET /admin/queue/dlq`, `POST /admin/queue/dlq/ID/requeue`."""

    def __init__(self, access: Access, mesh: Mesh) -> None:
        self._access, self._agents = access, AgentServiceStub(mesh)

    def has(self, path: str) -> bool:
        """Say whether a path is one of these."""
        return path.startswith(f"{PATH}/")

    async def serve(self, exchange: Exchange, principal: Principal) -> None:
        """Answer one request.

        Raises:
            Unauthenticated: Somebody must show a credential first.
            NothingHere: It is no such path, or none for the caller.
            WrongVerb: The path takes another one.
            InvalidParams: The query says something that is not known.
            AioRpcError: There is no such dead letter.
        """
        self._access.admit(principal)
        if not self._access.required and exchange.from_here:
            principal = ADMIN  # who reaches a server that asks nobody, from its own machine, has its database
        if not principal.roles & OPERATORS:
            raise NothingHere(exchange.path)
        call = Call(
            principal=principal,
            deadline=time.monotonic() + ASK_S,
            traceparent=exchange.traceparent,
            request_id=exchange.request_id,
        )
        with scope(call):
            match exchange.steps[2:]:
                case ["stats"]:
                    check_verb(exchange, "GET", "HEAD")
                    found: Any = await self._agents.GetQueueStats(GetQueueStatsRequest())
                case ["dlq"]:
                    check_verb(exchange, "GET", "HEAD")
                    query = from_query(exchange.query_string, described(ListDeadLettersRequest))
                    found = await self._agents.ListDeadLetters(from_json(query, ListDeadLettersRequest))
                case ["dlq", run, "requeue"]:
                    check_verb(exchange, "POST")
                    query = from_query(exchange.query_string, described(RequeueDeadLetterRequest))
                    wanted = from_json(query | {"run": run}, RequeueDeadLetterRequest)
                    found = await self._agents.RequeueDeadLetter(wanted)
                case _:
                    raise NothingHere(exchange.path)
        await exchange.reply(200, orjson.dumps(to_whole_json(found)), headers=PRIVATE)
