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

from .call import Call
from .calling import stream, unary
from .channel import Deserializer, Request, Response, Serializer, SocketlessChannel
from .interceptor import CallInterceptor
from .interceptor import interceptors as mesh_interceptors
from .local_call import STOPPED, LocalCall
from .local_context import Handler, LocalContext
from .local_serving import Serve, serving
from .local_shapes import LocalStreamCall, LocalUnaryCall


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
        self._is_plain = [type(one) for one in self._interceptors] == [CallInterceptor]
        self._at_once: dict[str, Serve] = {}
        """What serves a method in one step, by its name."""
        self._serving_at_once = self._at_once
        """The same, and nothing while the server is stopped."""
        self.serving: set[LocalCall] = set()
        """The calls whose servicers have not ended."""
        self._stopped = False

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Does nothing: generated code registers the same methods again, by name, below."""

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        self._services[service_name] = None
        for name, handler in method_handlers.items():
            method = f"/{service_name}/{name}"
            self._handlers[method] = handler
            if self._is_plain and not handler.request_streaming:
                self._at_once[method] = serving(handler, method)

    @property
    def services(self) -> tuple[str, ...]:
        """The full names of the services it serves."""
        return tuple(self._services)

    def serve(self, method: str, request: bytes, context: LocalContext) -> Coroutine[Any, Any, None]:
        """Return what runs one method to its end."""
        serve = self._serving_at_once.get(method)
        if serve is not None:
            return serve(request, context)
        return context.serve(partial(self._resolve, method, context), request)

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
        self._stopped, self._serving_at_once = False, self._at_once

    async def stop(self, grace: float | None) -> None:
        """Wait `grace` seconds for calls in flight, then cancel them; new ones are UNAVAILABLE."""
        self._stopped, self._serving_at_once = True, {}
        if grace:
            await _all_of([call.task for call in self.serving], grace)
        await _all_of([call.stop_serving() for call in self.serving], None)

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
        start = LocalMethod(self._server, method, request_serializer, response_deserializer, LocalUnaryCall)
        return unary(start, method)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer[Request] | None = None,
        response_deserializer: Deserializer[Response] | None = None,
        _registered_method: bool | None = False,
    ) -> "grpc.aio.UnaryStreamMultiCallable[Request, Response]":
        start = LocalMethod(self._server, method, request_serializer, response_deserializer, LocalStreamCall)
        return stream(start, method)


class LocalMethod:
    """One method of a server in this process, as a channel hands it to a stub."""

    def __init__(
        self, server: LocalServer, method: str, serialize: Any, deserialize: Any, shape: Callable[..., Any]
    ) -> None:
        self._server = server
        self._method = method
        # Always through bytes, so that neither side sees the other's later edits.
        self._serialize = serialize
        self._deserialize = deserialize
        self._shape = shape

    def __call__(self, request: Any, *, timeout: float | None = None, metadata: Any = None, **_: Any) -> Any:
        return self.begin(request, timeout, metadata)

    def begin(
        self,
        request: Any,
        timeout: float | None,
        metadata: Any,
        parent: Call | None = None,
        instance: str = "",
    ) -> Any:
        """Begin a call; see `LocalCall`."""
        serialize = self._serialize
        wire = request if serialize is None else serialize(request)
        return self._shape(
            self._deserialize, timeout, self._server, self._method, wire, metadata, parent, instance
        )


async def _all_of(tasks: Iterable[asyncio.Task[None] | None], timeout: float | None) -> None:
    running = [task for task in tasks if task is not None]
    if running:
        await asyncio.wait(running, timeout=timeout)
