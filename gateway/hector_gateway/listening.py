"""The HTTP port: uvicorn inside a loop and a process that are not its own."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from enum import Enum
from functools import partial
from typing import Any

from uvicorn.config import Config
from uvicorn.server import Server as UvicornServer

from hector_mesh.occupant import occupant

from .config import LimitsConfig, ServerConfig
from .cycle import C, Cycle, Serve
from .errors import CannotServe
from .measuring import CONNECTIONS
from .protocol import Protocol

BACKLOG = 2048


class Server(UvicornServer):
    """uvicorn's own, without its signal handlers: whoever runs the process decides when it ends."""

    def __init__(self, config: Config, handshake_s: float) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()
        self._handshake_s = handshake_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.config.ssl is None:
            await super().startup(sockets)
        else:
            await self._speak_tls(sockets or [])
        self.listens.set()

    async def _speak_tls(self, sockets: Sequence[socket.socket]) -> None:
        """Start as uvicorn does, which leaves clients a minute to say hello."""
        config, loop = self.config, asyncio.get_running_loop()
        protocol: Any = config.http_protocol_class
        made = partial(protocol, config=config, server_state=self.server_state, app_state={})
        self.servers = [
            await loop.create_server(
                made,
                sock=place,
                ssl=config.ssl,
                backlog=config.backlog,
                ssl_handshake_timeout=self._handshake_s,
            )
            for place in sockets
        ]
        self.started = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Sharing(Enum):
    """Who else may listen on a port."""

    NOBODY = "nobody"
    OTHERS = "others"
    """Those who want to share it too: the system gives each of them a part of the connections."""
    RESERVED = "reserved"
    """It is kept free for those who will share it; whoever listens there already is in the way."""


def bound(
    host: str,
    port: int,
    *,
    key: str = "server.port",
    flag: str = "--port",
    sharing: Sharing = Sharing.NOBODY,
) -> socket.socket:
    """Return a listening place; `key` and `flag` are where the port was chosen. A reserved one only keeps it.

    Raises:
        CannotServe: The address is taken, or is none of this machine's.
    """
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        place = socket.socket(family, kind, protocol)
        try:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sharing is Sharing.OTHERS:
                place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            place.bind(address)
            if sharing is Sharing.RESERVED:
                # Not before it is bound, so that a port that others share already is refused.
                place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                # And strangers could bind it as long as nobody listens.
                place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            else:
                place.listen(BACKLOG)
        except OSError:
            place.close()
            raise
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        if error.errno == errno.EACCES and 0 < port < 1024:
            why += " (ports below 1024 take root, or the capability CAP_NET_BIND_SERVICE)"
        nowhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        if nowhere and key == "server.port":
            key, flag = "server.host", "--host"
        by = occupant(port) if error.errno == errno.EADDRINUSE else ""
        raise CannotServe(shown, why, key, flag, by) from error
    place.setblocking(False)
    return place


@contextmanager
def places(server: ServerConfig, sharing: Sharing = Sharing.NOBODY) -> Iterator[list[socket.socket]]:
    """Give the places of all HTTP ports, the first one first, until the block ends.

    Raises:
        CannotServe: As `bound`; nothing listens then.
    """
    with ExitStack() as stack:
        found = [stack.enter_context(closing(bound(server.host, server.port, sharing=sharing)))]
        for index, listener in enumerate(server.listeners):
            key = f"server.listeners[{index}].port"
            place = bound(server.host, listener.port, key=key, flag="", sharing=sharing)
            found.append(stack.enter_context(closing(place)))
        yield found


@asynccontextmanager
async def serving_http(
    app: Serve[C],
    place: socket.socket,
    *,
    drain_s: float,
    limits: LimitsConfig | None = None,
    tls: ssl.SSLContext | None = None,
    counted: bool = True,
    kind: type[C] = Cycle,  # type: ignore[assignment]  # who asks for another one serves that
) -> AsyncIterator[Server]:
    """Answer requests until the block ends, then let those in flight finish within `drain_s` seconds.

    The server that is given stops as soon as its `should_exit` is set: so several begin to at once.

    Args:
        app: What answers requests.
        place: Where to listen.
        drain_s: How long answers in flight may take at the end.
        limits: What clients may take.
        tls: Speak TLS with this; None is plain text.
        counted: Show its connections in metrics.
        kind: What a request is for the app.
    """
    limits = limits or LimitsConfig()
    config = Config(
        app,  # which Protocol alone calls, and not as ASGI has it
        http=partial(Protocol, limits=limits, kind=kind),  # type: ignore[arg-type]  # called like a class
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=65,  # longer than load balancers keep theirs, or they meet closed connections
        timeout_graceful_shutdown=max(1, round(drain_s)),
    )
    config.load()
    config.ssl = tls  # made elsewhere, and renewed there
    server = Server(config, limits.header_timeout)
    if counted:
        CONNECTIONS.follow(lambda: len(server.server_state.connections))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[place]))
        await server.listens.wait()
        try:
            yield server
        finally:
            server.should_exit = True
