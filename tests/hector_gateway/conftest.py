"""A gateway on real sockets, in front of agents that do what a test tells them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc.aio
import pytest
from support.made_tables import made_tables

import hector_a2a as a2a
from hector.agent.v1 import (
    PUSH_STATE_DEAD,
    VISIBILITY_INTERNAL,
    VISIBILITY_PRIVATE,
    VISIBILITY_PUBLIC,
    Agent,
    AgentServiceServicer,
    GetAgentRequest,
    GetAgentResponse,
    ListAgentsRequest,
    ListAgentsResponse,
    ListPushConfigsRequest,
    ListPushConfigsResponse,
    ListRunsRequest,
    ListRunsResponse,
    PushConfig,
    RetryPushConfigRequest,
    RetryPushConfigResponse,
    Run,
    Skill,
    add_AgentServiceServicer_to_server,
)
from hector_a2a.parameters import Parameters
from hector_gateway.config import GatewaySection
from hector_gateway.room import Border
from hector_mesh import Call, Context, Principal, current_call

__all__ = ["made_tables"]

SEQ = "hector.seq"


class Agents(AgentServiceServicer):
    """Four agents: one of each visibility, and one that does not stream."""

    def __init__(self) -> None:
        self.asked, self.wait, self.times = asyncio.Event(), asyncio.Event(), 0
        self.asked_of_push: list[tuple[Principal, Any]] = []
        self.commanded: list[tuple[str, Principal, Any]] = []
        self.answers: dict[str, Any] = {}
        """What is answered to commands, by the name of the call."""
        self.wait.set()
        skill = Skill(id="help", name="Help", description="Helps.", tags=["chat"])
        self.agents = [
            Agent(
                name="helper",
                title="Helper",
                description="Helps.",
                streaming=True,
                default=True,
                visibility=VISIBILITY_PUBLIC,
                skills=[skill],
            ),
            Agent(name="inside", description="For ours.", streaming=True, visibility=VISIBILITY_INTERNAL),
            Agent(name="hidden", description="For agents.", streaming=True, visibility=VISIBILITY_PRIVATE),
            Agent(name="whole", description="Does not stream.", visibility=VISIBILITY_PUBLIC),
        ]
        for agent in self.agents:
            agent.input_modes.append("*/*")
            agent.output_modes.append("*/*")
            agent.offer.push_notifications = False

    async def ListAgents(self, request: ListAgentsRequest, context: Context) -> ListAgentsResponse:
        self.times += 1
        self.asked.set()
        await self.wait.wait()
        return ListAgentsResponse(agents=self.agents)

    async def ListRuns(self, request: ListRunsRequest, context: Context) -> ListRunsResponse:
        return ListRunsResponse(runs=[Run(name="t")] if request.agent == "gone" else [])

    async def GetAgent(self, request: GetAgentRequest, context: Context) -> GetAgentResponse:
        return GetAgentResponse(agent=next(one for one in self.agents if one.name == request.agent))

    async def ListPushConfigs(
        self, request: ListPushConfigsRequest, context: Context
    ) -> ListPushConfigsResponse:
        self.asked_of_push.append((current_call.get().principal, request))
        return ListPushConfigsResponse(push_configs=[PushConfig(run="t", id="c", state=PUSH_STATE_DEAD)])

    async def RetryPushConfig(
        self, request: RetryPushConfigRequest, context: Context
    ) -> RetryPushConfigResponse:
        self.asked_of_push.append((current_call.get().principal, request))
        return RetryPushConfigResponse(push_config=PushConfig(run=request.run, id=request.id))


def _commanded(name: str) -> Any:
    async def answer(self: Agents, request: Any, context: Context) -> Any:
        self.commanded.append((name, current_call.get().principal, request))
        return self.answers[name]

    return answer


for _name in (
    *("CancelRun", "PauseRun", "ResumeRun", "RetryRun", "Signal", "GetRun", "ListCheckpoints"),
    *("GetQueueStats", "ListDeadLetters", "RequeueDeadLetter"),
):
    setattr(Agents, _name, _commanded(_name))


@dataclass
class FakeA2A(a2a.A2AServiceServicer):
    """Answers with what was said; a message's text may ask for something else."""

    calls: list[Call] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    heard: list[Parameters] = field(default_factory=list)
    """What was said beside messages that are not to be streamed."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    produced: int = 0

    def _take(self, request: Any) -> str:
        self.calls.append(current_call.get())
        self.requests.append(request)
        self.begun.set()
        return request.message.parts[0].text if hasattr(request, "message") else ""

    async def SendMessage(self, request: a2a.SendMessageRequest, context: Context) -> a2a.SendMessageResponse:
        text = self._take(request)
        self.heard.append(Parameters.read(context.invocation_metadata()))
        await _behave(text, self)
        return a2a.SendMessageResponse(task=task(text, a2a.TASK_STATE_COMPLETED))

    async def SendStreamingMessage(
        self, request: a2a.SendMessageRequest, context: Context
    ) -> AsyncIterator[a2a.StreamResponse]:
        text = self._take(request)
        if text in ("fail first", "bug"):
            await _behave(text, self)
        first = a2a.StreamResponse(task=task("", a2a.TASK_STATE_WORKING))
        first.task.metadata[SEQ] = "1"
        yield first
        try:
            if text == "endless":
                while True:
                    self.produced += 1
                    yield piece("x" * 1000, self.produced)
                    await asyncio.sleep(0)
            if text == "quiet":
                await asyncio.sleep(3600)
            if text == "held":
                await self.let_go.wait()
            for number, word in enumerate(text.split()):
                yield piece(word, number + 2)
            if text == "fail later":
                raise a2a.InvalidAgentResponse("it said something odd")
        finally:
            self.stopped.set()
        last = a2a.StreamResponse()
        last.status_update.task_id, last.status_update.context_id = "t", "c"
        last.status_update.status.state = a2a.TASK_STATE_COMPLETED
        yield last

    async def GetTask(self, request: a2a.GetTaskRequest, context: Context) -> a2a.Task:
        self._take(request)
        if request.id != "t":
            raise a2a.TaskNotFound(request.id)
        return task("kept", a2a.TASK_STATE_COMPLETED)

    async def ListTasks(self, request: a2a.ListTasksRequest, context: Context) -> a2a.ListTasksResponse:
        self._take(request)
        if request.page_token == "bad":
            raise a2a.InvalidParams({"pageToken": "is none of ours"})
        if request.page_token == "not served":
            context.set_code(grpc.StatusCode.UNIMPLEMENTED)  # as a generated servicer does
            raise NotImplementedError
        found = a2a.ListTasksResponse(tasks=[task("kept", a2a.TASK_STATE_COMPLETED)], total_size=1)
        found.page_size = request.page_size or 50
        return found

    async def SubscribeToTask(
        self, request: a2a.SubscribeToTaskRequest, context: Context
    ) -> AsyncIterator[a2a.StreamResponse]:
        self._take(request)
        if request.id == "over":
            raise a2a.UnsupportedOperation("task 'over' is over")
        if request.id != "t":
            raise a2a.TaskNotFound(request.id)
        first = a2a.StreamResponse(task=task("", a2a.TASK_STATE_WORKING))
        first.task.metadata[SEQ] = "1"
        yield first
        yield piece("one", 2)

    async def CancelTask(self, request: a2a.CancelTaskRequest, context: Context) -> a2a.Task:
        self._take(request)
        if request.id == "over":
            raise a2a.TaskNotCancelable("over", "TASK_STATE_COMPLETED")
        if request.id != "t":
            raise a2a.TaskNotFound(request.id)
        return task("", a2a.TASK_STATE_CANCELED)


async def _behave(text: str, fake: FakeA2A) -> None:
    if text == "hang":
        try:
            await asyncio.sleep(3600)
        finally:
            fake.stopped.set()
    if text == "bug":
        raise RuntimeError("password=hunter2 at /etc/secret")
    if text == "bad fields":
        raise a2a.InvalidParams({"message.parts": "required"})
    if text == "fail first":
        raise a2a.ContentTypeNotSupported("video/mp4", ["text/plain"])


def task(text: str, state: "a2a.TaskState.ValueType") -> a2a.Task:  # type: ignore[name-defined]
    found = a2a.Task(id="t", context_id="c", status=a2a.TaskStatus(state=state))
    found.status.timestamp.FromJsonString("2026-01-31T12:00:00Z")
    if text:
        found.artifacts.add(artifact_id="a", name="answer").parts.add(text=text)
    return found


def piece(text: str, seq: int) -> a2a.StreamResponse:
    found = a2a.StreamResponse()
    update = found.artifact_update
    update.task_id, update.context_id, update.append = "t", "c", seq > 2
    update.artifact.artifact_id = "a"
    update.artifact.parts.add(text=text)
    update.metadata[SEQ] = str(seq)
    return found


@dataclass
class Gateway:
    """A running gateway and a client for it."""

    url: str
    grpc_address: str
    http: aiohttp.ClientSession
    fake: FakeA2A
    agents: Agents
    stop: Callable[[], Awaitable[None]]
    shown: list[str]
    """Admin secrets that were made."""

    async def rpc(
        self,
        method: str,
        params: Any = None,
        *,
        path: str = "/agents/helper",
        headers: Any = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Send one request of A2A 1.0, and return the envelope of the answer."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}, **more}
        version = {} if "/" in method else {"A2A-Version": "1.0"}
        async with self.http.post(
            self.url + path, json=body, headers={**version, **(headers or {})}
        ) as answer:
            assert answer.status == 200, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    @asynccontextmanager
    async def stream(
        self, method: str, params: Any, path: str = "/agents/helper", headers: Any = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request and read its answer as it comes."""
        version = {} if "/" in method else {"A2A-Version": "1.0"}
        body = {"jsonrpc": "2.0", "id": "s", "method": method, "params": params}
        async with self.http.post(
            self.url + path, json=body, headers={**version, **(headers or {})}
        ) as found:
            yield found

    async def events(self, method: str, params: Any, **more: Any) -> list[tuple[str, Any]]:
        """Return id and data of all events of a stream."""
        async with self.stream(method, params, **more) as answer:
            assert answer.content_type == "text/event-stream", await answer.text()
            text = await answer.text()
        found = []
        for block in text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if lines:
                found.append((lines.get("id", ""), json.loads(lines["data"])))
        return found

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self.grpc_address)

    @staticmethod
    def said(text: str, **more: Any) -> dict[str, Any]:
        """Return the parameters of a send in A2A 1.0."""
        return {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}], **more}}

    @staticmethod
    def said_v03(text: str, **more: Any) -> dict[str, Any]:
        """Return the parameters of a send in A2A 0.3."""
        part = {"kind": "text", "text": text}
        return {"message": {"kind": "message", "messageId": "m", "role": "user", "parts": [part], **more}}


StartGateway = Callable[..., Awaitable[Gateway]]


@pytest.fixture
async def start_gateway(mesh_under_test: Any, tmp_path: Any) -> AsyncIterator[StartGateway]:
    """Return what starts a gateway with the given `server:` keys, on free ports."""
    async with AsyncExitStack() as stack:

        async def start(**server: Any) -> Gateway:
            fake, agents = FakeA2A(), Agents()
            await mesh_under_test.serve(
                lambda on: a2a.add_A2AServiceServicer_to_server(fake, on),
                lambda on: add_AgentServiceServicer_to_server(agents, on),
            )
            source, plugins = server.pop("source", None), server.pop("plugins", None)
            auth = {"secret_file": tmp_path / "admin_secret.sha256", **server.pop("auth", {})}
            offered = {"push_notifications": False, **server.pop("a2a", {})}  # the agents here send none
            keys = {"port": 0, "grpc_port": 0, "shutdown_timeout": 1, "auth": auth, "a2a": offered, **server}
            config = GatewaySection.model_validate({"server": keys})
            shown: list[str] = []
            mesh = mesh_under_test.mesh
            border = Border(config, mesh, lambda made: shown.append(made.text), source, plugins=plugins)
            running = await stack.enter_async_context(AsyncExitStack())
            await running.enter_async_context(border.running())
            http = await stack.enter_async_context(aiohttp.ClientSession())
            port = server.get("port") or border.public.url.rpartition(":")[2]
            url = f"http://127.0.0.1:{port}"
            address = border.public.grpc_address.replace("localhost", "127.0.0.1")
            return Gateway(url, address, http, fake, agents, running.aclose, shown)

        async with asyncio.timeout(60):
            yield start


@pytest.fixture
async def gateway(start_gateway: StartGateway) -> Gateway:
    """A gateway as it is without configuration."""
    return await start_gateway()
