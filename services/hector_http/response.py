"""An answer, read as it comes."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hector_http.errors import BrokeOff, HttpError, TimedOut, TooLarge
from hector_http.incoming import arrival, taken
from hector_http.request import Request

if TYPE_CHECKING:
    from aiohttp import ClientResponse, StreamReader


class Response:
    """Status and headers of an answer, whose body is still on its way."""

    def __init__(
        self, answer: "ClientResponse", request: Request, deadline: float, failed: Callable[..., HttpError]
    ) -> None:
        self.status: int = answer.status
        self.headers: Mapping[str, str] = answer.headers
        """Names in any case."""
        self._answer = answer
        self._request = request
        self._deadline = deadline
        self._failed = failed
        self._taken_bytes = 0

    @property
    def origin(self) -> str:
        """Scheme, host and port of who answered, after redirects."""
        return str(self._answer.url.origin())

    @property
    def url(self) -> str:
        """The URL that was answered, after redirects."""
        return str(self._answer.url)

    async def read_some(self, within_s: float | None = None) -> bytes:
        """Return all bytes that have arrived, waiting for the first; nothing at the end.

        Args:
            within_s: Wait no longer than this, instead of the request's `stall_s`.

        Raises:
            BrokeOff: The connection ended before the body did. Everything before it has been handed out.
            TimedOut: The server stalled, or the deadline has passed.
            TooLarge: The body has more than the request's `max_body_bytes`.
        """
        from aiohttp import ClientError

        content = self._answer.content
        if content.at_eof():
            return b""  # also where there never is a body (204, 304): that reader of aiohttp's has no buffer
        if not content._buffer:
            try:
                await self._wait(content, within_s)
            except ClientError as error:
                if not content._buffer:
                    raise self._failed(error, lost=BrokeOff) from error
        piece = taken(content)
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
        return b"".join(pieces)

    async def finish(self, within_s: float) -> None:
        """Wait a moment for an end that carries nothing, so that the connection can be used again."""
        content = self._answer.content
        if not content.at_eof():
            try:
                async with asyncio.timeout(within_s):
                    while await self.read_some():
                        pass
            except (TimeoutError, HttpError):
                pass  # close() gives the connection up

    def close(self) -> None:
        """Close the connection, unless the body was read to its end: then it goes back to the pool."""
        self._answer.close()

    async def _wait(self, content: "StreamReader", within_s: float | None) -> None:
        left_s = self._deadline - time.monotonic()
        stall_s = self._request.timeouts.stall_s if within_s is None else within_s
        try:
            async with asyncio.timeout(min(left_s, stall_s)) as limit:
                await arrival(content)
        except TimeoutError:
            if not limit.expired():
                raise
            if left_s <= stall_s:
                message, phase = f"{self.origin} did not finish in time", "total"
            else:
                message, phase = f"{self.origin} sent nothing for {stall_s:g} s", "stall"
            raise TimedOut(message, origin=self.origin, phase=phase) from None
