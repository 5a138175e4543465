"""HTTP+JSON, the REST binding: `POST /agents/{name}/message:send` and the other paths, in A2A 1.0 and 0.3."""

from functools import partial
from typing import Any

import orjson

import hector_a2a as a2a
from hector.agent.v1 import Agent
from hector_a2a import v03, v03_proto, v03_push
from hector_a2a.codes import codes_of
from hector_a2a.json_fields import described
from hector_a2a.json_out import to_json
from hector_mesh import Call, Principal
from hector_mesh.status import Status

from .doors import Door, door_of
from .errors import WrongVerb
from .event_stream import event
from .exchange import JSON, Exchange
from .faults import Failure, http_error, public, reason_in
from .leniency import completed
from .methods import Method
from .not_json import why_not_json
from .operations import POLLED, Asked, Operations, check_content_type, place_of
from .query import from_query
from .request_limits import check_json
from .routes import Routes
from .spelling import Spelling
from .versions import agreed_at

NOTHING = (b"null", b"{}")
A2A_JSON = b"application/a2a+json"

_OLD_METHODS = {rpc: method for method, rpc in v03.METHODS.items()}
_OLD_STATES = {name: state for state, name in v03.STATES.items()}


class Rest:
    """Serves every operation that the contract gives a path."""

    def __init__(self, operations: Operations, routes: Routes) -> None:
        self._operations, self._routes = operations, routes

    def door(self, exchange: Exchange) -> Door | None:
        """Return what a request's path leads to; None: nothing of ours."""
        return door_of(exchange.steps, self._routes)

    async def serve(self, exchange: Exchange, principal: Principal, door: Door) -> None:
        """Answer one request. Whoever calls shapes the errors: see `error_of`.

        Raises:
            HectorError: It is refused.
            AioRpcError: The call behind it failed.
            ClientLeft: There is nobody to answer any more.
        """
        exchange.json = A2A_JSON if _wants_a2a_json(exchange) else JSON
        method = self._method(exchange, door)
        exchange.what = method.name
        said = exchange.version_said()
        call = self._operations.call_of(exchange, principal)
        agent = await self._agent(exchange, door, call)
        served = self._operations.served(agent, exchange)
        exchange.version = version = agreed_at(said, door.version, exchange.path, served)
        params = await self._params(exchange, method, lenient=door.lenient)
        # 0.3 has two kinds of JSON here, and who sends one gets the same back. Who sends none gets at 0.3's
        # own paths what its SDKs read, and at Hector's old ones what Hector's documents show.
        as_proto = version == "0.3" and _is_proto(params, lenient=door.lenient)
        if version == "0.3":
            agent = await self._operations.offered(method, version, exchange, call, agent)
            params = _to_v1(method, params, as_proto=as_proto, lenient=door.lenient)
        elif door.lenient and _is_send(method):
            params = completed(params, version)
        _fill(params, method, door.found.values)
        if agent is None:
            agent = await self._operations.named(params, version, exchange, call)
        asked = self._operations.asked(method, version, params, exchange, agent)
        exchange.agent = asked.agent.name
        if method.streams:
            del params  # a stream that waits would keep them
            await self._stream(asked, exchange, call, as_proto=as_proto)
        elif method.name == POLLED:
            wire = await self._operations.polled(asked, exchange, call)
            data = self._spelling(asked, as_proto=as_proto).spelled(wire)
            await exchange.reply(200, data, kind=exchange.json)
        else:
            response = await self._operations.called(asked, exchange, call)
            await exchange.reply_json(200, _shown(asked, to_json(response), as_proto=as_proto))

    def _method(self, exchange: Exchange, door: Door) -> Method:
        methods = {verb: self._operations.methods[rpc] for verb, rpc in door.found.path.rpcs.items()}
        if "GET" in methods and not methods["GET"].streams:
            methods["HEAD"] = methods["GET"]
        if exchange.verb not in methods:
            raise WrongVerb(exchange.verb, tuple(sorted(methods)))
        return methods[exchange.verb]

    async def _agent(self, exchange: Exchange, door: Door, call: Call) -> Agent | None:
        """Return the agent in the path; None if the parameters have to say."""
        name = door.agent or (exchange.header(b"agent-name") or "" if door.version == "0.3" else "")
        return await self._operations.agent(name, call) if name else None

    async def _params(self, exchange: Exchange, method: Method, *, lenient: bool) -> dict[str, Any]:
        if exchange.verb != "POST":
            return from_query(exchange.query_string, described(method.request))
        body = await self._operations.body(exchange)
        said = body.strip() if len(body) < 100 else body
        if not said:  # some clients have nothing to say when they cancel or subscribe
            return {}
        if said in NOTHING and exchange.header(b"content-type") is None:  # or nothing but that
            return {}
        check_content_type(exchange, lenient=lenient)
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise a2a.InvalidParams({"": why_not_json(body, error)}) from None
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise a2a.InvalidParams({"": "an object is needed here"})
        check_json(found, body, self._operations.server.limits)
        return found

    async def _stream(self, asked: Asked, exchange: Exchange, call: Call, *, as_proto: bool) -> None:
        show = partial(self._spelling(asked, as_proto=as_proto).events, b"", b"\n\n")

        def complain(error: Failure) -> bytes:
            status = public(error, exchange.request_id)
            exchange.reason = exchange.reason or reason_in(status)
            http = codes_of(status, asked.offer.errors).http
            return b"event: error\n" + event(orjson.dumps(error_of(status, exchange, http)))

        await self._operations.stream(asked, exchange, call, show=show, complain=complain)

    def _spelling(self, asked: Asked, *, as_proto: bool) -> Spelling:
        kind = ("rest", asked.method.name, asked.version, as_proto)
        return self._operations.spellings.of(*kind, make=lambda: _spelling(asked, as_proto=as_proto))


def error_of(status: Status, exchange: Exchange, http: int) -> dict[str, Any]:
    """Return the body of an answer that says what went wrong, as the client's version has it."""
    found = http_error(status, exchange.request_id, http)
    if exchange.version == "0.3":  # its clients know an error by its type
        reason = reason_in(status)
        found |= {"type": f"{reason.title().replace('_', '')}Error", "message": status.message}
    return found


def _is_proto(params: dict[str, Any], *, lenient: bool) -> bool:
    """Say in which of its two kinds of JSON a client of 0.3 is to be answered."""
    if "message" in params or "request" in params:
        return v03_proto.is_spoken(params)
    if params.keys().isdisjoint(("config", "pushNotificationConfig", "push_notification_config")):
        return not lenient
    return v03_push.is_proto(params)


def _to_v1(method: Method, params: dict[str, Any], *, as_proto: bool, lenient: bool) -> dict[str, Any]:
    """Return the parameters of 0.3 as those of 1.0."""
    if _is_send(method):
        if as_proto:
            params = v03_proto.request_to_v03(params)
        if lenient:
            params = completed(params, "0.3")
    elif "status" in params:
        params["status"] = _OLD_STATES.get(params["status"], params["status"])
    old = _OLD_METHODS.get(method.name)
    return params if old is None else v03.request_to_v1(old, params)


def _shown(asked: Asked, found: dict[str, Any], *, as_proto: bool) -> Any:
    """Return an answer or event in the client's version."""
    if asked.version == "1.0":
        return found
    if asked.method.name == "ListTasks":
        listed = v03.tasks_from_v1(found)
        if as_proto:
            listed["tasks"] = [v03_proto.result_from_v03(task) for task in listed["tasks"]]
        return listed
    old = _OLD_METHODS.get(asked.method.name)
    if old is None:
        return found
    if old in v03.PUSH_METHODS and (as_proto or old == v03_push.DELETE):
        return v03_push.as_proto(old, found)
    result = v03.result_from_v1(old, found)
    if not as_proto or old == v03.CARD_METHOD:
        return result
    is_task = asked.method.response is a2a.Task
    return v03_proto.result_from_v03(result) if is_task else v03_proto.payload_from_v03(result)


def _spelling(asked: Asked, *, as_proto: bool) -> Spelling:
    # Of what was asked only what holds for all of its kind.
    like = Asked(asked.method, None, asked.version, asked.agent, asked.offer)
    read = asked.method.response.FromString
    place = place_of if asked.method.streams else None
    if asked.version == "1.0":
        return Spelling(read, place)
    return Spelling(read, place, lambda found: _shown(like, found, as_proto=as_proto))


def _fill(params: dict[str, Any], method: Method, values: dict[str, str]) -> None:
    """Put in what the path says.

    Raises:
        InvalidParams: The body or the query says otherwise.
    """
    fields = described(method.request).fields_by_name
    for name, value in values.items():
        shown = fields[name].json_name
        for other in (name, shown):
            if params.get(other) not in (None, "", value):
                raise a2a.InvalidParams(
                    {shown: f"the path says {value[:200]!r}; leave it out, or say the same"}
                )
        params.pop(name, None)
        params[shown] = value


def _is_send(method: Method) -> bool:
    return issubclass(method.request, a2a.SendMessageRequest)


def _wants_a2a_json(exchange: Exchange) -> bool:
    """Say whether the client names A2A's own media type; others may not know it."""
    wanted = A2A_JSON.decode()
    return any(wanted in (exchange.header(name) or "").lower() for name in (b"content-type", b"accept"))
