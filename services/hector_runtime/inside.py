"""Runs a mesh in this process, without a gateway, for as long as somebody asks it things."""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import hector_a2a as a2a
from hector.agent.v1 import AgentServiceStub, ListAgentsRequest
from hector_a2a.client import AgentEntry
from hector_a2a.parameters import EXTENSIONS
from hector_mesh import Call, Principal, scope, streaming

from .config import Config
from .metrics_config import MetricsConfig
from .process import Process, running
from .roles import ROLES

WEEK_S = 7 * 86400.0  # a stream lasts as long as its task, which has a limit of its own
ASKER = Principal("local", frozenset({"user", "operator"}))


class MeshAsker:
    """Asks the agents of a mesh in this process."""

    def __init__(
        self, stub: a2a.A2AServiceStub, agents: AgentServiceStub, extensions: Sequence[str] = ()
    ) -> None:
        self._stub, self._agents = stub, agents
        self._beside = ((EXTENSIONS, ", ".join(extensions)),) if extensions else None

    async def ask(self, request: "a2a.SendMessageRequest") -> AsyncGenerator["a2a.StreamResponse", None]:
        with scope(Call(principal=ASKER, request_id=uuid.uuid4().hex)):
            asked = self._stub.SendStreamingMessage(request, timeout=WEEK_S, metadata=self._beside)
            async with streaming(asked) as responses:
                async for response in responses:
                    yield response

    async def cancel(self, task: str, agent: str) -> None:
        with scope(Call(principal=ASKER)):
            await self._stub.CancelTask(a2a.CancelTaskRequest(tenant=agent, id=task))

    async def agents(self) -> list[AgentEntry]:
        with scope(Call(principal=ASKER)):
            found = (await self._agents.ListAgents(ListAgentsRequest())).agents
        return [
            AgentEntry(
                name=agent.name,
                title=agent.title,
                description=agent.description,
                type=agent.type,
                streaming=agent.streaming,
                default=agent.default,
            )
            for agent in found
        ]


async def ready(process: Process) -> None:
    """Wait until every role is ready."""
    await process.ready.wait()


@asynccontextmanager
async def in_process(
    config: Config,
    wait: Callable[[Process], Awaitable[None]] = ready,
    extensions: Sequence[str] = (),
) -> AsyncIterator[MeshAsker]:
    """Run everything but the gateway, and wait until documents can be found.

    Args:
        config: What to run.
        wait: Until this says so.
        extensions: URIs of extensions of A2A that agents are told of.
    """
    roles = [name for name, role in ROLES.items() if name != "gateway" and role.needed(config)]
    unseen = config.observability.model_copy(update={"metrics": MetricsConfig()})
    async with running(config.model_copy(update={"observability": unseen}), roles) as process:
        await wait(process)
        yield MeshAsker(a2a.A2AServiceStub(process.mesh), AgentServiceStub(process.mesh), extensions)
