"""The methods of A2A, derived from the contract: what each takes, gives, and how to call it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import hector_a2a as a2a

from .lasting import Lasting


@dataclass(frozen=True, slots=True)
class Method:
    """One rpc of a service, callable through the mesh."""

    name: str
    path: str
    """As gRPC has it: "/lf.a2a.v1.A2AService/GetTask"."""
    request: type[Message]
    response: type[Message]
    streams: bool
    """It gives many messages."""
    call: Callable[..., Any]
    """Takes a request, gives the call as grpc.aio has it."""
    wire: Callable[..., Any]
    """The same, but what it gives comes as it travels, as bytes."""


def methods_of(service: ServiceDescriptor, mesh: grpc.aio.Channel) -> dict[str, Method]:
    """Return the methods of a service by name. Streams of tasks go on when who shows them is gone."""
    found = {rpc.name: _method(service, rpc, mesh) for rpc in service.methods}
    if service.full_name == a2a.SERVICE:
        resume = found["SubscribeToTask"].wire
        for name in ("SendStreamingMessage", "SubscribeToTask"):
            is_send = name == "SendStreamingMessage"
            lasting = Lasting(found[name].wire, resume, mesh, is_send=is_send)
            found[name] = replace(found[name], wire=lasting)
    return found


def _method(service: ServiceDescriptor, rpc: Any, mesh: grpc.aio.Channel) -> Method:
    path = f"/{service.full_name}/{rpc.name}"
    request, response = GetMessageClass(rpc.input_type), GetMessageClass(rpc.output_type)
    make: Any = mesh.unary_stream if rpc.server_streaming else mesh.unary_unary
    call = make(path, request.SerializeToString, response.FromString, _registered_method=True)
    wire = make(path, request.SerializeToString, None, _registered_method=True)
    return Method(rpc.name, path, request, response, bool(rpc.server_streaming), call, wire)
