"""What services call a plugin by: a channel that stays the same while the processes behind it come and go."""

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc.aio

from hector_mesh.calling import stream, unary
from hector_mesh.channel import Deserializer, Request, Response, Serializer, SocketlessChannel

from .calls import PluginStreamCall, PluginUnaryCall
from .way import Way

MakeWay = Callable[[str, tuple[Any, Any]], Way]


class PluginChannel(SocketlessChannel):
    """Sends each call to the process of a plugin that has the fewest, once there is one with room."""

    def __init__(self, plugin: str, way: MakeWay) -> None:
        self.plugin = plugin
        self._way = way

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer[Request] | None = None,
        response_deserializer: Deserializer[Response] | None = None,
        _registered_method: bool | None = False,
    ) -> "grpc.aio.UnaryUnaryMultiCallable[Request, Response]":
        way = self._way(method, (request_serializer, response_deserializer))
        return unary(partial(PluginUnaryCall, way), method)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer[Request] | None = None,
        response_deserializer: Deserializer[Response] | None = None,
        _registered_method: bool | None = False,
    ) -> "grpc.aio.UnaryStreamMultiCallable[Request, Response]":
        way = self._way(method, (request_serializer, response_deserializer))
        return stream(partial(PluginStreamCall, way), method)
