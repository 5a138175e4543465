"""`/api/push`: how deliveries of push notifications are, and another go for those that were given up."""

import time
from collections.abc import Mapping

import orjson

from hector.agent.v1 import (
    AgentServiceStub,
    ListPushConfigsRequest,
    PushConfig,
    RetryPushConfigRequest,
)
from hector_a2a.json_fields import described
from hector_a2a.json_in import from_json
from hector_a2a.json_out import to_json
from hector_mesh import Call, Mesh, Principal, scope

from .access import Access
from .errors import NothingHere, WrongVerb
from .exchange import Exchange
from .query import from_query

PATH, RETRY = "/api/push", "/api/push/retry"
ASK_S = 10.0
"""How long the agent service may take."""


class PushPages:
    """Shows users their own, operators all: `GET /api/push`, `POST /api/push/retry?run=TASK&id=CONFIG`."""

    def __init__(self, access: Access, mesh: Mesh) -> None:
        self._access, self._agents = access, AgentServiceStub(mesh)

    def has(self, path: str) -> bool:
        """Say whether a path is one of these."""
        return path == PATH or path.startswith(f"{PATH}/")

    async def serve(self, exchange: Exchange, principal: Principal) -> None:
        """Answer one request.

        Raises:
            Unauthenticated: Somebody must show a credential first.
            NothingHere: It is no such path.
            WrongVerb: The path takes another one.
            InvalidParams: The query says something that is not known.
            AioRpcError: There is no such config.
        """
        self._access.admit(principal)
        call = Call(
            principal=principal,
            deadline=time.monotonic() + ASK_S,
            traceparent=exchange.traceparent,
            request_id=exchange.request_id,
        )
        with scope(call):
            if exchange.path == RETRY:
                found = await self._retried(exchange)
            elif exchange.path == PATH:
                found = await self._listed(exchange)
            else:
                raise NothingHere(exchange.path)
        await exchange.reply(200, orjson.dumps(found), headers=((b"cache-control", b"private, no-store"),))

    async def _listed(self, exchange: Exchange) -> Mapping[str, object]:
        _check(exchange, "GET", "HEAD")
        query = from_query(exchange.query_string, described(ListPushConfigsRequest))
        page = await self._agents.ListPushConfigs(from_json(query, ListPushConfigsRequest))
        return {
            "pushConfigs": [_shown(config) for config in page.push_configs],
            "nextPageToken": page.next_page_token,
        }

    async def _retried(self, exchange: Exchange) -> Mapping[str, object]:
        _check(exchange, "POST")
        query = from_query(exchange.query_string, described(RetryPushConfigRequest))
        retried = await self._agents.RetryPushConfig(from_json(query, RetryPushConfigRequest))
        return _shown(retried.push_config)


def _shown(config: PushConfig) -> Mapping[str, object]:
    found: dict[str, object] = to_json(config)
    return found


def _check(exchange: Exchange, *verbs: str) -> None:
    if exchange.verb not in verbs:
        raise WrongVerb(exchange.verb, verbs)
