"""The mesh on one of its transports: in one process without sockets, or over unix sockets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio

from hector_mesh import LocalChannel, LocalServer, Mesh, Server, wire_channel, wire_server


@dataclass
class MeshUnderTest:
    """A mesh whose services are served in process or over a unix socket, as the test's parameter says."""

    transport: str
    folder: Path
    routes: dict[str, grpc.aio.Channel] = field(default_factory=dict)
    servers: list[Any] = field(default_factory=list)
    channels: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mesh = Mesh(self.routes)

    async def serve(self, *registers: Callable[[Server], None], **options: Any) -> None:
        """Make what each callable adds to a server reachable through `mesh`. May be called again.

        Args:
            registers: As `lambda server: add_EchoServicer_to_server(Echo(), server)`.
            options: For `wire_server`, when that is what serves.
        """
        server = self._local() if self.transport == "local" else self._wire(options)
        for register in registers:
            register(server)
        await server.start()
        channel = (
            LocalChannel(server)
            if isinstance(server, LocalServer)
            else wire_channel(server.address, role="under-test", token=options.get("token"))
        )
        self.channels.append(channel)
        self.routes.update(dict.fromkeys(server.services, channel))

    def _local(self) -> LocalServer:
        self.servers.append(server := LocalServer())
        return server

    def _wire(self, options: dict[str, Any]) -> Any:
        listen = f"unix:{self.folder / f'{len(self.servers)}.sock'}"
        self.servers.append(server := wire_server(listen, **options))
        return server

    async def close(self) -> None:
        for channel in self.channels:
            await channel.close()
        for server in reversed(self.servers):
            await server.stop(None)
