"""A client's side of gRPC."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from ssl import get_default_verify_paths
from typing import Any, TypeVar

import grpc.aio
from a2a.types import a2a_pb2 as a2a
from google.protobuf.message import Message
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.agent.v1 import Agent as AgentInfo
from hector.agent.v1 import AgentServiceStub, ListAgentsRequest
from hector_mesh import HectorError, info_of

from .client_endpoint import SECURE, Endpoint
from .client_errors import (
    BrokenAnswer,
    NoServerThere,
    NotAnA2AServer,
    Refused,
    ServerNotTrusted,
    SilentServer,
    TokenRefused,
)
from .parameters import EXTENSIONS
from .service import A2AServiceStub

M = TypeVar("M", bound=Message)

CONNECT_S = 20.0
QUICK_S, WAIT_S, STREAM_S = 60.0, 720.0, 7 * 86400.0
OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 60_000),  # a stream may be silent for long, and its connection be lost
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


class GrpcWire:
    """Speaks to servers over gRPC; a connection for each, kept."""

    def __init__(
        self, token: str | None, ca_certificate: Path | None, extensions: Sequence[str] = ()
    ) -> None:
        self._token, self._ca_certificate = token, ca_certificate
        self._extensions = ", ".join(extensions)
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def close(self) -> None:
        while self._channels:
            _, channel = self._channels.popitem()
            await channel.close()

    async def call(self, endpoint: Endpoint, method: str, request: Any, answer: type[M], *, quick: bool) -> M:
        """Return what a method answers."""
        request.tenant = endpoint.tenant
        rpc = getattr(A2AServiceStub(self._channel(endpoint.url)), method)
        try:
            found: M = await rpc(
                request, timeout=QUICK_S if quick else WAIT_S, metadata=self._metadata(endpoint)
            )
        except AioRpcError as error:
            raise self._understood(endpoint, error) from None
        return found

    async def stream(
        self, endpoint: Endpoint, method: str, request: Any, place: str = ""
    ) -> AsyncGenerator[a2a.StreamResponse, None]:
        """Yield what a method shows; from `place` on, where the server knows it."""
        request.tenant = endpoint.tenant
        metadata = [*self._metadata(endpoint), *([("last-event-id", place)] if place else [])]
        rpc = getattr(A2AServiceStub(self._channel(endpoint.url)), method)
        call, begun = rpc(request, timeout=STREAM_S, metadata=metadata), False
        try:
            async for response in call:
                begun = True
                yield response
        except AioRpcError as error:
            raise self._understood(endpoint, error, begun=begun) from None
        finally:
            call.cancel()

    async def agents(self, endpoint: Endpoint) -> list[AgentInfo]:
        """Return a Hector server's agents."""
        found: list[AgentInfo] = []
        request = ListAgentsRequest()
        try:
            while True:
                page = await AgentServiceStub(self._channel(endpoint.url)).ListAgents(
                    request, timeout=QUICK_S, metadata=self._metadata(endpoint)
                )
                found += page.agents
                request.page_token = page.next_page_token
                if not page.next_page_token:
                    return found
        except AioRpcError as error:
            raise self._understood(endpoint, error) from None

    async def manage(self, endpoint: Endpoint, method: str, request: Message) -> Message:
        """Return what a Hector server's AgentService answers."""
        rpc = getattr(AgentServiceStub(self._channel(endpoint.url)), method)
        try:
            found: Message = await rpc(request, timeout=QUICK_S, metadata=self._metadata(endpoint))
        except AioRpcError as error:
            raise self._understood(endpoint, error) from None
        return found

    def _channel(self, url: str) -> grpc.aio.Channel:
        if url not in self._channels:
            scheme, _, place = url.partition("://")
            self._channels[url] = (
                grpc.aio.secure_channel(place, self._credentials(), options=OPTIONS)
                if SECURE[scheme]
                else grpc.aio.insecure_channel(place, options=OPTIONS)
            )
        return self._channels[url]

    def _credentials(self) -> grpc.ChannelCredentials:
        if self._ca_certificate is None:
            return grpc.ssl_channel_credentials()
        system = get_default_verify_paths().cafile
        roots = Path(system).read_bytes() if system else b""
        return grpc.ssl_channel_credentials(roots + b"\n" + self._ca_certificate.read_bytes())

    def _metadata(self, endpoint: Endpoint) -> list[tuple[str, str]]:
        found = [("a2a-version", endpoint.version)]
        if self._extensions:
            found.append((EXTENSIONS, self._extensions))
        if self._token and not endpoint.is_strange:
            found.append(("authorization", f"Bearer {self._token}"))
        return found

    def _understood(self, endpoint: Endpoint, error: AioRpcError, *, begun: bool = False) -> HectorError:
        """Return an error of gRPC in the words that every binding has."""
        url = endpoint.url
        code, why, reason = error.code(), error.details() or "", info_of(error).reason
        if code is StatusCode.UNAUTHENTICATED:
            kept = endpoint.is_strange and bool(self._token)
            return TokenRefused(url, given=bool(self._token) and not kept, kept=kept)
        if begun and code in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED):
            return BrokenAnswer(url, why)
        if reason:
            return Refused(why, code=code.name, reason=reason)
        if code is StatusCode.UNAVAILABLE:
            if "CERTIFICATE_VERIFY_FAILED" in why or "certificate" in why.lower():
                return ServerNotTrusted(url, why)
            return NoServerThere(url, why)
        if code is StatusCode.DEADLINE_EXCEEDED:
            return SilentServer(url, "no answer in time")
        if code in (StatusCode.UNIMPLEMENTED, StatusCode.UNKNOWN, StatusCode.INTERNAL):
            return NotAnA2AServer(url, code.name)
        return Refused(why or code.name, code=code.name)
