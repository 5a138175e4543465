"""`/admin/erase`, `/admin/receipts` and `/api/pins`: what must go at once, and what must stay."""

import time
from collections.abc import Mapping
from typing import Any

import orjson

from hector.agent.v1 import (
    EraseUserRequest,
    HistoryServiceStub,
    ListPinsRequest,
    ListReceiptsRequest,
    Pin,
    SetPinRequest,
)
from hector_a2a.json_fields import described
from hector_a2a.json_in import from_json
from hector_a2a.json_out import to_json
from hector_mesh import Call, Mesh, Principal, scope

from .access import ADMIN, Access
from .exchange import Exchange
from .page_verbs import PRIVATE, check_verb
from .query import from_query

ERASE, RECEIPTS, PINS = "/admin/erase", "/admin/receipts", "/api/pins"
ASK_S = 60.0
"""How long the agent service may take: a user can have a lot. What is left then goes the next time."""


class HistoryPages:
    """For admins, and for everybody's own.

    `POST /admin/erase?user=ID&app=APP`, `GET /admin/receipts?user=ID`; `GET /api/pins`, and
    `PUT, DELETE /api/pins?run=ID` or `?session=ID`.
    """

    def __init__(self, access: Access, mesh: Mesh) -> None:
        self._access, self._history = access, HistoryServiceStub(mesh)

    def has(self, path: str) -> bool:
        """Say whether a path is one of these."""
        return path in (ERASE, RECEIPTS, PINS)

    async def serve(self, exchange: Exchange, principal: Principal) -> None:
        """Answer one request.

        Raises:
            Unauthenticated: Somebody must show a credential first.
            WrongVerb: The path takes another one.
            InvalidParams: The query says something that is not known.
            AioRpcError: It may not be done, or cannot be.
        """
        self._access.admit(principal)
        if exchange.path != PINS and not self._access.required and exchange.from_here:
            principal = ADMIN  # who reaches a server that asks nobody, from its own machine, has its database
        call = Call(
            principal=principal,
            deadline=time.monotonic() + ASK_S,
            traceparent=exchange.traceparent,
            request_id=exchange.request_id,
        )
        with scope(call):
            found = await self._found(exchange)
        await exchange.reply(200, orjson.dumps(found), headers=PRIVATE)

    async def _found(self, exchange: Exchange) -> Mapping[str, Any]:
        answer: Any
        if exchange.path == ERASE:
            check_verb(exchange, "POST")
            query = from_query(exchange.query_string, described(EraseUserRequest))
            answer = (await self._history.EraseUser(from_json(query, EraseUserRequest))).receipt
        elif exchange.path == RECEIPTS:
            check_verb(exchange, "GET", "HEAD")
            query = from_query(exchange.query_string, described(ListReceiptsRequest))
            listed = await self._history.ListReceipts(from_json(query, ListReceiptsRequest))
            return {"receipts": [to_json(receipt) for receipt in listed.receipts]}
        elif exchange.verb in ("PUT", "DELETE"):
            pin = from_query(exchange.query_string, described(Pin))
            request = from_json({"pin": pin}, SetPinRequest)
            request.remove = exchange.verb == "DELETE"
            answer = await self._history.SetPin(request)
        else:
            check_verb(exchange, "GET", "HEAD", "PUT", "DELETE")
            pins = (await self._history.ListPins(ListPinsRequest())).pins
            return {"pins": [to_json(pin) for pin in pins]}
        found: Mapping[str, Any] = to_json(answer)
        return found
