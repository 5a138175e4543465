"""A client's side of JSON-RPC and HTTP+JSON."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import orjson
from a2a.types import a2a_pb2 as a2a
from google.protobuf.message import Message

from hector_http import (
    NO_RETRIES,
    AddressRefused,
    BadUrl,
    HttpClient,
    HttpError,
    Request,
    Response,
    TimedOut,
    Timeouts,
    Tls,
    Unreachable,
    Untrusted,
)

from . import v03_answers
from .client_endpoint import Endpoint
from .client_errors import (
    BrokenAnswer,
    NoServerThere,
    NoSuchAddress,
    NotAnA2AServer,
    Refused,
    ServerNotTrusted,
    SilentServer,
    StrangePlace,
    TokenRefused,
    refused,
)
from .errors import UnsupportedOperation
from .events_in import EventReader
from .json_in import from_json
from .json_out import to_json
from .json_values import Json

M = TypeVar("M", bound=Message)

WEEK_S = 7 * 86400.0
# A blocking server sends nothing until it is done; a stream sends comments all the while.
_WAITING = Timeouts(first_byte_s=660.0, stall_s=60.0, total_s=720.0)
_STREAMING = Timeouts(first_byte_s=30.0, stall_s=90.0, total_s=WEEK_S)
_QUICK = Timeouts(first_byte_s=30.0, stall_s=30.0, total_s=60.0)

_PATHS: Mapping[str, tuple[str, str]] = {
    "SendMessage": ("POST", "/message:send"),
    "SendStreamingMessage": ("POST", "/message:stream"),
    "GetTask": ("GET", "/tasks/{id}"),
    "ListTasks": ("GET", "/tasks"),
    "CancelTask": ("POST", "/tasks/{id}:cancel"),
    "SubscribeToTask": ("POST", "/tasks/{id}:subscribe"),
    "GetExtendedAgentCard": ("GET", "/extendedAgentCard"),
}


class HttpWire:
    """Speaks to servers over HTTP."""

    def __init__(
        self, token: str | None, ca_certificate: Path | None, url: str, extensions: Sequence[str] = ()
    ) -> None:
        """Prepare; `url` may be private, for somebody typed it, and what its host has elsewhere, too."""
        self._extensions = ", ".join(extensions)
        self._token = token
        self._trusted = [url]
        tls = Tls(ca_file=ca_certificate) if ca_certificate else None
        self._http = HttpClient(trusted=self._trusted, tls=tls)
        self._ids = 0

    async def open(self) -> None:
        await self._http.__aenter__()

    async def close(self) -> None:
        await self._http.__aexit__(None, None, None)

    async def call(
        self, endpoint: Endpoint, method: str, request: Message, answer: type[M], *, quick: bool
    ) -> M:
        """Return what a method answers."""
        async with self._asked(endpoint, method, request, _QUICK if quick else _WAITING) as response:
            found = _said(endpoint, await response.read(), response)
            if endpoint.version == "0.3":
                is_task = answer is a2a.Task and isinstance(found, dict)
                found = v03_answers.task_in_v1(found) if is_task else v03_answers.answer_in_v1(found)
            return from_json(found, answer, complete=False)

    async def stream(
        self, endpoint: Endpoint, method: str, request: Message, place: str = ""
    ) -> AsyncGenerator[a2a.StreamResponse, None]:
        """Yield what a method shows; from `place` on, where the server knows it."""
        events = EventReader()
        async with self._asked(endpoint, method, request, _STREAMING, place) as response:
            if not _is(response, "text/event-stream"):
                raise _unexpected(endpoint.url, _object(endpoint.url, response, await response.read()))
            try:
                while piece := await response.read_some():
                    for data in events.feed(piece):
                        found = _said(endpoint, data)
                        if endpoint.version == "0.3":
                            found = v03_answers.answer_in_v1(found)
                        yield from_json(found, a2a.StreamResponse, complete=False)
            except HttpError as error:
                raise BrokenAnswer(endpoint.url, str(error)) from error

    async def page(self, url: str, verb: str = "GET", body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON object at a URL; a card in the form that the server likes."""
        sent = None if body is None else orjson.dumps(body)
        async with self._sent(verb, url, sent, _QUICK, token=self._token) as response:
            return _object(url, response, await response.read())

    @asynccontextmanager
    async def _asked(
        self, endpoint: Endpoint, method: str, request: Message, timeouts: Timeouts, place: str = ""
    ) -> AsyncIterator[Response]:
        if not endpoint.is_strange and endpoint.url not in self._trusted:
            self._trusted.append(endpoint.url)
        token = None if endpoint.is_strange else self._token
        params = to_json(request)
        params.pop("tenant", None)
        if endpoint.tenant:
            params["tenant"] = endpoint.tenant
        more = {"A2A-Version": endpoint.version}
        if self._extensions:
            more["A2A-Extensions"] = self._extensions
            if endpoint.version == "0.3":
                more["X-A2A-Extensions"] = self._extensions
        if place:
            more["Last-Event-ID"] = place
        if endpoint.transport == "http+json":
            verb, path, body = _rest(method, params)
            sent = self._sent(verb, endpoint.url + path, body, timeouts, more, token=token)
        else:
            self._ids += 1
            if endpoint.version == "0.3":
                method, params = _in_v03(method, params)
            body = orjson.dumps({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params})
            url = endpoint.url if "/" in endpoint.url.partition("://")[2] else f"{endpoint.url}/"
            sent = self._sent("POST", url, body, timeouts, more, token=token)
        async with sent as response:
            yield response

    @asynccontextmanager
    async def _sent(
        self,
        verb: str,
        url: str,
        body: bytes | None,
        timeouts: Timeouts,
        more: Mapping[str, str] | None = None,
        *,
        token: str | None,
    ) -> AsyncIterator[Response]:
        headers = {"Content-Type": "application/json", **(more or {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = Request(
            verb, url, headers, body, timeouts=timeouts, retries=NO_RETRIES, max_body_bytes=1 << 40
        )
        shown = url.partition("?")[0]
        server = "/".join(shown.split("/")[:3])
        try:
            async with self._http.send(request) as response:
                if response.status == 401:
                    raise TokenRefused(server, given=bool(token), kept=bool(self._token) and not token)
                if response.status >= 400:
                    raise _unexpected(shown, _object(shown, response, await response.read()))
                yield response
        except AddressRefused as error:
            raise StrangePlace(self._trusted[0], server, str(error).rpartition(": ")[2]) from error
        except BadUrl as error:
            raise NoSuchAddress(server) from error
        except Untrusted as error:
            raise ServerNotTrusted(server, str(error)) from error
        except Unreachable as error:
            raise NoServerThere(server, str(error)) from error
        except TimedOut as error:
            raise SilentServer(server, str(error)) from error


def _rest(method: str, params: dict[str, Any]) -> tuple[str, str, bytes | None]:
    """Return verb, path and body of an operation; what is in the path, or in a query, is in no body."""
    verb, path = _PATHS[method]
    if "{id}" in path:
        path = path.replace("{id}", quote(str(params.pop("id", "")), safe=""))
    tenant = params.pop("tenant", "")
    if tenant:
        path = f"/{quote(str(tenant), safe='')}{path}"
    if verb == "POST":
        return verb, path, orjson.dumps(params)
    said = {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.items()}
    return verb, f"{path}?{urlencode(said)}" if said else path, None


def _in_v03(method: str, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    old = v03_answers.method_in_v03(method)
    if old is None:
        raise UnsupportedOperation(f"the agent speaks A2A 0.3, which has no {method}")
    return old, v03_answers.request_in_v03(params)


def _said(endpoint: Endpoint, data: bytes, response: Response | None = None) -> Json:
    """Return what an answer, or an event, says."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        found = None
    status = response.status if response else 200
    if not isinstance(found, dict):
        raise NotAnA2AServer(endpoint.url, status)
    if "error" in found and ("jsonrpc" in found or endpoint.transport == "http+json"):
        raise _unexpected(endpoint.url, found)
    if endpoint.transport == "http+json":
        return found
    if "result" not in found:
        raise NotAnA2AServer(endpoint.url, status)
    result: Json = found["result"]
    return result


def _object(url: str, response: Response, data: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise NotAnA2AServer(url, response.status)
    return found


def _unexpected(url: str, found: Mapping[str, Any]) -> Refused | NotAnA2AServer:
    error = found.get("error")
    return refused(error) if isinstance(error, dict) else NotAnA2AServer(url, 200)


def _is(response: Response, media_type: str) -> bool:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower() == media_type
