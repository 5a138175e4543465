"""One servicer, two transports: this is the one inside the process.

The seam is grpc's own. A generated stub asks a *channel* for its methods; a generated
`add_*_to_server` hands a *server* its handlers. A channel and a server that share a dictionary
are therefore a complete transport, and no service ever needs an adapter.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import grpc
import grpc.aio

from .calling import stream, unary
from .channel import Deserializer, Request, Response, Serializer, SocketlessChannel
from .interceptor import CallInterceptor
from .interceptor import interceptors as mesh_interceptors
from .local_call import STOPPED
from .local_context import LocalContext
from .local_shapes import LocalStreamCall, LocalUnaryCall

Handler = Any  # grpc's RpcMethodHandler, whose type does not know coroutines


class CallDetails(NamedTuple):
    """What interceptors are told about a call, as by grpc."""

    method: str
    invocation_metadata: tuple[Any, ...]


class LocalServer(grpc.aio.Server):
    """Keeps servicers for callers in this process, and owns the tasks that serve them."""

    def __init__(self, interceptors: Sequence[grpc.aio.ServerInterceptor] | None = None) -> None:
        """Serve through `interceptors`; None is what `hector_mesh.interceptors()` returns."""
        self._handlers: dict[str, Handler] = {}
        self._services: dict[str, None] = {}
        self._interceptors = tuple(mesh_interceptors() if interceptors is None else interceptors)
        alone = self._interceptors[0] if len(self._interceptors) == 1 else None
        self._call_interceptor = alone if isinstance(alone, CallInterceptor) else None
        self.serving: set[asyncio.Task[None]] = set()
        """The tasks that have not ended."""
        self._stopped = False

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Does nothing: generated code registers the same methods again, by name, below."""

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        self._services[service_name] = None
        for name, handler in method_handlers.items():
            self._handlers[f"/{service_name}/{name}"] = handler

    @property
    def services(self) -> tuple[str, ...]:
        """The full names of the services it serves."""
        return tuple(self._services)

    def serve(self, method: str, request: bytes, context: LocalContext) -> Coroutine[Any, Any, None]:
        """Return what runs one method to its end."""
        if self._call_interceptor is not None and not self._stopped:
            # The usual case. It needs not be asked about each call: it looks at nothing but the method.
            return context.serve(self._call_interceptor.wrapped(method, self._handlers.get(method)), request)
        return context.serve(None, request, partial(self._resolve, method, context))

    async def _resolve(self, method: str, context: LocalContext) -> Handler:
        """Return a method as seen through the interceptors, in the order grpc.aio.Server uses."""
        if self._stopped:
            await context.abort(STOPPED.code, STOPPED.details)
        find: Callable[[Any], Any] = self._find
        for interceptor in reversed(self._interceptors):
            find = partial(interceptor.intercept_service, find)
        return await find(CallDetails(method, context.invocation_metadata()))

    async def _find(self, details: Any) -> Handler:
        return self._handlers.get(details.method)

    async def start(self) -> None:
        """Serve; also again after `stop`. A server that was never started serves as well."""
        self._stopped = False

    async def stop(self, grace: float | None) -> None:
        """Wait `grace` seconds for calls in flight, then cancel them; new ones are UNAVAILABLE."""
        self._stopped = True
        if self.serving and grace:
            await asyncio.wait(self.serving, timeout=grace)
        for task in tuple(self.serving):
            task.cancel()
        if self.serving:
            await asyncio.wait(self.serving)

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        return True

    def add_insecure_port(self, address: str) -> int:
        message = f"a LocalServer has no address; serve {address} with wire_server"
        raise NotImplementedError(message)

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        return self.add_insecure_port(address)


class LocalChannel(SocketlessChannel):
    """Calls a LocalServer's servicers without a socket; usable where a grpc.aio.Channel is."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer[Request] | None = None,
        response_deserializer: Deserializer[Response] | None = None,
        _registered_method: bool | None = False,
    ) -> "grpc.aio.UnaryUnaryMultiCallable[Request, Response]":
        start = _Start(self._server, method, request_serializer, response_deserializer, LocalUnaryCall)
        return unary(start, method)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer[Request] | None = None,
        response_deserializer: Deserializer[Response] | None = None,
        _registered_method: bool | None = False,
    ) -> "grpc.aio.UnaryStreamMultiCallable[Request, Response]":
        start = _Start(self._server, method, request_serializer, response_deserializer, LocalStreamCall)
        return stream(start, method)


def _unchanged(message: Any) -> Any:
    return message


class _Start:
    """Starts one method's calls."""

    def __init__(
        self, server: LocalServer, method: str, serialize: Any, deserialize: Any, shape: Callable[..., Any]
    ) -> None:
        self._server = server
        self._method = method
        # Always through bytes, so that neither side sees the other's later edits.
        self._serialize = serialize or _unchanged
        self._deserialize = deserialize or _unchanged
        self._shape = shape

    def __call__(self, request: Any, *, timeout: float | None = None, metadata: Any = None, **_: Any) -> Any:
        wire = self._serialize(request)
        return self._shape(self._server, self._method, wire, timeout, metadata, self._deserialize)
