"""Puts the border together: two ports, one door, one way in."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from hector.agent.v1 import agent_pb2
from hector_a2a.service import SERVICE_DESCRIPTOR
from hector_config.version import VERSION
from hector_mesh import Mesh, Prepared, Renewal, Room, wire_server
from hector_mesh.addresses import CannotListen

from .access import Access, access_for
from .admin_secret import AdminSecret, admin_secret
from .app import App
from .cards import Cards
from .config import GatewaySection, ServerConfig
from .config_pages import ConfigPages
from .config_source import ConfigSource
from .cors import Cors
from .directory import Directory
from .edge import Door, Edge
from .errors import CannotServe
from .forwarder import Forwarder
from .in_flight import InFlight
from .listening import bound, serving_http
from .measuring import STREAMS
from .methods import methods_of
from .operations import Operations
from .probes import Probes
from .public import Public, reachable
from .rest import Rest
from .routes import Routes
from .rpc import JsonRpc
from .tls import TLS, tls_of

_STRICT = ((b"strict-transport-security", b"max-age=31536000"),)
_AGENTS = agent_pb2.DESCRIPTOR.services_by_name["AgentService"]


def build(
    config: GatewaySection,
    mesh: Mesh,
    *,
    show: Callable[[AdminSecret], None] | None = None,
    source: ConfigSource | None = None,
) -> Room:
    """Return the border of a mesh; it listens while it runs.

    Args:
        config: The `server:` section.
        mesh: Where the agents are.
        show: Gets the admin secret if one has to be made and nobody has called `admin_secret` before.
        source: Gives the config's pages what they show; without it there are none.
    """
    border = Border(config, mesh, show or _to_stderr, source)
    return Room(
        register=lambda server: None,
        running=border.running,
        addresses=lambda: dict(border.addresses),
        prepare=border.prepare,
    )


class Border:
    """The two public ports. Their addresses are known while it runs."""

    def __init__(
        self,
        config: GatewaySection,
        mesh: Mesh,
        show: Callable[[AdminSecret], None],
        source: ConfigSource | None = None,
    ) -> None:
        self._source = source
        self._revision = source.revision_id if source else ""
        self._config, self._server, self._mesh, self._show = config, config.server, mesh, show
        self._in_flight = InFlight(self._server.limits)
        self._directory = Directory(mesh)
        self._cards: Cards | None = None
        self._asked: list[Operations | Forwarder] = []
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
        async with AsyncExitStack() as stack:
            place = bound(self._server.host, self._server.port)
            stack.callback(place.close)
            if tls is not None:
                fresh = asyncio.create_task(tls.kept_fresh())
                stack.callback(fresh.cancel)
            cards = self._cards = Cards(self._directory, access, lambda: self.public, self._server.a2a)
            grpc_address = await self._serve_grpc(stack, access, cards, tls)
            port = place.getsockname()[1]
            self.public = public_of(self._server, port, grpc_address, access)
            scheme = "https" if tls else "http"
            self.addresses["HTTP"] = f"{scheme}://{reachable(self._server.host)}:{port}"
            if grpc_address:
                self.addresses["gRPC"] = grpc_address
            probes = Probes(self._mesh, self.public)
            operations = Operations(
                methods_of(SERVICE_DESCRIPTOR, self._mesh),
                self._directory,
                self._server,
                self._in_flight,
                cards,
                revision=self._revision,
            )
            self._asked.append(operations)
            app = App(
                access,
                probes,
                cards,
                JsonRpc(operations),
                Rest(operations, Routes(SERVICE_DESCRIPTOR)),
                pages=ConfigPages(access, self._source),
                cors=Cors(self._server.cors),
                always=_STRICT if tls else (),
            )
            STREAMS.follow(lambda: self._in_flight.open_streams)
            serving = serving_http(
                app,
                place,
                drain_s=self._server.shutdown_timeout + 1,
                limits=self._server.limits,
                tls=tls.context if tls else None,
            )
            await stack.enter_async_context(serving)
            stack.push_async_callback(self._leave, probes)
            yield

    async def prepare(self, renewal: Renewal) -> Prepared:
        """Make ready for other agents, and for another `server.a2a`; certificates are looked at, too.

        Raises:
            KeyUnusable: A key for cards cannot be used.
            NobodyToShow: Extended cards are configured, and nobody could get them.
        """
        assert self._cards is not None  # it runs
        server: ServerConfig = renewal.config.server
        cards = self._cards.prepared(server.a2a)
        if self._tls is not None:
            await asyncio.to_thread(self._tls.look)

        def commit() -> None:
            self._server = server
            for one in self._asked:
                one.server, one.revision = server, renewal.revision
            cards()
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
        self._asked.append(forwarder)
        try:
            await stack.enter_async_context(wire)
        except CannotListen as error:
            why = str(error).partition(": ")[2]
            raise CannotServe(f"{host}:{server.grpc_port}", why, "server.grpc_port", "--grpc-port") from error
        return f"{reachable(server.host)}:{wire.address.rpartition(':')[2]}"

    async def _leave(self, probes: Probes) -> None:
        """Say that it is leaving, give balancers time to hear it, and then answers theirs to end."""
        probes.stopping = True
        await asyncio.sleep(self._server.shutdown_delay)
        # Streams get the time too: as long as runs are not taken over, nobody can go on with them elsewhere.
        loop = asyncio.get_running_loop()
        loop.call_later(self._server.shutdown_timeout, self._in_flight.end_all)


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
