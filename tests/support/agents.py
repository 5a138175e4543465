"""Several agent services on one database, each as in a process of its own; others can dial them."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from support.scripted_agent import ScriptedModel, ScriptedTools

import hector_a2a as a2a
import hector_agent
import hector_reasoning
from hector.agent.v1 import AgentServiceStub
from hector.llm.v1 import add_LLMProviderServicer_to_server
from hector.tool.v1 import add_ToolProviderServicer_to_server
from hector_agent.room import Config
from hector_mesh import (
    LocalChannel,
    LocalServer,
    Mesh,
    Peers,
    Whereabouts,
    this_host,
    wire_channel,
    wire_server,
)
from hector_reasoning import ReasoningSection


class AgentProcess:
    """One agent service with its own way to the database, and with its own model and tools."""

    def __init__(self, agents: "Agents", name: str, model: ScriptedModel, tools: ScriptedTools) -> None:
        self._agents, self.name, self.model, self.tools = agents, name, model, tools
        self._stack = AsyncExitStack()
        self._servers: list[Any] = []
        self.target = ""
        self.a2a: a2a.A2AServiceStub
        self.agent: AgentServiceStub

    async def start(self) -> None:
        agents = self._agents
        routes: dict[str, Any] = {}
        peers = Peers(partial(wire_channel, token="secret", role="agent"), known=agents.known)
        mesh = Mesh(routes, peers=peers)
        self._stack.push_async_callback(peers.close)
        room = hector_agent.build(
            Config.model_validate(agents.config),
            mesh,
            whereabouts=Whereabouts(target=lambda: self.target, host=this_host()),
        )
        inside = LocalServer()
        add_LLMProviderServicer_to_server(self.model, inside)
        add_ToolProviderServicer_to_server(self.tools, inside)
        hector_reasoning.build(ReasoningSection(), mesh).register(inside)
        if agents.transport == "local":
            outside: Any = LocalServer()
            self.target = f"dns:///{self.name}:1"
        else:
            self.target = f"unix:{agents.folder / self.name}.sock"
            outside = wire_server(self.target, token="secret", drain_s=0.0)
        self._servers = [inside, outside]
        room.register(outside)
        await inside.start()
        await outside.start()
        channel: Any
        if agents.transport == "local":
            channel = agents.known[self.target] = LocalChannel(outside)
        else:
            channel = wire_channel(self.target, token="secret")
            self._stack.push_async_callback(channel.close)
        routes.update(dict.fromkeys(inside.services, LocalChannel(inside)))
        routes.update(dict.fromkeys(outside.services, channel))
        self.a2a, self.agent = a2a.A2AServiceStub(mesh), AgentServiceStub(mesh)
        await self._stack.enter_async_context(room.running())

    async def stop(self) -> None:
        """Stop in good order: what is at work is left to others."""
        await self._stack.aclose()
        for server in self._servers:
            await server.stop(0)
        self._agents.known.pop(self.target, None)


class Agents:
    """Where they are, and what they have in common."""

    def __init__(self, folder: Path, transport: str, config: dict[str, Any]) -> None:
        self.folder, self.transport, self.config = folder, transport, config
        self.known: dict[str, Any] = {}
        self._all: list[AgentProcess] = []

    async def start(self, *answers: Any, tools: ScriptedTools | None = None) -> AgentProcess:
        """Start another process, whose model gives these answers."""
        name = f"p{len(self._all)}-{os.urandom(3).hex()}"
        found = AgentProcess(self, name, ScriptedModel(*answers), tools or ScriptedTools())
        self._all.append(found)
        await found.start()
        return found

    async def close(self) -> None:
        async with asyncio.timeout(20):
            for each in self._all:
                await each.stop()


@asynccontextmanager
async def agents_in(
    folder: Path,
    transport: str,
    *,
    database: str = "",
    lease: str = "1s",
    server: dict[str, Any] | None = None,
    others: dict[str, Any] | None = None,
    **agent: object,
) -> AsyncIterator[Agents]:
    """Yield a place for agent services that share a database."""
    config = {
        "agents": {"assistant": {"instruction": "Be brief.", **agent}, **(others or {})},
        "storage": {"database": database or f"sqlite://{folder}/runs.db", "lease": lease},
        "server": server or {},
    }
    found = Agents(folder, transport, config)
    try:
        yield found
    finally:
        await found.close()
