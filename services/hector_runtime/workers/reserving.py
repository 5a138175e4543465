"""Keeps ports for workers: free ones are chosen once, and nobody else gets them while a worker is away."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from hector_gateway.listening import Sharing, bound
from hector_runtime.config import Config


@dataclass(frozen=True, slots=True)
class Reserved:
    """Ports that are kept as long as the places are open."""

    places: tuple[socket.socket, ...]
    overrides: dict[str, dict[str, object]]
    """What the config says of them, with the numbers that they really have."""
    listen: str | None
    """Where other processes of the mesh reach the workers, likewise."""

    def close(self) -> None:
        """Keep them no longer."""
        for place in self.places:
            place.close()


def reserved(config: Config, roles: Sequence[str], listen: str | None) -> Reserved:
    """Return the ports that workers with these roles will share.

    Raises:
        CannotServe: Somebody listens on one of them.
    """
    server, places = config.server, list[socket.socket]()

    def keep(host: str, port: int, key: str, flag: str = "") -> int:
        place = bound(host.strip("[]"), port, key=key, flag=flag, sharing=Sharing.RESERVED)
        places.append(place)
        number: int = place.getsockname()[1]
        return number

    overrides: dict[str, dict[str, object]] = {}
    if "gateway" in roles:
        chosen: dict[str, object] = {"port": keep(server.host, server.port, "server.port", "--port")}
        if server.grpc_port is not None:
            chosen["grpc_port"] = keep(server.host, server.grpc_port, "server.grpc_port", "--grpc-port")
        chosen["listeners"] = [
            one.model_copy(update={"port": keep(server.host, one.port, f"server.listeners[{index}].port")})
            for index, one in enumerate(server.listeners)
        ]
        overrides["server"] = chosen
    if watched := config.observability.metrics.listen:
        host, _, port = watched.rpartition(":")
        number = keep(host, int(port), "observability.metrics.listen", "--metrics-listen")
        overrides["observability"] = {"metrics": {"listen": f"{host}:{number}"}}
    if listen:
        host, _, port = listen.rpartition(":")
        if host and port.isdigit():  # what is no address is refused where it is listened on
            listen = f"{host}:{keep(host, int(port), '--listen', '--listen')}"
    return Reserved(tuple(places), overrides, listen)
