"""An answer, read as it comes."""

import asyncio
import time
from collections.abc import Awaitable, Mapping

from hector_http.arriving import Arriving
from hector_http.errors import HttpError, TimedOut, TooLarge
from hector_http.request import Request


class Response:
    """Status and headers of an answer, whose body is still on its way."""

    __slots__ = ("_arriving", "_deadline", "_request", "_taken_bytes", "headers", "status")

    def __init__(self, arriving: Arriving, request: Request, deadline: float) -> None:
        self.status = arriving.status
        self.headers: Mapping[str, str] = arriving.headers
        """Names in any case."""
        self._arriving = arriving
        self._request = request
        self._deadline = deadline
        self._taken_bytes = 0

    @property
    def origin(self) -> str:
        """Scheme, host and port of who answered, after redirects."""
        return self._arriving.origin

    @property
    def url(self) -> str:
        """The URL that was answered, after redirects."""
        return self._arriving.url

    async def read_some(self, within_s: float | None = None) -> bytes:
        """Return all bytes that have arrived, waiting for the first; nothing at the end.

        Args:
            within_s: Wait no longer than this, instead of the request's `stall_s`.

        Raises:
            BrokeOff: The connection ended before the body did. Everything before it has been handed out.
            TimedOut: The server stalled, or the deadline has passed.
            TooLarge: The body has more than the request's `max_body_bytes`.
        """
        arriving, piece = self._arriving, b""
        while not piece:
            if not arriving.waits:
                if arriving.over:
                    return b""
                await self._wait(within_s)
            if arriving.waits:
                piece = arriving.taken()
        self._taken_bytes += len(piece)
        if self._taken_bytes > self._request.max_body_bytes:
            limit = self._request.max_body_bytes
            raise TooLarge(f"{self.origin} sent more than the {limit} bytes that are taken", limit=limit)
        return piece

    async def read(self) -> bytes:
        """Return the rest of the body; raises as `read_some` does."""
        pieces = []
        while piece := await self.read_some():
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def finish(self, within_s: float) -> None:
        """Wait a moment for an end that carries nothing, so that the connection can be used again."""
        if not self._arriving.over:
            try:
                async with asyncio.timeout(within_s):
                    while await self.read_some():
                        pass
            except (TimeoutError, HttpError):
                pass  # close() gives the connection up

    def close(self) -> None:
        """Close the connection, unless the body was read to its end: then it goes back to the pool."""
        self._arriving.close()

    async def _wait(self, within_s: float | None) -> None:
        left_s = self._deadline - time.monotonic()
        stall_s = self._request.timeouts.stall_s if within_s is None else within_s
        try:
            async with asyncio.timeout(min(left_s, stall_s)) as limit:
                await self._arriving.arrival()
        except TimeoutError:
            if not limit.expired():
                raise
            if left_s <= stall_s:
                message, phase = f"{self.origin} did not finish in time", "total"
            else:
                message, phase = f"{self.origin} sent nothing for {stall_s:g} s", "stall"
            raise TimedOut(message, origin=self.origin, phase=phase) from None


async def begun(asked: Awaitable[Arriving], request: Request, origin: str, deadline: float) -> Response:
    """Return the answer to a request once its headers are there.

    Raises:
        TimedOut: They took too long.
    """
    left_s, first_s = deadline - time.monotonic(), request.timeouts.first_byte_s
    try:
        async with asyncio.timeout(min(left_s, first_s)) as limit:
            return Response(await asked, request, deadline)
    except TimeoutError:
        if not limit.expired():
            raise
    if left_s <= first_s:
        raise TimedOut(f"{origin} did not answer in time", origin=origin, phase="total")
    raise TimedOut(f"{origin} did not answer within {first_s:g} s", origin=origin, phase="first_byte")
