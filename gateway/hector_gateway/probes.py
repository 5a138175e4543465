"""Is it alive, is it ready, is it well: what load balancers and people ask."""

import asyncio
from collections.abc import Mapping

import grpc.aio

from hector_mesh import HectorError, Mesh
from hector_mesh.health_contract import SERVING, HealthCheckRequest, HealthStub

from .beside import Beside
from .exchange import Exchange
from .plugin_source import PluginSource
from .public import Public

CHECK_S = 2.0
"""How long a role may take to say how it is."""

ROLES: Mapping[str, str] = {
    "agent": "lf.a2a.v1.A2AService",
    "reasoning": "hector.reasoning.v1.ReasoningStrategy",
    "llm": "hector.llm.v1.LLMProvider",
    "tool": "hector.tool.v1.ToolProvider",
    "document": "hector.document.v1.DocumentStore",
    "vector": "hector.vector.v1.DatabaseProvider",
    "embedder": "hector.embedder.v1.EmbedderProvider",
}
"""Roles by one of their services. Only those that this process can reach are asked; the agent must be."""


PARTS: Mapping[str, tuple[str, str]] = {
    "agent": ("database", "the database cannot be used"),
    "document": ("documents", "documents are not up to date: their source cannot be read"),
}
"""What roles say of what they stand on, and how it is told when it is not well."""

_NEEDED = "agent"
"""The role without whose parts no answer is possible: /ready looks at them, too."""


class Probes:
    """Serves /live, /ready and /health. Nobody needs a credential for them."""

    def __init__(
        self,
        mesh: Mesh,
        public: Public,
        beside: Beside | None = None,
        plugins: PluginSource | None = None,
    ) -> None:
        self._mesh, self._public, self._beside, self._plugins = mesh, public, beside, plugins
        self.stopping = False
        """The server takes no more traffic."""

    async def live(self, exchange: Exchange) -> None:
        """The loop turns, or this would not be answered."""
        await exchange.reply_json(200, {"status": "alive"})

    async def ready(self, exchange: Exchange) -> None:
        """Say whether traffic should come."""
        reasons = await self._reasons(parts=(_NEEDED,))
        if self._beside is not None and not self.stopping:
            reasons += await self._beside.waiting()
        if reasons:
            await exchange.reply_json(503, {"status": "not ready", "reasons": reasons})
        else:
            await exchange.reply_json(200, {"status": "ready"})

    async def health(self, exchange: Exchange) -> None:
        """Say all of it; 200 as long as anybody can say anything."""
        reasons = await self._reasons(parts=tuple(PARTS))
        if self._plugins is not None and not self.stopping:
            reasons += [f"plugin {name}: {state}" for name, state in self._plugins.unwell().items()]
        if self._beside is not None and not self.stopping:
            reasons += [*self._beside.missing(), *await self._beside.waiting()]
        methods = ["bearer"] if self._public.authenticates else []
        found: dict[str, object] = {
            "status": "degraded" if reasons else "healthy",
            "version": self._public.version,
            "auth": {"enabled": self._public.authenticates, "methods": methods},
            "studio": False,
        }
        if self._beside is not None:
            found["workers"] = list(await self._beside.workers())
        await exchange.reply_json(200, found | ({"reasons": reasons} if reasons else {}))

    async def _reasons(self, parts: tuple[str, ...]) -> list[str]:
        if self.stopping:
            return ["the server is stopping"]
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(self._reason(role, service, with_parts=role in parts))
                for role, service in ROLES.items()
            ]
        return [reason for task in asked if (reason := task.result())]

    async def _reason(self, role: str, service: str, *, with_parts: bool) -> str:
        """Return what is wrong with a role; nothing if it is well, or not in this mesh."""
        try:
            stub = HealthStub(self._mesh.channel(service))
        except HectorError:
            return "agent: not in this mesh" if role == "agent" else ""
        why = await _why_not(stub, service)
        if why:
            return f"{role}: {why}"
        if with_parts and role in PARTS:
            part, trouble = PARTS[role]
            # A role of an older version knows no parts.
            return f"{role}: {trouble}" if await _why_not(stub, part) == _NOT_READY else ""
        return ""


_NOT_READY = "not ready yet"


async def _why_not(stub: HealthStub, service: str) -> str:
    """Return why a service is not well; empty if it is."""
    request = HealthCheckRequest(service=service)
    try:
        answer = await stub.Check(request, timeout=CHECK_S)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return ""  # it says nothing of itself, but it answers
        why = error.code().name.lower().replace("_", " ")
        return "not known there" if error.code() is grpc.StatusCode.NOT_FOUND else why
    return "" if answer.status == SERVING else _NOT_READY
