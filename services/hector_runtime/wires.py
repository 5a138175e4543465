"""Where a process listens for other processes of the mesh."""

import ipaddress
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from grpc import StatusCode

from hector_mesh import Health, HectorError, Room, WireServer, wire_server

from .advertising import advertised
from .config import Config
from .merging import MERGES
from .workers.member import Member


class ListeningWithoutToken(HectorError):
    """Identity metadata from a stranger is worth nothing: such a listener needs the mesh's token."""

    code, reason = StatusCode.FAILED_PRECONDITION, "LISTENING_WITHOUT_TOKEN"

    def __init__(self, listen: str) -> None:
        super().__init__(
            f"{listen} can be reached from other machines, so the roles must share a secret: add "
            '`mesh: {token: "${HECTOR_MESH_TOKEN}"}` to the config, or listen on a unix socket or 127.0.0.1',
            listen=listen,
        )


class Wires:
    """The servers for other processes: one where the operator said, one for workers of the same server."""

    def __init__(self, config: Config, listen: str | None, member: Member | None, health: Health) -> None:
        """Make them; nothing listens yet.

        Raises:
            AdvertisesNothing: Others would dial where nobody listens.
            ListeningWithoutToken: Strangers could call.
        """
        token = config.mesh.token.reveal() if config.mesh.token else None
        if listen and token is None and _reachable_from_outside(listen):
            raise ListeningWithoutToken(listen)
        self._said: WireServer | None = None
        self._between: WireServer | None = None
        if listen:
            self._said = wire_server(
                listen,
                token=token,
                health=health,
                merges=MERGES,
                drain_s=config.server.shutdown_timeout,
                reuse_port=member is not None,
            )
        if member is not None:
            self._between = wire_server(member.listen, token=token, health=health, merges=MERGES, drain_s=1.0)
        self._every = [wire for wire in (self._said, self._between) if wire is not None]
        self._drain_s = config.server.shutdown_timeout
        # An address that several workers share leads to any of them.
        self.target: Callable[[], str] = (
            (lambda: member.listen)
            if member is not None
            else advertised(config.mesh.advertise, listen, lambda: self.address)
        )
        """Says how others dial this process."""

    @property
    def address(self) -> str:
        """Where the operator's listens; empty without one."""
        return self._said.address if self._said is not None else ""

    def register(self, room: Room) -> None:
        """Serve a room."""
        for wire in self._every:
            room.register(wire)

    def bind(self) -> None:
        """Take the places, and learn the real addresses.

        Raises:
            CannotListen: One is taken, or is none.
        """
        for wire in self._every:
            wire.bind()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve until the block ends."""
        async with AsyncExitStack() as stack:
            for wire in self._every:
                await stack.enter_async_context(wire)
            yield

    async def drain(self) -> None:
        """Take no more calls, and let those under way end. Other workers are still served: they have work."""
        if self._said is not None and self._between is None:
            await self._said.stop(self._drain_s)


def _reachable_from_outside(listen: str) -> bool:
    host, colon, _ = listen.rpartition(":")
    if listen.startswith("unix:") or not colon:
        return False  # what is no address is refused as such
    host = host.strip("[]")
    if host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True
