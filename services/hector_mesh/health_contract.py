"""grpc.health.v1 as both sides of it need it: its name, its messages, a stub, and how a server gets it."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

import grpc
import grpc.aio

from .server import Context, Server
from .wire_pb2 import HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse

__all__ = [
    "NOT_SERVING",
    "SERVICE",
    "SERVICE_UNKNOWN",
    "SERVING",
    "HealthCheckRequest",
    "HealthCheckResponse",
    "HealthServicer",
    "HealthStub",
    "add_health_to_server",
]

SERVICE = "grpc.health.v1.Health"

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN


class HealthStub:
    """Asks a server how it is."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.Check: grpc.aio.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse]
        self.Check = channel.unary_unary(
            f"/{SERVICE}/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        self.Watch: grpc.aio.UnaryStreamMultiCallable[HealthCheckRequest, HealthCheckResponse]
        self.Watch = channel.unary_stream(
            f"/{SERVICE}/Watch",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )


class HealthServicer(Protocol):
    """Says how a server is."""

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse: ...
    async def List(self, request: HealthListRequest, context: Context) -> HealthListResponse: ...
    def Watch(self, request: HealthCheckRequest, context: Context) -> AsyncIterator[HealthCheckResponse]: ...


def add_health_to_server(servicer: HealthServicer, server: Server) -> None:
    """Serve it, as generated code would."""
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Check": grpc.unary_unary_rpc_method_handler(
            servicer.Check,
            request_deserializer=HealthCheckRequest.FromString,
            response_serializer=HealthCheckResponse.SerializeToString,
        ),
        "List": grpc.unary_unary_rpc_method_handler(
            servicer.List,
            request_deserializer=HealthListRequest.FromString,
            response_serializer=HealthListResponse.SerializeToString,
        ),
        "Watch": grpc.unary_stream_rpc_method_handler(
            servicer.Watch,
            request_deserializer=HealthCheckRequest.FromString,
            response_serializer=HealthCheckResponse.SerializeToString,
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_registered_method_handlers(SERVICE, handlers)
