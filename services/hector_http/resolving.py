"""Looks strangers' names up in threads of their own: one that hangs holds up nobody else, and no stop.

The loop's usual threads are few, and others need them. Imports aiohttp: only for modules imported late.
"""

import asyncio
import errno
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

MOST = 64
"""Lookups at once; more wait for their turn."""
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Lookups(AbstractResolver):
    """What aiohttp asks for the addresses of a name."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MOST)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            OSError: There are none.
        """
        return [
            ResolveResult(
                hostname=host,
                host=address[0] if len(address) < 4 or not address[3] else f"{address[0]}%{address[3]}",
                port=address[1],
                family=found,
                proto=protocol,
                flags=_NUMERIC,
            )
            for found, _, protocol, _, address in await self._looked_up(host, port, family)
        ]

    async def close(self) -> None:
        """Leave what is under way to itself: its threads hold up nothing."""

    async def _looked_up(self, host: str, port: int, family: socket.AddressFamily) -> Sequence[Any]:
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[Any]] = loop.create_future()

        def settle(found: Sequence[Any], error: OSError | None) -> None:
            self._places.release()  # and not when whoever asked leaves: the thread is still there
            if answer.done():
                return
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def look_up() -> None:
            found: Sequence[Any] = ()
            error: OSError | None = None
            try:
                flags = socket.AI_ADDRCONFIG
                found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags)
            except OSError as failed:
                error = failed
            except UnicodeError:
                error = socket.gaierror(socket.EAI_NONAME, "no name that can be looked up")
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                loop.call_soon_threadsafe(settle, found, error)

        try:
            threading.Thread(target=look_up, name="lookup", daemon=True).start()
        except RuntimeError as full:
            self._places.release()
            raise OSError(errno.EAGAIN, "no thread is left to look the name up") from full
        return await answer
