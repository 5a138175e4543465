"""A client for a Hector server, or any other server that speaks A2A 1.0 as JSON-RPC over HTTP."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import orjson
from a2a.types import a2a_pb2 as a2a
from google.protobuf.message import Message

from hector_http import (
    NO_RETRIES,
    BadUrl,
    HttpClient,
    HttpError,
    PlainClient,
    PlainResponse,
    Request,
    Response,
    TimedOut,
    Timeouts,
    Tls,
    Unreachable,
    Untrusted,
)

from .client_errors import (
    BrokenAnswer,
    NoServerThere,
    NoSuchAddress,
    NotAnA2AServer,
    Refused,
    ServerNotTrusted,
    SilentServer,
    TokenRefused,
    refused,
)
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


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """One line of a server's list of agents."""

    name: str
    title: str = ""
    description: str = ""
    url: str = ""
    type: str = ""
    streaming: bool = False
    default: bool = False


class Client:
    """Asks the agents of one server. Open it with `async with`.

    The agent is the request's `tenant`; empty means the server's default agent.
    """

    def __init__(
        self, url: str, *, token: str | None = None, ca_certificate: Path | None = None, pooled: bool = True
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            url: The server's address, as "http://127.0.0.1:8080". It may be private: somebody typed it.
            token: The bearer credential, if the server wants one.
            ca_certificate: PEM file of authorities to trust besides the system's.
            pooled: Keep connections, for many requests. A program that asks once starts sooner without.
        """
        self.url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json", "A2A-Version": "1.0"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._has_token = bool(token)
        tls = Tls(ca_file=ca_certificate) if ca_certificate else None
        self._http: HttpClient | PlainClient = (
            HttpClient(trusted=[self.url], tls=tls) if pooled else PlainClient(tls=tls)
        )
        self._ids = 0

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def send(self, request: a2a.SendMessageRequest) -> a2a.SendMessageResponse:
        """Ask, and return the whole answer.

        Raises:
            HectorError: There is no server, no answer, or a refusal; the message says what to do.
        """
        return await self._call("SendMessage", request, request.tenant, a2a.SendMessageResponse)

    async def ask(self, request: a2a.SendMessageRequest) -> AsyncGenerator[a2a.StreamResponse, None]:
        """Ask, and yield the answer as it comes; leaving early stops nothing at the server: see `cancel`.

        Raises:
            HectorError: As `send` does, and BrokenAnswer when the stream ends in the middle.
        """
        events, last = EventReader(), None
        async with self._posted("SendStreamingMessage", request, request.tenant, _STREAMING) as response:
            if not _is(response, "text/event-stream"):
                raise _unexpected(self.url, _envelope(self.url, response, await response.read()))
            try:
                while piece := await response.read_some():
                    for data in events.feed(piece):
                        last = from_json(_result(self.url, data), a2a.StreamResponse, complete=False)
                        yield last
            except HttpError as error:
                raise BrokenAnswer(self.url, str(error)) from error
        if last is None or not _is_end(last):
            raise BrokenAnswer(
                self.url, "the stream ended before the answer did; the task may still be at work"
            )

    async def get(self, task: str, agent: str = "", history_length: int | None = None) -> a2a.Task:
        """Return a task as it is now; raises as `send` does."""
        request = a2a.GetTaskRequest(id=task, history_length=history_length)
        return await self._call("GetTask", request, agent, a2a.Task, _QUICK)

    async def tasks(self, request: a2a.ListTasksRequest, agent: str = "") -> a2a.ListTasksResponse:
        """Return one page of an agent's tasks; raises as `send` does."""
        return await self._call("ListTasks", request, agent, a2a.ListTasksResponse, _QUICK)

    async def cancel(self, task: str, agent: str = "") -> a2a.Task:
        """Stop a task, and return what became of it; raises as `send` does."""
        return await self._call("CancelTask", a2a.CancelTaskRequest(id=task), agent, a2a.Task, _QUICK)

    async def extended_card(self, agent: str = "") -> a2a.AgentCard:
        """Return an agent's card with what only its authenticated callers see; raises as `send` does."""
        request = a2a.GetExtendedAgentCardRequest()
        return await self._call("GetExtendedAgentCard", request, agent, a2a.AgentCard, _QUICK)

    async def agents(self) -> list[AgentEntry]:
        """Return the agents that this caller may see; raises as `send` does."""
        found = await self.page("/agents")
        return [
            AgentEntry(
                name=str(entry.get("name", "")),
                title=str(entry.get("title", "")),
                description=str(entry.get("description", "")),
                url=str(entry.get("url", "")),
                type=str(entry.get("type", "")),
                streaming=bool(entry.get("streaming")),
                default=bool(entry.get("default")),
            )
            for entry in found.get("agents", ())
        ]

    async def page(self, path: str) -> dict[str, Any]:
        """Return the JSON object at a path, as "/health"; raises as `send` does."""
        async with self._sent("GET", path, None, _QUICK) as response:
            return _object(self.url, response, await response.read())

    async def _call(
        self, method: str, request: Message, agent: str, answer: type[M], timeouts: Timeouts = _WAITING
    ) -> M:
        async with self._posted(method, request, agent, timeouts) as response:
            return from_json(_result(self.url, await response.read(), response), answer, complete=False)

    @asynccontextmanager
    async def _posted(
        self, method: str, request: Message, agent: str, timeouts: Timeouts
    ) -> AsyncIterator[Response | PlainResponse]:
        self._ids += 1
        params = to_json(request)
        params.pop("tenant", None)  # the path says it
        body = orjson.dumps({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params})
        path = f"/agents/{quote(agent, safe='')}" if agent else "/"
        async with self._sent("POST", path, body, timeouts) as response:
            yield response

    @asynccontextmanager
    async def _sent(
        self, method: str, path: str, body: bytes | None, timeouts: Timeouts
    ) -> AsyncIterator[Response | PlainResponse]:
        request = Request(
            method,
            self.url + path,
            self._headers,
            body,
            timeouts=timeouts,
            retries=NO_RETRIES,
            max_body_bytes=1 << 40,
        )
        try:
            async with self._http.send(request) as response:
                if response.status == 401:
                    raise TokenRefused(self.url, given=self._has_token)
                if response.status >= 400:
                    raise _unexpected(self.url, _object(self.url, response, await response.read()))
                yield response
        except BadUrl as error:
            raise NoSuchAddress(self.url) from error
        except Untrusted as error:
            raise ServerNotTrusted(self.url, str(error)) from error
        except Unreachable as error:
            raise NoServerThere(self.url, str(error)) from error
        except TimedOut as error:
            raise SilentServer(self.url, str(error)) from error


def _result(url: str, data: bytes, response: Response | PlainResponse | None = None) -> Json:
    envelope = _envelope(url, response, data)
    if "error" in envelope:
        raise _unexpected(url, envelope)
    return envelope.get("result")


def _envelope(url: str, response: Response | PlainResponse | None, data: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not ("result" in found or "error" in found):
        raise NotAnA2AServer(url, response.status if response else 200)
    return found


def _object(url: str, response: Response | PlainResponse, data: bytes) -> dict[str, Any]:
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


def _is(response: Response | PlainResponse, media_type: str) -> bool:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower() == media_type


_ENDS = frozenset(
    {
        a2a.TASK_STATE_COMPLETED,
        a2a.TASK_STATE_FAILED,
        a2a.TASK_STATE_CANCELED,
        a2a.TASK_STATE_REJECTED,
        a2a.TASK_STATE_INPUT_REQUIRED,
        a2a.TASK_STATE_AUTH_REQUIRED,
    }
)


def _is_end(event: a2a.StreamResponse) -> bool:
    kind = event.WhichOneof("payload")
    if kind == "status_update":
        return event.status_update.status.state in _ENDS
    return kind == "message" or (kind == "task" and event.task.status.state in _ENDS)
