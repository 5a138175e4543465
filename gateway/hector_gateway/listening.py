"""The HTTP port: uvicorn inside a loop and a process that are not its own."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .app import App
from .errors import CannotServe

BACKLOG = 2048


class Protocol(HttpToolsProtocol):
    """uvicorn's own, which lets the application cut a connection that nobody reads."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["hector.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class Server(uvicorn.Server):
    """uvicorn's own, without its signal handlers: whoever runs the process decides when it ends."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bound(host: str, port: int) -> socket.socket:
    """Return a listening place.

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
            place.bind(address)
            place.listen(BACKLOG)
        except OSError:
            place.close()
            raise
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        nowhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        key, flag = ("server.host", "--host") if nowhere else ("server.port", "--port")
        raise CannotServe(shown, why, key, flag) from error
    place.setblocking(False)
    return place


@asynccontextmanager
async def serving_http(app: App, place: socket.socket, *, drain_s: float) -> AsyncIterator[None]:
    """Answer requests until the block ends, then let those in flight finish within `drain_s` seconds."""
    config = uvicorn.Config(
        app,
        http=Protocol,
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
    server = Server(config)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[place]))
        await server.listens.wait()
        try:
            yield
        finally:
            server.should_exit = True
