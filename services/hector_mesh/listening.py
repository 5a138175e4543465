"""Servers that other processes can call."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from .addresses import CannotListen, UnixSocket, unix_path, why_not
from .coalescing import Coalescing, Merges
from .doorkeeper import Doorkeeper
from .health import Health
from .health_contract import SERVICE as HEALTH
from .interceptor import interceptors as mesh_interceptors
from .limits import MESSAGE_BYTES, SHARED, Options
from .metadata import TOKEN

OPTIONS: Options = (
    *SHARED,
    # What our own channels do must not be taken for an attack.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    # A client that reads slowly what came at once measures the connection with pings meanwhile. For a few of
    # them grpc would end all calls of the connection ("too many pings").
    ("grpc.http2.max_ping_strikes", 0),
    # Two servers must not share a port by mistake, and each get half of the calls.
    ("grpc.so_reuseport", 0),
)


HANDSHAKE_S = 10.0
"""How long who connects may take to say how it speaks HTTP/2; grpc would wait for two minutes."""


def wire_server(
    listen: str,
    *,
    token: str | None = None,
    token_header: str = TOKEN,
    interceptors: Sequence[grpc.aio.ServerInterceptor] | None = None,
    health: Health | None = None,
    merges: Merges | None = None,
    drain_s: float = 5.0,
    credentials: grpc.ServerCredentials | None = None,
    largest_message: int = MESSAGE_BYTES,
    most_metadata: int | None = None,
    reuse_port: bool = False,
    handshake_s: float = HANDSHAKE_S,
) -> "WireServer":
    """Return a server for `listen`; add servicers, then enter it.

    Args:
        listen: "127.0.0.1:7010", "[::]:0" (any port; see `address`), "unix:///path" or "unix:path".
        token: The mesh's shared secret. Calls without it are UNAUTHENTICATED, those for health excepted.
        token_header: The metadata that it comes in.
        interceptors: In place of the mesh's own (tracing when it is on, then CallInterceptor).
        health: What is said about the services; by default they are healthy as long as it runs.
        merges: How the messages of a stream are joined that wait for a slow reader, by full method name.
        drain_s: How long calls in flight may take to finish when the server is left.
        credentials: Speak TLS with these on a TCP port.
        largest_message: Bytes; grpc itself refuses what is larger, before all of it has arrived.
        most_metadata: Bytes of a call's metadata; grpc refuses more. None: the mesh's own, beyond which
            some calls are refused, and from twice as much on all.
        reuse_port: Share a TCP port with others that want to; each gets a part of the connections.
        handshake_s: Who has connected and said nothing for so long is let go. One that is still there at
            the end can take the process along: grpc 1.78 stops with a segmentation fault then.

    Raises:
        CannotListen: When it is entered: the address is taken, or is none.
    """
    return WireServer(
        listen,
        Doorkeeper(token, token_header),
        interceptors,
        health,
        merges or {},
        drain_s,
        credentials,
        largest_message,
        most_metadata,
        reuse_port,
        handshake_s,
    )


class WireServer(grpc.aio.Server):
    """grpc.aio's server with the mesh's manners: health, reflection, limits, token, drain."""

    def __init__(
        self,
        listen: str,
        door: Doorkeeper,
        interceptors: Sequence[grpc.aio.ServerInterceptor] | None,
        health: Health | None,
        merges: Merges,
        drain_s: float,
        credentials: grpc.ServerCredentials | None,
        largest_message: int,
        most_metadata: int | None,
        reuse_port: bool,
        handshake_s: float,
    ) -> None:
        self._listen = listen
        self._credentials = credentials
        self._drain_s = drain_s
        self._services: dict[str, None] = {}
        self._socket: UnixSocket | None = None
        self._bound = False
        self._health = health
        inside = mesh_interceptors() if interceptors is None else interceptors
        self._door = door
        every = [self._door, *inside, *([Coalescing(merges)] if merges else [])]
        options = {**dict(OPTIONS), "grpc.max_receive_message_length": largest_message}
        options["grpc.so_reuseport"] = int(reuse_port)
        options["grpc.server_handshake_timeout_ms"] = int(handshake_s * 1000)
        if most_metadata is not None:
            names = ("grpc.max_metadata_size", "grpc.absolute_max_metadata_size")
            options.update(dict.fromkeys(names, most_metadata))
        self._server = grpc.aio.server(interceptors=every, options=tuple(options.items()))
        self.address = listen
        """Where it listens, in the form that `wire_channel` dials; the port is the real one once it runs."""

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        self._server.add_generic_rpc_handlers(tuple(generic_rpc_handlers))

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        self._services[service_name] = None
        self._server.add_registered_method_handlers(service_name, method_handlers)

    @property
    def services(self) -> tuple[str, ...]:
        """The full names of the services it serves."""
        return tuple(self._services)

    def bind(self) -> None:
        """Take the place, and so learn its real address; who calls now waits for `start`.

        Raises:
            CannotListen: The address is taken, or is none.
        """
        if self._bound:
            return
        self._bound = True
        path = unix_path(self._listen)
        if path is not None:
            self._socket = UnixSocket(self._listen, path)
            self.address = f"unix:{path}"
            return
        try:
            if self._credentials is not None:
                port = self._server.add_secure_port(self._listen, self._credentials)
            else:
                port = self._server.add_insecure_port(self._listen)
        except RuntimeError as error:
            raise CannotListen(self._listen, why_not(self._listen)) from error
        host = self._listen.rpartition(":")[0]
        self.address = f"{host}:{port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            CannotListen: The address is taken, or is none.
        """
        if self._health is None:
            self._health = Health()
            for service in self._services:
                await self._health.set(service, True)
        if HEALTH not in self._services:
            self._health.register(self)
        self._reflect()
        self.bind()
        if self._socket is not None:
            self._bind_socket(self._socket)
        await self._server.start()
        if self._socket is not None:
            self._socket.open()

    async def stop(self, grace: float | None) -> None:
        """Take no more calls, wait `grace` seconds for those in flight, then cancel them."""
        if self._health is not None:
            await self._health.leave()
        if self._socket is not None:
            self._socket.close()
        await self._server.stop(grace)
        await self._door.gone(timeout_s=5.0)

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        return await self._server.wait_for_termination(timeout)

    def add_insecure_port(self, address: str) -> int:
        return self._server.add_insecure_port(address)

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        return self._server.add_secure_port(address, server_credentials)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.stop(self._drain_s)

    def _bind_socket(self, place: UnixSocket) -> None:
        try:
            self._server.add_insecure_port(f"unix:{place.bound}")
        except RuntimeError as error:
            raise CannotListen(self._listen, "the socket cannot be made there") from error

    def _reflect(self) -> None:
        try:
            from grpc_reflection.v1alpha import reflection
        except ImportError:  # a plugin: hector-plugin does not bring it along
            return
        with suppress(ImportError):  # ours have other names: this describes HEALTH's messages to whoever asks
            import grpc_health.v1.health_pb2  # noqa: F401
        names = (*self._services, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
