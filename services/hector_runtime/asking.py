"""Asks an agent: of a running server over HTTP, or of a mesh in this process on a temporary database."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

import hector_a2a as a2a
from hector_a2a.client import Client
from hector_a2a.client_errors import Refused
from hector_mesh import Call, Principal, scope, streaming

from .config import Config
from .metrics_config import MetricsConfig
from .process import running
from .roles import ROLES

WEEK_S = 7 * 86400.0  # a stream lasts as long as its task, which has a limit of its own
POLL_S = 0.1, 2.0  # first and longest wait between two looks at a task that cannot be streamed
ASKER = Principal("local", frozenset({"user", "operator"}))
GOES_ON = {a2a.TASK_STATE_SUBMITTED, a2a.TASK_STATE_WORKING}


class Asker(Protocol):
    """Somebody who can be asked."""

    def ask(self, request: "a2a.SendMessageRequest") -> AsyncGenerator["a2a.StreamResponse", None]:
        """Send a message and yield what comes back. Leaving early stops nothing: see `cancel`."""

    async def cancel(self, task: str, agent: str) -> None:
        """Stop a task."""


class MeshAsker:
    """Asks the agents of a mesh in this process."""

    def __init__(self, stub: a2a.A2AServiceStub) -> None:
        self._stub = stub

    async def ask(self, request: "a2a.SendMessageRequest") -> AsyncGenerator["a2a.StreamResponse", None]:
        with scope(Call(principal=ASKER, request_id=uuid.uuid4().hex)):
            async with streaming(self._stub.SendStreamingMessage(request, timeout=WEEK_S)) as responses:
                async for response in responses:
                    yield response

    async def cancel(self, task: str, agent: str) -> None:
        with scope(Call(principal=ASKER)):
            await self._stub.CancelTask(a2a.CancelTaskRequest(tenant=agent, id=task))


class ServerAsker:
    """Asks the agents of a server; those that do not stream are asked and then looked after."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ask(self, request: "a2a.SendMessageRequest") -> AsyncGenerator["a2a.StreamResponse", None]:
        try:
            async with aclosing(self._client.ask(request)) as responses:
                async for response in responses:
                    yield response
        except Refused as refused:
            if refused.facts.get("reason") != "UNSUPPORTED_OPERATION":
                raise
        else:
            return
        async for response in self._ask_and_look(request):
            yield response

    async def cancel(self, task: str, agent: str) -> None:
        await self._client.cancel(task, agent)

    async def _ask_and_look(
        self, request: "a2a.SendMessageRequest"
    ) -> AsyncGenerator["a2a.StreamResponse", None]:
        # Not to wait in the request itself: who waits for an answer does not know the task to cancel.
        request.configuration.return_immediately = True
        answer = await self._client.send(request)
        if answer.WhichOneof("payload") == "message":
            yield a2a.StreamResponse(message=answer.message)
            return
        task, (wait_s, longest_s) = answer.task, POLL_S
        yield a2a.StreamResponse(task=task)
        if task.status.state not in GOES_ON:
            return
        while task.status.state in GOES_ON:
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 1.5, longest_s)
            task = await self._client.get(task.id, request.tenant, history_length=0)
        yield a2a.StreamResponse(task=task)


@asynccontextmanager
async def in_process(config: Config) -> AsyncIterator[MeshAsker]:
    """Run everything but the gateway, and wait until documents can be found."""
    roles = [name for name, role in ROLES.items() if name != "gateway" and role.needed(config)]
    unseen = config.observability.model_copy(update={"metrics": MetricsConfig()})
    async with running(config.model_copy(update={"observability": unseen}), roles) as process:
        await process.ready.wait()
        yield MeshAsker(a2a.A2AServiceStub(process.mesh))


def question(text: str, agent: str, session: str) -> "a2a.SendMessageRequest":
    """Return the request that asks an agent something, in a session or in a new one."""
    request = a2a.SendMessageRequest(tenant=agent)
    request.message.message_id = uuid.uuid4().hex
    request.message.role = a2a.ROLE_USER
    request.message.context_id = session
    request.message.parts.add(text=text)
    return request
