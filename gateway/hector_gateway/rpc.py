"""JSON-RPC over HTTP: `POST /agents/{name}`, in A2A 1.0 and 0.3."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.rpc.status_pb2 import Status
from grpc.aio import AioRpcError

import hector_a2a as a2a
from hector.agent.v1 import Agent
from hector_a2a import v03
from hector_a2a.json_in import from_json
from hector_a2a.json_out import to_json
from hector_mesh import Call, HectorError, Principal, scope

from . import capabilities, envelope
from .config import ServerConfig
from .directory import Directory
from .envelope import EnvelopeError, Request
from .errors import NotJson, Refusal
from .event_stream import EventStream, event
from .exchange import ClientLeft, Exchange
from .faults import Failure, is_lost, public, reason_in, rpc_error, unexpected
from .in_flight import InFlight
from .leniency import completed
from .methods import Method
from .versions import Version, agreed

log = logging.getLogger(__name__)

PLACE = "hector.seq"
"""Metadata of an event: where it stands in its task's log."""

STREAM_S = 7 * 86400.0
"""A stream may take as long as its task; heartbeats find the clients that are gone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one client asks of which agent, and how it wants to be spoken to."""

    request: Request
    method: Method
    message: Any
    version: Version
    agent: Agent


class JsonRpc:
    """Serves every method of A2A; one conversion in, one out."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        directory: Directory,
        server: ServerConfig,
        in_flight: InFlight,
        *,
        revision: str = "",
    ) -> None:
        self._methods, self._directory, self._revision = methods, directory, revision
        self._server, self._in_flight = server, in_flight
        self._names = [*methods, *v03.METHODS]

    async def serve(self, exchange: Exchange, principal: Principal, name: str, *, lenient: bool) -> None:
        """Answer one POST. `name` is the agent in the path; empty at the root.

        Raises:
            Refusal: It is no JSON-RPC, too large, or for an agent that is not there.
            ClientLeft: There is nobody to answer any more.
        """
        call = Call(
            principal=principal,
            deadline=time.monotonic() + self._server.request_timeout,
            traceparent=exchange.traceparent,
            request_id=exchange.request_id,
            revision=self._revision,
        )
        with scope(call):
            agent = await self._directory.agent(name, principal) if name else None
        check_content_type(exchange, lenient=lenient)
        limits = self._server.limits
        body = await exchange.body(limits.max_body_size, within_s=limits.receive_timeout)
        rpc_id, version = None, None
        try:
            request = envelope.opened(body)
            rpc_id = request.rpc_id
            if "/" in request.method:
                version = "0.3"
            asked = await self._understood(request, exchange, call, agent, lenient=lenient)
            exchange.what, exchange.agent = asked.method.name, asked.agent.name
            await self._answer(asked, exchange, call)
        except EnvelopeError as error:
            exchange.reason = error.reason
            found = self._shown(error.status, exchange, version) | {"code": error.codes.jsonrpc}
            await exchange.reply(200, envelope.error(error.rpc_id, found))
        except (Refusal, ClientLeft):
            raise
        except (HectorError, AioRpcError) as error:
            found = self._shown(public(error, exchange.request_id), exchange, version)
            await exchange.reply(200, envelope.error(rpc_id, found))
        except BaseException as error:
            if is_lost(error) or exchange.started:
                raise
            found = self._shown(unexpected(error, exchange.request_id), exchange, version)
            await exchange.reply(200, envelope.error(rpc_id, found))

    async def _understood(
        self, request: Request, exchange: Exchange, call: Call, agent: Agent | None, *, lenient: bool
    ) -> Asked:
        method = self._method(request)
        version = agreed(
            exchange.header(b"a2a-version") or exchange.query("A2A-Version"), request.method, lenient=lenient
        )
        params = request.params
        if lenient and issubclass(method.request, a2a.SendMessageRequest):
            params = completed(params, version)
        if version == "0.3":
            params = v03.request_to_v1(request.method, params)
        message: Any = from_json(params, method.request)
        tenant = message.tenant.removeprefix("default/")
        if agent is None:
            with scope(call):
                agent = await self._directory.agent(tenant, call.principal)
        elif tenant and tenant != agent.name:
            raise a2a.InvalidParams(
                {"tenant": f"the path says {agent.name!r}; leave it out, or say the same"}
            )
        message.tenant = agent.name
        capabilities.check(method, message, agent)
        return Asked(request, method, message, version, agent)

    def _method(self, request: Request) -> Method:
        name = v03.METHODS.get(request.method, request.method)
        method = self._methods.get(name)
        if method is not None:
            return method
        if request.method in v03.PUSH_METHODS:
            raise a2a.PushNotificationNotSupported
        if request.method == v03.CARD_METHOD:
            raise a2a.UnsupportedOperation("there is no extended card here; the public card is complete")
        raise envelope.unknown_method(request, self._names)

    async def _answer(self, asked: Asked, exchange: Exchange, call: Call) -> None:
        if not asked.request.wants_answer:
            await self._notified(asked, call)
            await exchange.reply(204, b"", kind=b"")
        elif asked.method.streams:
            await self._stream(asked, exchange, call)
        else:
            response = await self._called(asked, exchange, call)
            await exchange.reply(200, envelope.result(asked.request.rpc_id, self._result(asked, response)))

    async def _called(self, asked: Asked, exchange: Exchange, call: Call) -> Any:
        with scope(call):
            rpc = asked.method.call(asked.message)
            with self._in_flight.counted(rpc, streams=False):
                if not isinstance(asked.message, a2a.SendMessageRequest):
                    return await rpc
                async with self._in_flight.watched(exchange, rpc):
                    return await rpc

    async def _stream(self, asked: Asked, exchange: Exchange, call: Call) -> None:
        def show(message: Any) -> bytes:
            found = to_json(message)
            data = envelope.result(asked.request.rpc_id, self._in_version(asked, found))
            return event(data, place_of(found))

        def complain(error: Failure) -> bytes:
            found = self._shown(public(error, exchange.request_id), exchange, asked.version)
            return event(envelope.error(asked.request.rpc_id, found))

        self._in_flight.admit_stream()
        answer = EventStream(exchange, self._in_flight, self._server.limits, show=show, complain=complain)
        lasting = Call(
            principal=call.principal,
            deadline=time.monotonic() + STREAM_S,
            traceparent=call.traceparent,
            request_id=call.request_id,
            revision=call.revision,
        )
        with scope(lasting):
            await answer.follow(asked.method.call(asked.message))

    async def _notified(self, asked: Asked, call: Call) -> None:
        """Do what a notification asks for, and do not wait for what comes of it."""
        method, message = asked.method, asked.message
        if isinstance(message, a2a.SendMessageRequest):
            method = self._methods["SendMessage"]
            message.configuration.return_immediately = True
        if method.streams:
            return  # to show something to nobody
        try:
            with scope(call):
                await method.call(message)
        except AioRpcError as error:
            facts = {"method": method.name, "code": error.code().name, "request_id": call.request_id}
            log.info("notification failed", extra=facts)

    def _result(self, asked: Asked, response: Any) -> object:
        return self._in_version(asked, to_json(response))

    def _in_version(self, asked: Asked, found: dict[str, Any]) -> dict[str, Any]:
        return v03.result_from_v1(asked.request.method, found) if asked.version == "0.3" else found

    def _shown(self, status: Status, exchange: Exchange, version: str | None) -> dict[str, Any]:
        exchange.reason = exchange.reason or reason_in(status)
        found = rpc_error(status, exchange.request_id, self._server.a2a_errors)
        if version == "0.3":
            found["code"] = v03.error_code_from_v1(found["code"])
        return found


def place_of(found: Mapping[str, Any]) -> str | None:
    """Return where an event stands in its task's log, if it says so."""
    for payload in found.values():
        place = payload.get("metadata", {}).get(PLACE)
        return place if isinstance(place, str) and place.replace(".", "", 1).isdigit() else None
    return None


def check_content_type(exchange: Exchange, *, lenient: bool) -> None:
    """Let JSON pass.

    Raises:
        NotJson: The body is something else, or does not say what it is.
    """
    found = exchange.header(b"content-type") or ""
    kind = found.partition(";")[0].strip().lower()
    if not (kind == "application/json" or kind.endswith("+json") or (lenient and not kind)):
        raise NotJson(found)
