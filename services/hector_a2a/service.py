"""The A2A service as gRPC sees it; `service.pyi` has the types that the SDK leaves out."""

from a2a.types.a2a_pb2 import DESCRIPTOR
from a2a.types.a2a_pb2_grpc import (
    A2AServiceServicer,
    A2AServiceStub,
    add_A2AServiceServicer_to_server,
)

SERVICE_DESCRIPTOR = DESCRIPTOR.services_by_name["A2AService"]
SERVICE: str = SERVICE_DESCRIPTOR.full_name

__all__ = [
    "SERVICE",
    "SERVICE_DESCRIPTOR",
    "A2AServiceServicer",
    "A2AServiceStub",
    "add_A2AServiceServicer_to_server",
]
