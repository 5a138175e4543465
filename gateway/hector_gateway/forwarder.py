"""The mesh's own contracts on the public gRPC port: one method forwarded like the other."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor

import hector_a2a as a2a
from hector.agent.v1 import GetAgentRequest, ListAgentsResponse
from hector_mesh import Call, Mesh, Principal, Server, scope, streaming

from . import capabilities
from .config import ServerConfig
from .directory import Directory, visible
from .edge import Edge, Handler, Visit
from .errors import BodyTooLarge
from .in_flight import InFlight
from .methods import Method, methods_of
from .operations import STREAM_S
from .versions import SUPPORTED, said


class Forwarder:
    """Serves contracts of the mesh by calling them through it, as the caller and nobody else."""

    def __init__(
        self,
        services: Sequence[ServiceDescriptor],
        mesh: Mesh,
        *,
        edge: Edge,
        directory: Directory,
        in_flight: InFlight,
        server: ServerConfig,
        revision: str = "",
    ) -> None:
        self._revision = revision
        self._services = {service.full_name: methods_of(service, mesh) for service in services}
        self._edge, self._directory, self._in_flight, self._server = edge, directory, in_flight, server

    def register(self, server: Server) -> None:
        """Add every method to a server, as generated code does."""
        for service, methods in self._services.items():
            handlers = {name: self._handler(method) for name, method in methods.items()}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
            server.add_registered_method_handlers(service, handlers)

    def _handler(self, method: Method) -> Handler:
        coders = (method.request.FromString, method.response.SerializeToString)
        if method.streams:
            return grpc.unary_stream_rpc_method_handler(
                self._edge.stream(self._stream(method), method.name), *coders
            )
        return grpc.unary_unary_rpc_method_handler(
            self._edge.unary(self._unary(method), method.name), *coders
        )

    def _unary(self, method: Method) -> Callable[[Any, Visit], Awaitable[Any]]:
        async def unary(request: Any, visit: Visit) -> Any:
            with scope(_call(visit, self._server.request_timeout, self._revision)):
                await self._prepare(method, request, visit)
                rpc = method.call(request)
                with self._in_flight.counted(rpc, streams=False):
                    return _seen_from_outside(await rpc, visit.principal)

        return unary

    def _stream(self, method: Method) -> Callable[[Any, Visit], AsyncIterator[Any]]:
        async def stream(request: Any, visit: Visit) -> AsyncIterator[Any]:
            with scope(_call(visit, STREAM_S, self._revision)):
                await self._prepare(method, request, visit)
                self._in_flight.admit_stream()
                rpc = method.call(request)
                with self._in_flight.counted(rpc, streams=True):
                    async with streaming(rpc):
                        async for message in rpc:
                            yield message

        return stream

    async def _prepare(self, method: Method, request: Any, visit: Visit) -> None:
        """Check what the caller may ask, and fill in which agent it means."""
        limit = self._server.limits.max_body_size
        if request.ByteSize() > limit:
            raise BodyTooLarge(limit)
        if method.path.startswith(f"/{a2a.SERVICE}/"):
            _check_version(str(visit.metadata.get("a2a-version", "")))
            named = request.tenant.removeprefix("default/")
            name = named or str(visit.metadata.get("agent-name", ""))
            agent = await self._directory.agent(name, visit.principal)
            request.tenant = agent.name
            capabilities.check(method, request, agent)
        elif isinstance(request, GetAgentRequest):
            request.agent = (await self._directory.agent(request.agent, visit.principal)).name


def _call(visit: Visit, patience_s: float, revision: str) -> Call:
    wait_s = patience_s if visit.time_left_s is None else min(patience_s, visit.time_left_s)
    return Call(
        principal=visit.principal,
        deadline=time.monotonic() + wait_s,
        traceparent=visit.traceparent,
        request_id=visit.request_id,
        revision=revision,
    )


def _seen_from_outside(answer: Any, principal: Principal) -> Any:
    if isinstance(answer, ListAgentsResponse):
        agents = visible(principal, answer.agents)
        return ListAgentsResponse(agents=agents, next_page_token=answer.next_page_token)
    return answer


def _check_version(found: str) -> None:
    """Let a call pass that says what its package says."""
    version = said(found) or "1.0"
    if version != "1.0":
        message = f"{a2a.SERVICE} is A2A 1.0, and a2a-version says {version}; leave it out, or say 1.0"
        raise a2a.VersionNotSupported(message, found=version, supported=SUPPORTED)
