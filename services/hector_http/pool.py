"""Connections that are kept for the next request to the same server."""

import asyncio
import ssl

from hector_http.connection import Connection
from hector_http.dialling import dialled
from hector_http.errors import Unreachable
from hector_http.exchange import Exchange
from hector_http.heads import head_of
from hector_http.request import Request
from hector_http.targets import Target
from hector_http.tls import Tls

IDLE_S = 15.0
MAX_IDLE = 256
"""How many of one server's connections may wait for work."""


class Pool:
    """Sends requests to servers that an operator wrote down, over plain HTTP/1.1."""

    def __init__(self, tls: Tls | None) -> None:
        self._tls = tls or Tls()
        self._trust: ssl.SSLContext | None = None
        self._opening = asyncio.Lock()
        self._open: set[Connection] = set()
        self._idle: dict[str, list[Connection]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def ask(self, request: Request, target: Target) -> Exchange:
        """Send a request, and return its answer once the headers are there.

        Raises:
            HttpError: There is no answer.
        """
        self._closed = False
        head = head_of(request, target)
        connection = self._waiting(target.origin)
        if connection is not None:
            asked = connection.ask(target, request.method, head, request.body)
            try:
                return await _answered(asked)
            except Unreachable:
                # The server closed it just now, as servers do with what is idle: one that is new will tell.
                if asked.heard or not request.may_repeat:
                    raise
        connection = await self._dialled(target, request.timeouts.connect_s)
        return await _answered(connection.ask(target, request.method, head, request.body))

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle.clear()
        for connection in list(self._open):
            connection.close()
        await asyncio.sleep(0)  # so that the transports are gone before the loop may be

    async def _dialled(self, target: Target, within_s: float) -> Connection:
        connection = Connection(self._left)
        trust = await self._trusted() if target.secure else None
        await dialled(target, connection, trust, within_s)
        if connection.usable:
            self._open.add(connection)
        return connection

    async def _trusted(self) -> ssl.SSLContext:
        async with self._opening:
            if self._trust is None:
                self._trust = await asyncio.to_thread(self._tls.context)
            return self._trust

    def _waiting(self, origin: str) -> Connection | None:
        """Return the connection that was used last: the others may grow old and go."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
        return None

    def _left(self, connection: Connection) -> None:
        idle = self._idle.setdefault(connection.origin, [])
        if not connection.usable:
            self._open.discard(connection)
            if connection in idle:
                idle.remove(connection)
        elif self._closed or len(idle) >= MAX_IDLE:
            connection.close()
        else:
            loop = asyncio.get_running_loop()
            connection.idle_since = loop.time()
            idle.append(connection)
            if self._sweep is None:
                self._sweep = loop.call_later(IDLE_S, self._swept)

    def _swept(self) -> None:
        """Close what has waited for long; whoever waits longest is at the front."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - IDLE_S
        self._sweep = None
        next_s = 0.0
        for origin, idle in list(self._idle.items()):
            while idle and idle[0].idle_since <= oldest + 0.001:
                idle.pop(0).close()
            if idle:
                wait_s = idle[0].idle_since - oldest
                next_s = min(next_s, wait_s) if next_s else wait_s
            else:
                del self._idle[origin]
        if next_s:
            self._sweep = loop.call_later(next_s, self._swept)


async def _answered(exchange: Exchange) -> Exchange:
    try:
        await exchange.head()
    except BaseException:
        exchange.close()
        raise
    return exchange
