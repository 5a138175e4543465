"""JSON-RPC over HTTP: `POST /agents/{name}`, in A2A 1.0 and 0.3."""

import logging
from functools import partial
from typing import Any

from grpc import StatusCode
from grpc.aio import AioRpcError

import hector_a2a as a2a
from hector.agent.v1 import Agent
from hector_a2a import v03
from hector_a2a.codes import codes_of
from hector_a2a.json_out import to_json
from hector_mesh import Call, HectorError, Principal, scope
from hector_mesh.status import Status

from . import envelope
from .envelope import EnvelopeError, Request
from .errors import Refusal
from .event_stream import event
from .exchange import ClientLeft, Exchange
from .faults import Failure, is_lost, public, reason_in, retry_headers, rpc_error, unexpected
from .leniency import completed
from .methods import Method
from .operations import POLLED, Asked, Operations, beside, check_content_type, place_of
from .request_limits import check_json
from .spelling import Spelling
from .versions import agreed

log = logging.getLogger(__name__)


class JsonRpc:
    """Serves every method of A2A; one conversion in, one out."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._names = [*operations.methods, *v03.METHODS]

    async def serve(self, exchange: Exchange, principal: Principal, name: str, *, lenient: bool) -> None:
        """Answer one POST. `name` is the agent in the path; empty at the root.

        Raises:
            Refusal: It is no JSON-RPC, too large, or for an agent that is not there.
            ClientLeft: There is nobody to answer any more.
        """
        operations = self._operations
        call = operations.call_of(exchange, principal)
        agent, away = None, None
        try:
            if name:
                agent = operations.known(name, principal) or await operations.agent(name, call)
        except AioRpcError as error:
            away = error  # for whoever can be told in JSON-RPC, with the request's id
        check_content_type(exchange, lenient=lenient)
        body = exchange.body_here(operations.server.limits.max_body_size)
        if body is None:
            body = await operations.body(exchange)
        rpc_id, version = None, None
        try:
            request = envelope.opened(body)
            rpc_id = request.rpc_id
            if "/" in request.method:
                version = "0.3"
            check_json(request.params, body, operations.server.limits)
            del body
            if away is not None:
                raise away
            asked = await self._understood(request, exchange, call, agent, lenient=lenient)
            exchange.what, exchange.agent = asked.method.name, asked.agent.name
            await self._answer(request, asked, exchange, call)
        except EnvelopeError as error:
            exchange.reason = error.reason
            found = self._shown(error.status, exchange, version) | {"code": error.codes.jsonrpc}
            await exchange.reply(200, envelope.error(error.rpc_id, found))
        except ClientLeft:
            raise
        except (HectorError, AioRpcError) as error:
            if isinstance(error, Refusal) and not error.retry_after_s:
                raise
            status = public(error, exchange.request_id)
            found = self._shown(status, exchange, version)
            codes = codes_of(status, exchange.profile or self._operations.offers.errors)
            # Too much at once is said in HTTP, too: for what stands between, and knows no JSON-RPC.
            too_much = codes.grpc is StatusCode.RESOURCE_EXHAUSTED
            headers = retry_headers(status) if too_much else ()
            await exchange.reply(
                codes.http if too_much else 200, envelope.error(rpc_id, found), headers=headers
            )
        except BaseException as error:
            if is_lost(error) or exchange.started:
                raise
            found = self._shown(unexpected(error, exchange.request_id), exchange, version)
            await exchange.reply(200, envelope.error(rpc_id, found))
        finally:
            del away  # it knows this frame: a circle that only the collector would break

    async def _understood(
        self, request: Request, exchange: Exchange, call: Call, agent: Agent | None, *, lenient: bool
    ) -> Asked:
        operations, params = self._operations, request.params
        method = operations.methods.get(request.method) or self._method(request)
        served = operations.served(agent, exchange)
        version = agreed(exchange.version_said(), request.method, lenient=lenient, served=served)
        if not isinstance(params, dict):
            raise a2a.InvalidParams({"params": "an object is needed here"})
        if lenient and issubclass(method.request, a2a.SendMessageRequest):
            params = completed(params, version)
        if version == "0.3":
            agent = await operations.offered(method, version, exchange, call, agent)
            params = v03.request_to_v1(request.method, params)
        if agent is None:
            agent = await operations.named(params, version, exchange, call)
        return operations.asked(method, version, params, exchange, agent)

    def _method(self, request: Request) -> Method:
        name = v03.METHODS.get(request.method, request.method)
        method = self._operations.methods.get(name)
        if method is not None:
            return method
        raise envelope.unknown_method(request, self._names)

    async def _answer(self, request: Request, asked: Asked, exchange: Exchange, call: Call) -> None:
        if not request.wants_answer:
            await self._notified(asked, exchange, call)
            await exchange.reply(204, b"", kind=b"")
        elif asked.method.streams:
            request.params = None
            await self._stream(request, asked, exchange, call)
        elif asked.method.name == POLLED:
            wire = await self._operations.polled(asked, exchange, call)
            data = self._spelling(request, asked).spelled(wire)
            await exchange.reply(200, b"%s%s}" % (envelope.result_head(request.rpc_id), data))
        else:
            found = to_json(await self._operations.called(asked, exchange, call))
            if asked.version == "0.3":
                found = v03.result_from_v1(request.method, found)
            await exchange.reply(200, envelope.result(request.rpc_id, found))

    async def _stream(self, request: Request, asked: Asked, exchange: Exchange, call: Call) -> None:
        version = asked.version
        show = partial(self._spelling(request, asked).events, envelope.result_head(request.rpc_id), b"}\n\n")

        def complain(error: Failure) -> bytes:
            found = self._shown(public(error, exchange.request_id), exchange, version)
            return event(envelope.error(request.rpc_id, found))

        await self._operations.stream(asked, exchange, call, show=show, complain=complain)

    def _spelling(self, request: Request, asked: Asked) -> Spelling:
        method, version = request.method, asked.version
        return self._operations.spellings.of(method, version, make=lambda: _spelling(request, asked))

    async def _notified(self, asked: Asked, exchange: Exchange, call: Call) -> None:
        """Do what a notification asks for, and do not wait for what comes of it."""
        method, message = asked.method, asked.message
        if isinstance(message, a2a.SendMessageRequest):
            method = self._operations.methods["SendMessage"]
            message.configuration.return_immediately = True
        if method.streams:
            return  # to show something to nobody
        try:
            with scope(call):
                await method.call(message, metadata=beside(asked, exchange))
        except AioRpcError as error:
            facts = {"method": method.name, "code": error.code().name, "request_id": call.request_id}
            log.info("notification failed", extra=facts)

    def _shown(self, status: Status, exchange: Exchange, version: str | None) -> dict[str, Any]:
        exchange.reason = exchange.reason or reason_in(status)
        profile = exchange.profile or self._operations.offers.errors
        found = rpc_error(status, exchange.request_id, profile)
        if version == "0.3":
            found["code"] = v03.error_code_from_v1(found["code"])
        return found


def _spelling(request: Request, asked: Asked) -> Spelling:
    method, read = request.method, asked.method.response.FromString
    place = place_of if asked.method.streams else None
    if asked.version != "0.3":
        return Spelling(read, place)
    return Spelling(read, place, lambda found: v03.result_from_v1(method, found))
