"""The network inside of a plugin's sandbox: empty, but for addresses behind which the host carries bytes."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .connections import Connections
from .gate import Gate
from .networks import USUAL_PORTS, Entry, Policy, unusual
from .outward import Refused, Unreachable, connect, hang_up, splice

GATE = ("127.77.0.1", 3128)
"""Where the proxy is, inside."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A place inside that stands for one outside."""

    inside: tuple[str, int]
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that is to be there."""

    listeners: tuple[Listener, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    """Addresses and names, as /etc/hosts has them."""
    addresses: tuple[str, ...] = ()
    """Addresses outside that stand for themselves."""
    gate: bool = False
    beside_gate: tuple[str, ...] = field(default=())
    """Hosts that are reached without the proxy."""

    @property
    def places(self) -> list[tuple[str, int]]:
        """Where to listen, the proxy last."""
        return [one.inside for one in self.listeners] + ([GATE] if self.gate else [])

    def env(self) -> dict[str, str]:
        """Return what tells programs of the proxy."""
        return proxy_env(GATE, self.beside_gate) if self.gate else {}


def proxy_env(gate: tuple[str, int], without: Sequence[str]) -> dict[str, str]:
    """Return the variables by which programs find a proxy, and which hosts they reach without it."""
    address = f"{gate[0]}:{gate[1]}"
    http, socks, no = f"http://{address}", f"socks5h://{address}", ",".join(without)
    words = {"HTTP_PROXY": http, "HTTPS_PROXY": http, "ALL_PROXY": socks, "NO_PROXY": no}
    # Node's own fetch looks at them only if this says so.
    return words | {name.lower(): value for name, value in words.items()} | {"NODE_USE_ENV_PROXY": "1"}


def layout(policy: Policy) -> Layout:
    """Return what has to be inside so that all that a policy lists can be reached."""
    if policy.anywhere or policy.nowhere:
        return Layout()
    listeners: dict[tuple[str, int], Listener] = {}
    names: dict[str, str] = {}
    addresses: dict[str, None] = {}
    for entry in policy.entries:
        at = _address_inside(entry, names, addresses)
        if at is None:
            continue
        for port in (entry.port,) if entry.port is not None else USUAL_PORTS:
            host = entry.name or ("localhost" if entry.loopback else at)
            listeners.setdefault((at, port), Listener((at, port), host, port))
    by_proxy = unusual(policy.entries)
    through = {name for one in by_proxy for name in _names_of(one)}
    local = ("localhost", "127.0.0.1", "::1")
    direct = [name for name in (*local, *names, *addresses) if name not in through]
    return Layout(
        tuple(listeners.values()),
        tuple((at, name) for name, at in names.items()),
        tuple(addresses),
        bool(by_proxy),
        tuple(direct),
    )


def write_files(folder: Path, shown: Layout, uid: int, gid: int) -> None:
    """Write what is shown of /etc in a sandbox with a network of its own."""
    lines = ["127.0.0.1 localhost plugin", *(f"{address} {name}" for address, name in shown.names)]
    (folder / "hosts").write_text("\n".join(lines) + "\n")
    (folder / "resolv.conf").write_text("")
    (folder / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    write_users(folder, uid, gid)


def write_users(folder: Path, uid: int, gid: int) -> None:
    """Write who there is: the plugin, and nobody."""
    root = "root:x:0:0::/:/sbin/nologin\n" if uid else ""
    nobody = "nobody:x:65534:65534::/:/sbin/nologin\n" if uid != 65534 else ""
    (folder / "passwd").write_text(f"{root}plugin:x:{uid}:{gid}::/tmp:/bin/sh\n{nobody}")
    (folder / "group").write_text(f"plugin:x:{gid}:\n")


class OuterGate:
    """The proxy of a plugin in the host's own network: it serves only whom the host has connected to it."""

    def __init__(self, plugin: str, policy: Policy, is_ours: Callable[[int], bool]) -> None:
        self._gate, self._is_ours = Gate(plugin, policy), is_ours
        self._server: asyncio.Server | None = None
        self._connections = Connections(plugin)

    async def start(self) -> tuple[str, int]:
        """Listen, and return where."""
        serve = self._connections.served_by(self._serve)
        self._server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return host, port

    async def close(self) -> None:
        """Serve nobody any more."""
        if self._server is not None:
            self._server.close()
        await self._connections.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_ours(writer.get_extra_info("peername")[1]):
            await self._gate.serve(reader, writer)
        else:
            await hang_up(writer)


class Relays:
    """Serves what listens inside of one plugin's network."""

    def __init__(self, plugin: str, policy: Policy, shown: Layout) -> None:
        self._plugin, self._policy, self._shown = plugin, policy, shown
        self._servers: list[asyncio.Server] = []
        self._connections = Connections(plugin)

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Take sockets as `Layout.places` lists them."""
        gate = Gate(self._plugin, self._policy)
        for number, listener in enumerate(sockets):
            if number < len(self._shown.listeners):
                one = self._shown.listeners[number]
                await self._serve(listener, one)
            else:
                serve = self._connections.served_by(gate.serve)
                self._servers.append(await asyncio.start_server(serve, sock=listener))

    async def close(self) -> None:
        """Serve nobody any more."""
        for server in self._servers:
            server.close()
        await self._connections.close()

    async def _serve(self, listener: socket.socket, one: Listener) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                beyond = await connect(self._plugin, self._policy, one.host, one.port)
            except (Refused, Unreachable):
                await hang_up(writer)
                return
            await splice((reader, writer), beyond)

        self._servers.append(await asyncio.start_server(self._connections.served_by(serve), sock=listener))


def _address_inside(entry: Entry, names: dict[str, str], addresses: dict[str, None]) -> str | None:
    """Return the address inside that stands for an entry; None: only the proxy leads there."""
    if entry.name:
        number = len(names) + 1
        return names.setdefault(entry.name, f"127.77.{1 + number // 250}.{1 + number % 250}")
    if entry.loopback:
        return "127.0.0.1" if entry.port is not None else None
    if entry.network is not None and entry.network.num_addresses == 1 and entry.network.version == 4:
        address = entry.network.network_address
        if not address.is_loopback:  # all of 127.0.0.0/8 is there already
            addresses[str(address)] = None
        return str(address)
    return None


def _names_of(entry: Entry) -> tuple[str, ...]:
    """Return by which names programs may ask for an entry, so that these lead to the proxy."""
    if entry.loopback:
        return ("localhost", "127.0.0.1", "::1")
    if entry.network is None:
        return (entry.name,)
    address = entry.network.network_address
    if entry.network.num_addresses > 1:
        return ("localhost", "127.0.0.1", "::1") if address.is_loopback else ()
    return (str(address), "localhost") if str(address) in ("127.0.0.1", "::1") else (str(address),)
