"""How anything calls anything: `LLMProviderStub(mesh)`."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, ClassVar

import grpc
import grpc.aio
from grpc import StatusCode

from .call import ROOT, current_call
from .channel import Deserializer, Request, Response, Serializer, SocketlessChannel
from .errors import HectorError
from .local import LocalMethod
from .local_shapes import out_of_time
from .peers import Peers

LONGEST_S = 365 * 24 * 3600.0
"""The longest deadline; grpc takes one of centuries for one that has passed."""


class NoRoute(HectorError):
    """Nothing in this mesh serves the service."""

    code = StatusCode.UNIMPLEMENTED
    reason = "NO_ROUTE"

    def __init__(self, service: str, routes: Mapping[str, grpc.aio.Channel]) -> None:
        known = ", ".join(sorted(routes)) or "none"
        super().__init__(f"nothing in this mesh serves {service} (served: {known})", service=service)


class NoSuchPlugin(HectorError):
    """No plugin of that name runs beside this service."""

    code = StatusCode.UNIMPLEMENTED
    reason = "PLUGIN_NOT_FOUND"

    def __init__(self, plugin: str, known: Mapping[str, grpc.aio.Channel]) -> None:
        names = ", ".join(sorted(known)) or "none"
        super().__init__(f"no plugin {plugin!r} runs in this process (here: {names})", plugin=plugin)


class Mesh(SocketlessChannel):
    """A channel that sends each call to the channel that serves its service.

    A call carries the identity, deadline and trace of the call being served (`current_call`), is
    cancelled with it, and never outlives it. The routes are read at each call, so that they can
    be filled in after the mesh was handed out.
    """

    def __init__(
        self,
        routes: Mapping[str, grpc.aio.Channel],
        *,
        instance: str = "",
        default_timeout_s: float = 600.0,
        peers: Peers | None = None,
        plugins: Mapping[str, grpc.aio.Channel] | None = None,
    ) -> None:
        """Route by service.

        Args:
            routes: Channel by the service's full name, as {"hector.llm.v1.LLMProvider": channel}.
            instance: The configured entry that calls are for; see `at`.
            default_timeout_s: The deadline of calls that have none of their own or of their parent's.
            peers: How other processes are reached by address; None: without the mesh's token.
            plugins: Channels to plugins, by their names in the config; they come and go with it.
        """
        self._routes = routes
        self._instance = instance
        self._default_timeout_s = default_timeout_s
        self.peers = peers or Peers()
        """Other processes by address, where it matters which of them is called."""
        self.plugins: Mapping[str, grpc.aio.Channel] = {} if plugins is None else plugins
        """Plugins of this process, by name."""

    def plugin(self, name: str, instance: str) -> "Mesh":
        """Return a mesh in which a plugin serves everything, for one configured entry, as "llms.custom".

        It need not be there yet: whether it is, each call finds out.
        """
        return Mesh(_AllOf(self.plugins, name), instance=instance, default_timeout_s=self._default_timeout_s)

    def at(self, instance: str) -> "Mesh":
        """Return the same mesh for one configured entry, as "llms.fast"."""
        default_s, plugins = self._default_timeout_s, self.plugins
        return Mesh(
            self._routes, instance=instance, default_timeout_s=default_s, peers=self.peers, plugins=plugins
        )

    def channel(self, service: str) -> grpc.aio.Channel:
        """Return the channel that serves `service`; to ask for its health, say.

        Raises:
            NoRoute: Nothing serves it.
        """
        try:
            return self._routes[service]
        except KeyError:
            raise NoRoute(service, self._routes) from None

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer[Request] | None = None,
        response_deserializer: Deserializer[Response] | None = None,
        _registered_method: bool | None = False,
    ) -> "grpc.aio.UnaryUnaryMultiCallable[Request, Response]":
        return _Unary(self, method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer[Request] | None = None,
        response_deserializer: Deserializer[Response] | None = None,
        _registered_method: bool | None = False,
    ) -> "grpc.aio.UnaryStreamMultiCallable[Request, Response]":
        return _Stream(self, method, request_serializer, response_deserializer)


class _AllOf(Mapping[str, grpc.aio.Channel]):
    """Routes in which every service is served by one plugin, wherever its channel leads today."""

    def __init__(self, plugins: Mapping[str, grpc.aio.Channel], name: str) -> None:
        self._plugins, self._name = plugins, name

    def __getitem__(self, service: str) -> grpc.aio.Channel:
        try:
            return self._plugins[self._name]
        except KeyError:
            raise NoSuchPlugin(self._name, self._plugins) from None

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _Method:
    """One method of one service, looked up in the mesh when it is called."""

    _shape: ClassVar[str]

    def __init__(self, mesh: Mesh, method: str, *coders: Any) -> None:
        self._mesh = mesh
        self._method = method
        self._service = method.split("/")[1]
        self._coders = coders
        self._channel: grpc.aio.Channel | None = None
        self._start: Any = None
        self._is_local = False
        """Nothing stands between here and a server in this process."""

    def __call__(
        self, request: Any, *, timeout: float | None = None, metadata: Any = None, **options: Any
    ) -> Any:
        mesh, parent = self._mesh, current_call.get()
        channel = mesh._routes.get(self._service) or mesh.channel(self._service)
        if self._channel is not channel:
            self._start = getattr(channel, self._shape)(self._method, *self._coders, _registered_method=True)
            self._channel, self._is_local = channel, type(self._start) is LocalMethod
        limit = parent.remaining(timeout)
        if limit is None or limit == inf:
            limit = mesh._default_timeout_s
        elif limit <= 0:
            # Not left to the transports: grpc rounds deadlines up, and would still call.
            return out_of_time(self._shape)
        elif limit > LONGEST_S:
            limit = LONGEST_S
        if self._is_local and not metadata:
            return self._start.begin(request, limit, None, parent, mesh._instance)
        carried = (*(metadata or ()), *parent.metadata(mesh._instance))
        child = self._start(request, timeout=limit, metadata=carried, **options)
        if parent is not ROOT:
            parent.children.add(child)
            child.add_done_callback(parent.children.discard)
        return child


class _Unary(_Method, grpc.aio.UnaryUnaryMultiCallable[Request, Response]):
    _shape = "unary_unary"


class _Stream(_Method, grpc.aio.UnaryStreamMultiCallable[Request, Response]):
    _shape = "unary_stream"
