"""The six doors to an agent, A2A 1.0 and 0.3 over JSON-RPC, HTTP+JSON and gRPC, as one kind of client.

Whatever the door, requests are given and answers returned in the JSON of A2A 1.0, read by strict readers of
their version (`door_words`), and failures are `Refused`. Nothing of Hector's own code takes part.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import aiohttp
import grpc.aio
from a2a.compat.v0_3 import a2a_v0_3_pb2 as old_pb
from a2a.types import a2a_pb2 as pb
from google.protobuf import symbol_database
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status
from support import door_words as words

WAIT_S = 20
"""How long a test waits for one answer, or for the next event."""

Json = Any
Said = Mapping[str, str]
"""What is said beside a request: HTTP headers, or gRPC metadata, by names in lower case."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    found: Json
    """In the JSON of A2A 1.0."""
    said: Said
    """Headers, or initial and trailing metadata."""
    raw: Any = None
    """As it came: JSON or a message."""


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    found: Json
    """A StreamResponse in the JSON of A2A 1.0."""
    place: str
    """Where it stands in the task's log: the event's `id:`, or over gRPC its metadata."""
    raw: Any = None


@dataclass(eq=False)
class Refused(Exception):
    """A request failed, whichever way this door says it."""

    reason: str
    """ErrorInfo's, as "TASK_NOT_FOUND"."""
    code: int | str
    """The door's own: a number of JSON-RPC, an HTTP status, the name of a gRPC code."""
    message: str
    domain: str = ""
    violations: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, by field."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """ErrorInfo's metadata."""
    request_id: str = ""
    said: Said = field(default_factory=dict)
    http: int = 0
    """The HTTP status; 0 over gRPC."""
    retry_s: float | None = None

    def __str__(self) -> str:
        return f"{self.code} {self.reason}: {self.message}"


class Events:
    """A stream that has begun."""

    def __init__(self, said: Said, events: AsyncIterator[Event]) -> None:
        self.said, self._events = said, events

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events

    async def all(self) -> list[Event]:
        return [event async for event in self._events]


class Door:
    """One version of A2A over one binding, at one agent. `call` and `stream` take the names of 1.0's rpcs."""

    version: ClassVar[str] = "1.0"
    binding: ClassVar[str] = ""
    """ "JSONRPC", "HTTP+JSON" or "GRPC"."""
    unknown: ClassVar[frozenset[str]] = frozenset()
    """Rpcs of 1.0 that this door does not have."""

    def __init__(self, place: "Place", agent: str, said: Said) -> None:
        self.place, self.agent, self.always = place, agent, said

    def __repr__(self) -> str:
        return type(self).__name__

    def as_caller(self, token: str) -> "Door":
        """Return the same door for a caller with this credential; "" is none."""
        said = {name: value for name, value in self.always.items() if name != "authorization"}
        return type(self)(
            self.place, self.agent, said | ({"authorization": f"Bearer {token}"} if token else {})
        )

    def at(self, agent: str) -> "Door":
        """Return the same door of another agent."""
        return type(self)(self.place, agent, self.always)

    async def call(self, rpc: str, params: Json, said: Said | None = None) -> Answer:
        """Ask for an operation that gives one answer."""
        raise NotImplementedError

    def stream(self, rpc: str, params: Json, said: Said | None = None) -> Any:
        """Ask for a stream: `async with door.stream(...) as events`."""
        raise NotImplementedError

    async def ask(self, rpc: str, params: Json, said: Said | None = None) -> Said:
        """Ask for any operation, and return what is said beside its answer or stream."""
        if rpc not in ("SendStreamingMessage", "SubscribeToTask"):
            return (await self.call(rpc, params, said)).said
        async with self.stream(rpc, params, said) as events:
            found: Said = events.said
            return found

    async def send(
        self, text: str = "hi", *, wait: bool = True, said: Said | None = None, **message: Json
    ) -> Json:
        """Send a message, and return the task, or the message that answers it."""
        found = (await self.call("SendMessage", sending(text, wait=wait, **message), said)).found
        return found.get("task") or found["message"]

    async def get(self, task: str, **more: Json) -> Json:
        return (await self.call("GetTask", {"id": task, **more})).found

    async def list(self, **filters: Json) -> Json:
        return (await self.call("ListTasks", filters)).found

    async def cancel(self, task: str) -> Json:
        return (await self.call("CancelTask", {"id": task})).found

    def streamed(self, text: str = "hi", said: Said | None = None, **message: Json) -> Any:
        """Send a message: `async with door.streamed("hi") as events`."""
        return self.stream("SendStreamingMessage", sending(text, **message), said)

    def subscribe(self, task: str, after: str = "", said: Said | None = None) -> Any:
        """Follow a task; `after` is the place of the last event that was seen."""
        more = {"last-event-id": after} if after else {}
        return self.stream("SubscribeToTask", {"id": task}, {**more, **(said or {})})

    async def set_push(self, task: str, url: str, **config: Json) -> Json:
        params = {"taskId": task, "url": url, **config}
        return (await self.call("CreateTaskPushNotificationConfig", params)).found

    async def get_push(self, task: str, config: str) -> Json:
        return (await self.call("GetTaskPushNotificationConfig", {"taskId": task, "id": config})).found

    async def list_push(self, task: str) -> Json:
        found = (await self.call("ListTaskPushNotificationConfigs", {"taskId": task})).found
        return found.get("configs", [])

    async def delete_push(self, task: str, config: str) -> None:
        await self.call("DeleteTaskPushNotificationConfig", {"taskId": task, "id": config})

    async def card(self, said: Said | None = None) -> Json:
        """Return the extended card. Over gRPC in 0.3, that is the public one where there is none."""
        return (await self.call("GetExtendedAgentCard", {}, said)).found

    def _said(self, said: Said | None) -> dict[str, str]:
        found = {"a2a-version": self.version, **self.always, **(said or {})}
        return {name: value for name, value in found.items() if value}


def sending(text: str, *, wait: bool | None = None, **message: Json) -> Json:
    """Return a send's parameters in 1.0; `configuration` and `metadata` beside what is the message's."""
    found: Json = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]}}
    for name in ("configuration", "metadata"):
        if name in message:
            found[name] = message.pop(name)
    if wait is not None:
        found.setdefault("configuration", {}).setdefault("returnImmediately", not wait)
    found["message"] |= message
    return found


class _Http(Door):
    async def _ask(self, verb: str, path: str, body: Json, said: Said) -> Any:
        data = None if body is None else json.dumps(body)
        headers = {"content-type": "application/json", **said}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=WAIT_S)
        url = f"{self.place.url}/agents/{self.agent}{path}"
        return self.place.http.request(verb, url, data=data, headers=headers, timeout=timeout)

    async def _one(self, verb: str, path: str, body: Json, said: Said) -> tuple[Json, Said, int]:
        async with await self._ask(verb, path, body, said) as answer:
            heard = {name.lower(): value for name, value in answer.headers.items()}
            text = await answer.read()
            return json.loads(text) if text else None, heard, answer.status

    @asynccontextmanager
    async def _many(self, verb: str, path: str, body: Json, said: Said) -> AsyncIterator[Events]:
        async with await self._ask(verb, path, body, said) as answer:
            heard = {name.lower(): value for name, value in answer.headers.items()}
            if answer.content_type != "text/event-stream":
                raise self._refusal(json.loads(await answer.read()), heard, answer.status)
            yield Events(heard, self._events(answer, heard))

    async def _events(self, answer: Any, said: Said) -> AsyncIterator[Event]:
        fields: dict[str, str] = {}
        async for line in answer.content:
            name, _, value = line.decode().rstrip("\r\n").partition(": ")
            if name:
                fields[name] = value
            elif "data" in fields:
                yield self._event(json.loads(fields["data"]), fields.get("id", ""), said)
                fields = {}
            else:
                fields = {}

    def _event(self, found: Json, place: str, said: Said) -> Event:
        raise NotImplementedError

    def _refusal(self, found: Json, said: Said, status: int) -> Refused:
        """Return what the body of HTTP+JSON's errors says, in which the border answers everywhere."""
        return _refused(found["error"], found["error"].get("details"), status, said, status)


class RpcV1(_Http):
    """1.0 over JSON-RPC."""

    binding = "JSONRPC"

    async def call(self, rpc: str, params: Json, said: Said | None = None) -> Answer:
        found, heard, status = await self._one("POST", "", self._request(rpc, params), self._said(said))
        result = self._result(found, heard, status)
        return Answer(self._read(rpc, result), heard, found)

    @asynccontextmanager
    async def stream(self, rpc: str, params: Json, said: Said | None = None) -> AsyncIterator[Events]:
        async with self._many("POST", "", self._request(rpc, params), self._said(said)) as events:
            yield events

    def _request(self, rpc: str, params: Json) -> Json:
        return {"jsonrpc": "2.0", "id": "q", "method": rpc, "params": params}

    def _result(self, found: Json, said: Said, status: int) -> Json:
        if "jsonrpc" not in found:
            raise _Http._refusal(self, found, said, status)
        assert found["id"] == "q", found
        if "error" in found:
            raise self._refusal(found, said, status)
        return found["result"]

    def _refusal(self, found: Json, said: Said, status: int) -> Refused:
        if "jsonrpc" not in found:
            return super()._refusal(found, said, status)
        return _refused(found["error"], found["error"].get("data"), found["error"]["code"], said, status)

    def _event(self, found: Json, place: str, said: Said) -> Event:
        return Event(self._read_event(self._result(found, said, 200)), place, found)

    def _read(self, rpc: str, result: Json) -> Json:
        return words.strict(result, words.RESPONSES[rpc]) if result is not None else {}

    def _read_event(self, result: Json) -> Json:
        return words.strict(result, pb.StreamResponse)


class RpcV03(RpcV1):
    """0.3 over JSON-RPC."""

    version = "0.3"
    unknown = frozenset({"ListTasks"})

    def _request(self, rpc: str, params: Json) -> Json:
        method = words.METHODS_V03[rpc]
        return super()._request(method, words.params_v03(rpc, params))

    def _read(self, rpc: str, result: Json) -> Json:
        return words.object_to_v1(rpc, result)

    def _read_event(self, result: Json) -> Json:
        return words.event_to_v1(result)


class RestV1(_Http):
    """1.0 over HTTP+JSON."""

    binding = "HTTP+JSON"
    below: ClassVar[str] = ""

    async def call(self, rpc: str, params: Json, said: Said | None = None) -> Answer:
        verb, path, body = self._request(rpc, params)
        found, heard, status = await self._one(verb, path, body, self._said(said))
        if status >= 300:
            raise self._refusal(found, heard, status)
        return Answer(self._read(rpc, found), heard, found)

    @asynccontextmanager
    async def stream(self, rpc: str, params: Json, said: Said | None = None) -> AsyncIterator[Events]:
        verb, path, body = self._request(rpc, params)
        async with self._many(verb, path, body, self._said(said)) as events:
            yield events

    def _request(self, rpc: str, params: Json) -> tuple[str, str, Json]:
        verb, path = words.PATHS[rpc]
        rest = {name: value for name, value in params.items() if f"{{{name}}}" not in path}
        path = self.below + path.format_map(
            {name: quote(str(value), safe="") for name, value in params.items()}
        )
        if verb == "GET" and rest:
            shown = {
                name: str(value).lower() if isinstance(value, bool) else value for name, value in rest.items()
            }
            return verb, f"{path}?{urlencode(shown, doseq=True)}", None
        return verb, path, self._body(rpc, rest, params) if verb == "POST" else None

    def _body(self, rpc: str, rest: Json, params: Json) -> Json:
        return rest

    def _event(self, found: Json, place: str, said: Said) -> Event:
        if "error" in found:
            raise self._refusal(found, said, found["error"]["code"])
        return Event(self._read_event(found), place, found)

    def _read(self, rpc: str, found: Json) -> Json:
        return words.strict(found, words.RESPONSES[rpc])

    def _read_event(self, found: Json) -> Json:
        return words.strict(found, pb.StreamResponse)


class RestV03(RestV1):
    """0.3 over HTTP+JSON, in the JSON of its proto, as its SDKs speak it."""

    version, below = "0.3", "/v1"

    def _request(self, rpc: str, params: Json) -> tuple[str, str, Json]:
        if rpc == "GetExtendedAgentCard":
            return "GET", f"{self.below}/card", None
        return super()._request(rpc, params)

    def _body(self, rpc: str, rest: Json, params: Json) -> Json:
        if rpc in ("CancelTask", "SubscribeToTask"):
            return {}
        return words.plain(words.proto_v03(rpc, params))

    def _read(self, rpc: str, found: Json) -> Json:
        if rpc == "GetExtendedAgentCard":
            return words.object_to_v1(rpc, found)
        if rpc == "ListTasks":
            tasks = [words.proto_to_v1("GetTask", words.parsed(one, old_pb.Task)) for one in found["tasks"]]
            return {**found, "tasks": tasks}
        kind = words.RESPONSES_V03[rpc]
        return words.proto_to_v1(rpc, words.parsed(found, kind)) if kind else {}

    def _read_event(self, found: Json) -> Json:
        return words.proto_event_to_v1(words.parsed(found, old_pb.StreamResponse))


class GrpcV1(Door):
    """1.0 over gRPC."""

    binding = "GRPC"
    service: ClassVar[str] = "lf.a2a.v1.A2AService"

    async def call(self, rpc: str, params: Json, said: Said | None = None) -> Answer:
        request, response, name = self._request(rpc, params)
        method = self.place.channel.unary_unary(
            f"/{self.service}/{name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        call = method(request, metadata=tuple(self._said(said).items()), timeout=WAIT_S)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            raise refused_by_grpc(error) from None
        heard = words.metadata_of(await call.initial_metadata(), await call.trailing_metadata())
        return Answer(self._read(rpc, answer), heard, answer)

    @asynccontextmanager
    async def stream(self, rpc: str, params: Json, said: Said | None = None) -> AsyncIterator[Events]:
        request, response, name = self._request(rpc, params)
        method = self.place.channel.unary_stream(
            f"/{self.service}/{name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        call = method(request, metadata=tuple(self._said(said).items()), timeout=WAIT_S)
        try:
            try:
                first = await call.read()
            except grpc.aio.AioRpcError as error:
                raise refused_by_grpc(error) from None
            heard = words.metadata_of(await call.initial_metadata())
            yield Events(heard, self._events(call, first))
        finally:
            call.cancel()

    async def _events(self, call: Any, message: Any) -> AsyncIterator[Event]:
        try:
            while message is not grpc.aio.EOF:
                found = self._read_event(message)
                (payload,) = found.values()
                yield Event(found, str(payload.get("metadata", {}).get("hector.seq", "")), message)
                message = await call.read()
        except grpc.aio.AioRpcError as error:
            raise refused_by_grpc(error) from None

    def _said(self, said: Said | None) -> dict[str, str]:
        return {"agent-name": self.agent, **super()._said(said)}

    def _request(self, rpc: str, params: Json) -> tuple[Any, Any, str]:
        method = pb.DESCRIPTOR.services_by_name["A2AService"].methods_by_name[rpc]
        return words.parsed(params, words.kind_of(method.input_type)), words.RESPONSES[rpc], rpc

    def _read(self, rpc: str, answer: Any) -> Json:
        return words.plain(answer)

    def _read_event(self, message: Any) -> Json:
        return words.plain(message)


class GrpcV03(GrpcV1):
    """0.3 over gRPC."""

    version, service = "0.3", "a2a.v1.A2AService"
    unknown = frozenset({"ListTasks"})

    def _request(self, rpc: str, params: Json) -> tuple[Any, Any, str]:
        name = words.RPCS_V03.get(rpc, rpc)
        method = old_pb.DESCRIPTOR.services_by_name["A2AService"].methods_by_name[name]
        return words.proto_v03(rpc, params), words.kind_of(method.output_type), name

    def _read(self, rpc: str, answer: Any) -> Json:
        return words.proto_to_v1(rpc, answer)

    def _read_event(self, message: Any) -> Json:
        return words.proto_event_to_v1(message)


DOORS: tuple[type[Door], ...] = (RpcV1, RpcV03, RestV1, RestV03, GrpcV1, GrpcV03)


@dataclass(frozen=True)
class Place:
    """A server, as clients reach it."""

    url: str
    http: aiohttp.ClientSession
    channel: grpc.aio.Channel

    def door(self, kind: type[Door], agent: str = "assistant", token: str = "") -> Door:
        return kind(self, agent, {"authorization": f"Bearer {token}"} if token else {})

    def doors(self, agent: str = "assistant", token: str = "") -> list[Door]:
        """Return all six doors of an agent, in the order of `DOORS`."""
        return [self.door(kind, agent, token) for kind in DOORS]

    async def public_card(self, agent: str = "assistant", **headers: str) -> Answer:
        """Return an agent's card as JSON, in the view that the server gives these headers."""
        path = f"/agents/{agent}" if agent else ""
        asked = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.get(f"{self.url}{path}/.well-known/agent-card.json", headers=asked) as answer:
            found = await answer.json(content_type=None) if answer.status == 200 else None
            return Answer(found, {name.lower(): value for name, value in answer.headers.items()}, answer)


@asynccontextmanager
async def place_at(url: str, grpc_address: str) -> AsyncIterator[Place]:
    """Open connections to a server: its URL, and host:port of its gRPC port."""
    # An event may be as long as all that was said: a task is one.
    session = aiohttp.ClientSession(read_bufsize=1 << 22)
    async with session as http, grpc.aio.insecure_channel(grpc_address) as channel:
        yield Place(url, http, channel)


def refused_by_grpc(error: grpc.aio.AioRpcError) -> Refused:
    """Return what a failed call says."""
    said = words.metadata_of(error.initial_metadata(), error.trailing_metadata())
    trailers = [(name, value) for name, value in error.trailing_metadata() or ()]
    wire = next((value for name, value in trailers if name == "grpc-status-details-bin"), b"")
    status = Status.FromString(bytes(wire))
    details = []
    for detail in status.details:
        kind = symbol_database.Default().GetSymbol(detail.TypeName())
        message = kind()
        detail.Unpack(message)
        details.append({"@type": detail.type_url, **words.plain(message)})
    found = {"message": error.details() or ""}
    return _refused(found, details, error.code().name, said, 0)


_KINDS = (ErrorInfo, BadRequest, RequestInfo, RetryInfo)


def _refused(found: Json, details: Any, code: int | str, said: Said, http: int) -> Refused:
    refused = Refused("", code, found["message"], said=said, http=http)
    for detail in details or ():
        kind = detail["@type"].rpartition(".")[2]
        if kind == ErrorInfo.DESCRIPTOR.name:
            refused.reason, refused.domain = detail["reason"], detail["domain"]
            refused.facts = detail.get("metadata", {})
        elif kind == BadRequest.DESCRIPTOR.name:
            refused.violations = {
                one.get("field", ""): one["description"] for one in detail["fieldViolations"]
            }
        elif kind == RequestInfo.DESCRIPTOR.name:
            refused.request_id = detail["requestId"]
        elif kind == RetryInfo.DESCRIPTOR.name:
            refused.retry_s = float(detail["retryDelay"].rstrip("s"))
    refused.request_id = refused.request_id or said.get("x-request-id", "")
    return refused
