"""A gateway before an A2A service that fails as its tasks' ids, or its messages, tell it to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
from a2a_rules.house import House, key_of
from support.doors import place_at
from support.mesh import MeshUnderTest

import hector_a2a as a2a
from hector.agent.v1 import (
    VISIBILITY_PUBLIC,
    Agent,
    AgentServiceServicer,
    ListAgentsRequest,
    ListAgentsResponse,
    ListRunsRequest,
    ListRunsResponse,
    add_AgentServiceServicer_to_server,
)
from hector_gateway.config import GatewaySection
from hector_gateway.room import Border

SECRET = "password=hunter2 at /etc/secret"

FAILURES: dict[str, Exception] = {
    "TASK_NOT_FOUND": a2a.TaskNotFound("t-1"),
    "TASK_NOT_CANCELABLE": a2a.TaskNotCancelable("t-1", "TASK_STATE_COMPLETED"),
    "PUSH_NOTIFICATION_NOT_SUPPORTED": a2a.PushNotificationNotSupported(),
    "UNSUPPORTED_OPERATION": a2a.UnsupportedOperation("this is not done here"),
    "CONTENT_TYPE_NOT_SUPPORTED": a2a.ContentTypeNotSupported("video/mp4", ["text/plain"]),
    "INVALID_AGENT_RESPONSE": a2a.InvalidAgentResponse("it said something odd"),
    "EXTENDED_AGENT_CARD_NOT_CONFIGURED": a2a.ExtendedAgentCardNotConfigured("faulty"),
    "EXTENSION_SUPPORT_REQUIRED": a2a.ExtensionSupportRequired(["https://x/v1"]),
    "VERSION_NOT_SUPPORTED": a2a.VersionNotSupported("not that one", found="7.0", supported=["1.0"]),
    "INVALID_PARAMS": a2a.InvalidParams({"message.parts[0].text": "is too rude"}),
}
"""What it raises, by A2A's reason."""


class Agents(AgentServiceServicer):
    """One agent, `faulty`."""

    async def ListAgents(self, request: ListAgentsRequest, context: Any) -> ListAgentsResponse:
        agent = Agent(name="faulty", streaming=True, default=True, visibility=VISIBILITY_PUBLIC)
        return ListAgentsResponse(agents=[agent])

    async def ListRuns(self, request: ListRunsRequest, context: Any) -> ListRunsResponse:
        return ListRunsResponse()


class Faulty(a2a.A2AServiceServicer):
    """`REASON` fails with it, `bug` with a secret; a stream that is told `later REASON` begins first."""

    async def SendMessage(self, request: a2a.SendMessageRequest, context: Any) -> a2a.SendMessageResponse:
        await fail(request.message.parts[0].text, context)
        return a2a.SendMessageResponse(task=a2a.Task(id="t-1", context_id="c-1"))

    async def SendStreamingMessage(
        self, request: a2a.SendMessageRequest, context: Any
    ) -> AsyncIterator[a2a.StreamResponse]:
        async for event in self._events(request.message.parts[0].text, context):
            yield event

    async def SubscribeToTask(
        self, request: a2a.SubscribeToTaskRequest, context: Any
    ) -> AsyncIterator[a2a.StreamResponse]:
        async for event in self._events(request.id, context):
            yield event

    async def GetTask(self, request: a2a.GetTaskRequest, context: Any) -> a2a.Task:
        await fail(request.id, context)
        return a2a.Task(id=request.id, context_id="c-1")

    async def _events(self, what: str, context: Any) -> AsyncIterator[a2a.StreamResponse]:
        first, _, then = what.partition(" ")
        if first != "later":
            await fail(first, context)
        task = a2a.Task(id="t-1", context_id="c-1", status=a2a.TaskStatus(state=a2a.TASK_STATE_WORKING))
        yield a2a.StreamResponse(task=task)
        await fail(then, context)


async def fail(what: str, context: Any) -> None:
    if what in FAILURES:
        raise FAILURES[what]
    if what == "bug":
        raise RuntimeError(SECRET)
    if what in grpc.StatusCode.__members__:
        await context.abort(grpc.StatusCode[what], SECRET)


@asynccontextmanager
async def opened(**server: Any) -> AsyncIterator[House]:
    """Run it, with more keys of `server:`."""
    mesh = MeshUnderTest("local", None)  # type: ignore[arg-type]  # which has no folder
    auth = {"secret": "key-of-admin", "api_keys": [{"name": "ada", "key": key_of("ada")}]}
    section = {"port": 0, "grpc_port": 0, "shutdown_timeout": 1, "auth": auth, **server}
    border = Border(GatewaySection.model_validate({"server": section}), mesh.mesh, lambda made: None)
    await mesh.serve(
        lambda on: a2a.add_A2AServiceServicer_to_server(Faulty(), on),
        lambda on: add_AgentServiceServicer_to_server(Agents(), on),
    )
    try:
        async with border.running():
            url = border.addresses["HTTP"].replace("localhost", "127.0.0.1")
            address = border.addresses["gRPC"].replace("localhost", "127.0.0.1")
            async with place_at(url, address) as place:
                yield House(place, address)
    finally:
        await mesh.close()
