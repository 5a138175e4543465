"""One HTTP port of the border: the same agents as at every other, and cards of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hector_a2a.service import SERVICE_DESCRIPTOR
from hector_mesh import Mesh, Renewal

from .a2a_config import A2AConfig
from .access import Access
from .app import App
from .beside import Beside
from .cards import Cards
from .command_pages import CommandPages
from .config import CardView, ServerConfig
from .config_pages import ConfigPages
from .config_source import ConfigSource
from .cors import Cors
from .directory import Directory
from .errors import Headers
from .history_pages import HistoryPages
from .in_flight import InFlight
from .methods import Method, methods_of
from .operations import Operations
from .plugin_pages import PluginPages
from .plugin_source import PluginSource
from .probes import Probes
from .public import Public
from .push_pages import PushPages
from .queue_pages import QueuePages
from .rest import Rest
from .routes import Routes
from .rpc import JsonRpc
from .session_pages import SessionPages

STRICT: Headers = ((b"strict-transport-security", b"max-age=31536000"),)


@dataclass(frozen=True, slots=True)
class Behind:
    """What is behind every port."""

    access: Access
    mesh: Mesh
    directory: Directory
    in_flight: InFlight
    server: ServerConfig
    revision: str
    source: ConfigSource | None
    encrypted: bool
    beside: Beside | None = None
    plugins: PluginSource | None = None

    def methods(self) -> Mapping[str, Method]:
        """Return A2A's operations, as the mesh serves them."""
        return methods_of(SERVICE_DESCRIPTOR, self.mesh)


class HttpPort:
    """What answers at one port, and shows itself there under one URL and in one form of card."""

    def __init__(self, behind: Behind, card: CardView | None, public: Public) -> None:
        """Put it together.

        Args:
            behind: What all ports have in common.
            card: The form of its cards; None: as `server.a2a.card` says.
            public: Where it is for clients.

        Raises:
            KeyUnusable: A key for cards cannot be used.
            NobodyToShow: Extended cards are configured, and nobody could get them.
        """
        self._card, self.public = card, public
        server, access = behind.server, behind.access
        self.cards = Cards(behind.directory, access, lambda: self.public, self._seen(server.a2a))
        self.probes = Probes(behind.mesh, public, behind.beside, behind.plugins)
        self._operations = Operations(
            behind.methods(), behind.directory, server, behind.in_flight, self.cards, revision=behind.revision
        )
        self.app = App(
            access,
            self.probes,
            self.cards,
            JsonRpc(self._operations),
            Rest(self._operations, Routes(SERVICE_DESCRIPTOR)),
            pages=ConfigPages(access, behind.source),
            deliveries=PushPages(access, behind.mesh),
            sessions=SessionPages(access, behind.mesh, server),
            history=HistoryPages(access, behind.mesh),
            others={
                "command": CommandPages(access, behind.mesh, server),
                "queue": QueuePages(access, behind.mesh),
                "plugin": PluginPages(access, behind.plugins),
            },
            cors=Cors(server.cors),
            always=STRICT if behind.encrypted else (),
        )

    def prepared(self, renewal: Renewal) -> Callable[[], None]:
        """Make ready for another config, and return what puts it into effect; raises as `Cards.prepared`."""
        server: ServerConfig = renewal.config.server
        cards = self.cards.prepared(self._seen(server.a2a))

        def commit() -> None:
            self._operations.server, self._operations.revision = server, renewal.revision
            cards()

        return commit

    def _seen(self, config: A2AConfig) -> A2AConfig:
        return config if self._card is None else config.model_copy(update={"card": self._card})
