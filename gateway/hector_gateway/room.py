"""Puts the border together: two ports, one door, one way in."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from hector.agent.v1 import agent_pb2
from hector_a2a.service import SERVICE_DESCRIPTOR
from hector_config.version import VERSION
from hector_mesh import Mesh, Prepared, Renewal, Room, WireServer, wire_server
from hector_mesh.addresses import CannotListen
from hector_mesh.limits import MESSAGE_BYTES

from .access import Access, access_for
from .admin_secret import AdminSecret, admin_secret
from .beside import Beside
from .cards import Cards
from .config import GatewaySection, ServerConfig
from .config_source import ConfigSource
from .directory import Directory
from .edge import Door, Edge
from .errors import CannotServe
from .exchange import Exchange
from .forwarder import Forwarder
from .http_port import Behind, HttpPort
from .in_flight import InFlight
from .listening import Server, Sharing, places, serving_http
from .measuring import STREAMS
from .plugin_source import PluginSource
from .public import Public, reachable
from .tls import TLS, tls_of

_AGENTS = agent_pb2.DESCRIPTOR.services_by_name["AgentService"]


def build(
    config: GatewaySection,
    mesh: Mesh,
    *,
    show: Callable[[AdminSecret], None] | None = None,
    source: ConfigSource | None = None,
    beside: Beside | None = None,
    plugins: PluginSource | None = None,
) -> Room:
    """Return the border of a mesh; it listens while it runs.

    Args:
        config: The `server:` section.
        mesh: Where the agents are.
        show: Gets the admin secret if one has to be made and nobody has called `admin_secret` before.
        source: Gives the config's pages what they show; without it there are none.
        beside: The other processes that listen on the same ports; None: there are none, and nobody may.
        plugins: The plugins of this process; without them there are no pages about any.
    """
    border = Border(config, mesh, show or _to_stderr, source, beside, plugins)
    return Room(
        register=lambda server: None,
        running=border.running,
        addresses=lambda: dict(border.addresses),
        prepare=border.prepare,
        drain=border.drain,
    )


class Border:
    """The public ports. Their addresses are known while it runs."""

    def __init__(
        self,
        config: GatewaySection,
        mesh: Mesh,
        show: Callable[[AdminSecret], None],
        source: ConfigSource | None = None,
        beside: Beside | None = None,
        plugins: PluginSource | None = None,
    ) -> None:
        self._source, self._beside, self._plugins = source, beside, plugins
        self._left = False
        self._revision = source.revision_id if source else ""
        self._config, self._server, self._mesh, self._show = config, config.server, mesh, show
        self._in_flight = InFlight(self._server.limits)
        self._directory = Directory(mesh)
        self._ports: list[HttpPort] = []
        self._servers: list[Server] = []
        self._forwarder: Forwarder | None = None
        self._wire: WireServer | None = None
        self._closing: asyncio.Task[None] | None = None
        self._tls: TLS | None = None
        self.public = Public("", "", "", False)
        """Where it is for clients, once it runs."""
        self.addresses: dict[str, str] = {}
        """What it has really bound, by protocol."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block ends; then streams end at once, and answers have time to finish.

        Raises:
            CannotServe: A port is taken.
            KeyUnusable: A key for cards cannot be used.
            NobodyToShow: Extended cards are configured, and nobody could get them.
            SecretUnreadable: The admin secret's hash cannot be used.
            TLSUnusable: The certificate or its key cannot be used.
        """
        tls = self._tls = tls_of(self._server.tls)
        if (made := admin_secret(self._config)) is not None:
            self._show(made)
        access = access_for(self._server)
        behind = Behind(
            access,
            self._mesh,
            self._directory,
            self._in_flight,
            self._server,
            self._revision,
            self._source,
            encrypted=tls is not None,
            beside=self._beside,
            plugins=self._plugins,
        )
        sharing = Sharing.OTHERS if self._beside is not None else Sharing.NOBODY
        async with AsyncExitStack() as stack:
            place, *more = stack.enter_context(places(self._server, sharing))
            if tls is not None:
                fresh = asyncio.create_task(tls.kept_fresh())
                stack.callback(fresh.cancel)
            number = place.getsockname()[1]
            first = HttpPort(behind, None, public_of(self._server, number, "", access))
            self._ports.append(first)
            grpc_address = await self._serve_grpc(stack, access, first.cards, tls)
            first.public = self.public = public_of(self._server, number, grpc_address, access)
            self.addresses["HTTP"] = self._address(place)
            if grpc_address:
                self.addresses["gRPC"] = grpc_address
            STREAMS.follow(lambda: self._in_flight.open_streams)
            await self._serve_http(stack, first, place, tls)
            for listener, place in zip(self._server.listeners, more, strict=True):
                url = listener.public_url or self._address(place)
                port = HttpPort(behind, listener.card, replace(self.public, url=url))
                self._ports.append(port)
                self.addresses[f"HTTP, cards of {listener.card}"] = self._address(place)
                await self._serve_http(stack, port, place, tls)
            stack.push_async_callback(self.drain, 0.0)
            yield

    async def _serve_http(
        self, stack: AsyncExitStack, port: HttpPort, place: socket.socket, tls: TLS | None
    ) -> None:
        serving = serving_http(
            port.app,
            place,
            drain_s=self._server.shutdown_timeout + 1,
            limits=self._server.limits,
            tls=tls.context if tls else None,
            counted=port is self._ports[0],
            kind=Exchange,
        )
        self._servers.append(await stack.enter_async_context(serving))

    def _address(self, place: socket.socket) -> str:
        scheme = "https" if self._server.tls.wanted else "http"
        return f"{scheme}://{reachable(self._server.host)}:{place.getsockname()[1]}"

    async def prepare(self, renewal: Renewal) -> Prepared:
        """Make ready for other agents, and for another `server.a2a`; certificates are looked at, too.

        Raises:
            KeyUnusable: A key for cards cannot be used.
            NobodyToShow: Extended cards are configured, and nobody could get them.
        """
        ports = [port.prepared(renewal) for port in self._ports]
        if self._tls is not None:
            await asyncio.to_thread(self._tls.look)

        def commit() -> None:
            if self._forwarder is not None:
                self._forwarder.server, self._forwarder.revision = renewal.config.server, renewal.revision
            for port in ports:
                port()
            self._directory.forget()

        return Prepared(commit)

    async def _serve_grpc(self, stack: AsyncExitStack, access: Access, cards: Cards, tls: TLS | None) -> str:
        """Open the gRPC port, and return host:port; empty if there is none."""
        server = self._server
        if server.grpc_port is None:
            return ""
        edge = Edge(access, self._in_flight, lambda: cards.offers.errors)
        host = f"[{server.host}]" if ":" in server.host else server.host
        wire = wire_server(
            f"{host}:{server.grpc_port}",
            interceptors=[Door(edge)],
            drain_s=server.shutdown_timeout,
            credentials=tls.credentials() if tls else None,
            largest_message=largest_message(server.limits.max_body_size),
            most_metadata=server.limits.max_header_size,
            reuse_port=self._beside is not None,
        )
        forwarder = Forwarder(
            (SERVICE_DESCRIPTOR, _AGENTS),
            self._mesh,
            edge=edge,
            directory=self._directory,
            in_flight=self._in_flight,
            server=server,
            cards=cards,
            revision=self._revision,
        )
        forwarder.register(wire)
        self._forwarder, self._wire = forwarder, wire
        try:
            await stack.enter_async_context(wire)
        except CannotListen as error:
            why = str(error).partition(": ")[2]
            raise CannotServe(f"{host}:{server.grpc_port}", why, "server.grpc_port", "--grpc-port") from error
        return f"{reachable(server.host)}:{wire.address.rpartition(':')[2]}"

    async def drain(self, _limit_s: float) -> None:
        """Say that it is leaving, give balancers time to hear it, and then answers theirs to end.

        All ports close at once; leaving the room waits for them one after another.
        """
        if self._left:
            return
        self._left = True
        for port in self._ports:
            port.probes.stopping = True
        await asyncio.sleep(self._server.shutdown_delay)
        # Streams get the time too: as long as runs are not taken over, nobody can go on with them elsewhere.
        loop = asyncio.get_running_loop()
        loop.call_later(self._server.shutdown_timeout, self._in_flight.end_all)
        for server in self._servers:
            server.should_exit = True
        if self._wire is not None:
            self._closing = loop.create_task(self._wire.stop(self._server.shutdown_timeout))


def largest_message(max_body_size: int) -> int:
    """Return from how many bytes on gRPC itself refuses a message; below that it is refused in our words."""
    return min(MESSAGE_BYTES, max(3 * max_body_size, 1 << 20))


def public_of(server: ServerConfig, port: int, grpc_address: str, access: Access) -> Public:
    """Return how clients see a server that listens on `port`."""
    return Public(
        url=server.public_url or f"http{'s' if server.tls.wanted else ''}://{reachable(server.host)}:{port}",
        # Behind another name we cannot know whether, and where, the gRPC port can be reached.
        grpc_address=server.public_grpc if server.public_url else server.public_grpc or grpc_address,
        version=VERSION,
        authenticates=access.required,
    )


def _to_stderr(made: AdminSecret) -> None:
    sys.stderr.write(
        f"Admin secret: {made.text}\n"
        f"It is shown this once; its hash is in {made.file}. Send it as `Authorization: Bearer <secret>`.\n"
    )
