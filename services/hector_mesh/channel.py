"""A grpc.aio.Channel without a socket: what Mesh and LocalChannel have in common."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from grpc import ChannelConnectivity, StatusCode

from .errors import HectorError

Request = TypeVar("Request")
Response = TypeVar("Response")
Serializer = Callable[[Request], bytes]
Deserializer = Callable[[bytes], Response]


class ClientStreamsUnsupported(HectorError):
    """The mesh knows two shapes of call: unary and server stream."""

    code = StatusCode.UNIMPLEMENTED
    reason = "CLIENT_STREAMS_UNSUPPORTED"


class SocketlessChannel(grpc.aio.Channel):
    """Always ready and never closed; whatever sockets there are below belong to somebody else."""

    async def close(self, grace: float | None = None) -> None:
        pass

    def get_state(self, try_to_connect: bool = False) -> ChannelConnectivity:
        return ChannelConnectivity.READY

    async def wait_for_state_change(self, last_observed_state: ChannelConnectivity) -> None:
        pass

    async def channel_ready(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        pass

    def stream_unary(self, method: str, *_: Any, **__: Any) -> Any:
        return _refused(method)

    def stream_stream(self, method: str, *_: Any, **__: Any) -> Any:
        return _refused(method)


def _refused(method: str) -> Callable[..., Any]:
    # Refused when called, not when made: a stub asks for all its methods at once.
    def call(*_: Any, **__: Any) -> Any:
        message = f"{method} streams its requests; inside the mesh calls are unary or stream their answers"
        raise ClientStreamsUnsupported(message, method=method)

    return call
