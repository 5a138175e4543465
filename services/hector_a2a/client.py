"""A client for a Hector server, or any other A2A server, over JSON-RPC, HTTP+JSON or gRPC."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from a2a.types import a2a_pb2 as a2a
from google.protobuf.message import Message

from hector_mesh import HectorError

from .client_endpoint import SECURE, Endpoint, Transport, by_card, by_convention, card_url, check_public
from .client_errors import BrokenAnswer, NoPages, NotAnA2AServer, Refused
from .client_http import HttpWire
from .json_out import to_json
from .json_whole import to_whole_json

if TYPE_CHECKING:
    from .client_grpc import GrpcWire

M = TypeVar("M", bound=Message)


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
        self,
        url: str,
        *,
        token: str | None = None,
        ca_certificate: Path | None = None,
        transport: Transport | None = None,
        extensions: Sequence[str] = (),
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            url: The server's address, as "http://127.0.0.1:8080", or "grpc://" and "grpcs://" with host and
                port. It may be private: somebody typed it.
            token: The bearer credential, if the server wants one.
            ca_certificate: PEM file of authorities to trust besides the system's.
            transport: What to speak. None: gRPC where the URL says so, else JSON-RPC, or what the card of a
                server that does not speak it at this URL prefers.
            extensions: URIs of extensions of A2A to name with every request.
        """
        self.url = url.rstrip("/")
        self._transport = transport
        self._token, self._ca_certificate = token, ca_certificate
        self._extensions = tuple(extensions)
        self._http = HttpWire(token, ca_certificate, self.url, self._extensions)
        self._grpc: GrpcWire | None = None
        self._endpoints: dict[str, Endpoint] = {}

    async def __aenter__(self) -> Self:
        await self._http.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()
        if self._grpc is not None:
            await self._grpc.close()

    async def send(self, request: a2a.SendMessageRequest) -> a2a.SendMessageResponse:
        """Ask, and return the whole answer.

        Raises:
            HectorError: There is no server, no answer, or a refusal; the message says what to do.
        """
        return await self._call("SendMessage", request, request.tenant, a2a.SendMessageResponse, quick=False)

    def ask(self, request: a2a.SendMessageRequest) -> AsyncGenerator[a2a.StreamResponse, None]:
        """Ask, and yield the answer as it comes; leaving early stops nothing at the server: see `cancel`.

        Raises:
            HectorError: As `send` does, and BrokenAnswer when the stream ends in the middle.
        """
        return self._stream("SendStreamingMessage", request, request.tenant)

    def subscribe(
        self, task: str, agent: str = "", place: str = ""
    ) -> AsyncGenerator[a2a.StreamResponse, None]:
        """Yield a task, and then what changes; raises as `ask` does.

        With a place, where an earlier stream broke off, a Hector server yields the task as it was there.
        """
        request = a2a.SubscribeToTaskRequest(id=task)
        return self._stream("SubscribeToTask", request, agent, place)

    async def get(self, task: str, agent: str = "", history_length: int | None = None) -> a2a.Task:
        """Return a task as it is now; raises as `send` does."""
        request = a2a.GetTaskRequest(id=task, history_length=history_length)
        return await self._call("GetTask", request, agent, a2a.Task)

    async def tasks(self, request: a2a.ListTasksRequest, agent: str = "") -> a2a.ListTasksResponse:
        """Return one page of an agent's tasks; raises as `send` does."""
        return await self._call("ListTasks", request, agent, a2a.ListTasksResponse)

    async def cancel(self, task: str, agent: str = "") -> a2a.Task:
        """Stop a task, and return what became of it; raises as `send` does."""
        return await self._call("CancelTask", a2a.CancelTaskRequest(id=task), agent, a2a.Task)

    async def extended_card(self, agent: str = "") -> a2a.AgentCard:
        """Return an agent's card with what only its authenticated callers see; raises as `send` does."""
        return await self._call(
            "GetExtendedAgentCard", a2a.GetExtendedAgentCardRequest(), agent, a2a.AgentCard
        )

    async def agents(self) -> list[AgentEntry]:
        """Return the agents that this caller may see; only Hector servers tell. Raises as `send` does."""
        endpoint = by_convention(self.url, "", self._transport)
        if endpoint is not None and endpoint.transport == "grpc":
            return [
                AgentEntry(
                    name=one.name,
                    title=one.title or one.name,
                    description=one.description,
                    type=one.type,
                    streaming=one.streaming,
                    default=one.default,
                )
                for one in await self._over_grpc().agents(endpoint)
            ]
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

    async def page(
        self, path: str, *, verb: str = "GET", body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the JSON object at a path, as "/health"; raises as `send` does.

        Raises:
            NoPages: The URL is that of a gRPC server.
        """
        if self.url.partition("://")[0] in SECURE:
            raise NoPages(self.url)
        return await self._http.page(self.url + path, verb, body)

    async def manage(
        self,
        method: str,
        request: Message,
        path: str,
        *,
        verb: str = "GET",
        body: dict[str, Any] | None = None,
        is_whole: bool = False,
    ) -> dict[str, Any]:
        """Return what a Hector server's AgentService answers, as JSON: over gRPC or, by the URL, as a page.

        Args:
            method: The call, as "PauseRun".
            request: What is asked.
            path: The page that answers the same over HTTP, with its query.
            verb: With which verb.
            body: What to send there.
            is_whole: The page leaves nothing out; see `to_whole_json`.

        Raises:
            HectorError: As `send` does.
        """
        if self.url.partition("://")[0] not in SECURE:
            return await self.page(path, verb=verb, body=body)
        endpoint = by_convention(self.url, "", self._transport)
        assert endpoint is not None
        answered = await self._over_grpc().manage(endpoint, method, request)
        if is_whole:
            return to_whole_json(answered)
        found: dict[str, Any] = to_json(answered)
        return found

    async def _call(
        self, method: str, request: Message, agent: str, answer: type[M], *, quick: bool = True
    ) -> M:
        endpoint = await self._endpoint(agent)
        try:
            return await self._wire(endpoint).call(endpoint, method, request, answer, quick=quick)
        except (NotAnA2AServer, Refused) as error:
            endpoint = await self._elsewhere(endpoint, agent, error)
        return await self._wire(endpoint).call(endpoint, method, request, answer, quick=quick)

    async def _stream(
        self, method: str, request: Message, agent: str, place: str = ""
    ) -> AsyncGenerator[a2a.StreamResponse, None]:
        endpoint, last = await self._endpoint(agent), None
        try:
            async with aclosing(self._wire(endpoint).stream(endpoint, method, request, place)) as responses:
                async for last in responses:
                    yield last
        except (NotAnA2AServer, Refused) as error:
            if last is not None:
                raise
            endpoint = await self._elsewhere(endpoint, agent, error)
            async with aclosing(self._wire(endpoint).stream(endpoint, method, request, place)) as responses:
                async for last in responses:
                    yield last
        if last is None or not _is_end(last):
            raise BrokenAnswer(
                self.url, "the stream ended before the answer did; the task may still be at work"
            )

    async def _endpoint(self, agent: str) -> Endpoint:
        known = self._endpoints.get(agent) or by_convention(self.url, agent, self._transport)
        self._endpoints[agent] = known or await self._of_card(agent)
        return self._endpoints[agent]

    async def _elsewhere(self, tried: Endpoint, agent: str, error: HectorError) -> Endpoint:
        """Return where the card says that the agent is, if that is somewhere else."""
        if tried.transport == "grpc" or not _is_other_tongue(error):
            raise error
        try:
            found = await self._of_card(agent)
        except (Refused, NotAnA2AServer):  # it has no card: what went wrong first is what to tell
            raise error from None
        if found == tried:
            raise error
        self._endpoints[agent] = found
        return found

    async def _of_card(self, agent: str) -> Endpoint:
        card = await self._http.page(card_url(self.url, agent))
        found = by_card(card, self.url, self._transport)
        if found.transport == "grpc" and found.is_strange:
            await check_public(self.url, found.url)
        return found

    def _wire(self, endpoint: Endpoint) -> "HttpWire | GrpcWire":
        return self._over_grpc() if endpoint.transport == "grpc" else self._http

    def _over_grpc(self) -> "GrpcWire":
        if self._grpc is None:
            from .client_grpc import GrpcWire

            self._grpc = GrpcWire(self._token, self._ca_certificate, self._extensions)
        return self._grpc


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


_OTHER_TONGUES = frozenset({"VERSION_NOT_SUPPORTED", "METHOD_NOT_FOUND"})
_METHOD_NOT_FOUND = "-32601"


def _is_other_tongue(error: HectorError) -> bool:
    """Say whether who answers speaks something else: its card says what."""
    facts = error.facts
    is_unknown = facts.get("reason") in _OTHER_TONGUES or facts.get("code") == _METHOD_NOT_FOUND
    return isinstance(error, NotAnA2AServer) or is_unknown


def _is_end(event: a2a.StreamResponse) -> bool:
    kind = event.WhichOneof("payload")
    if kind == "status_update":
        return event.status_update.status.state in _ENDS
    return kind == "message" or (kind == "task" and event.task.status.state in _ENDS)
