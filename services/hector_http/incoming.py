"""An answer that comes by aiohttp, as `Arriving`.

What lies in aiohttp's buffer is taken in one go. Its own `readany` hands chunks out one by one, and raises an
error before it hands out the bytes that came with it. Both are avoided by looking at the buffer, a plain
deque of bytes; everything else is left to aiohttp.
"""

from collections.abc import Mapping

from aiohttp import ClientError, ClientResponse

from hector_http.errors import BrokeOff
from hector_http.failures import translated


class Incoming:
    """Reads from a response of aiohttp."""

    def __init__(self, answer: ClientResponse) -> None:
        self.status: int = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self.url = str(answer.url)
        self.origin = str(answer.url.origin())
        self._answer = answer

    @property
    def waits(self) -> bool:
        # Where there never is a body (204, 304) that reader of aiohttp's has no buffer.
        return not self.over and bool(self._answer.content._buffer)

    @property
    def over(self) -> bool:
        return self._answer.content.at_eof()

    async def arrival(self) -> None:
        content = self._answer.content
        try:
            while not content._buffer and not content._eof:
                error = content.exception()
                if error is not None:
                    raise error
                await content._wait("arrival")
        except ClientError as error:
            if not content._buffer:
                raise translated(error, self._answer.url, lost=BrokeOff) from error

    def taken(self) -> bytes:
        content = self._answer.content
        buffer = content._buffer
        if len(buffer) > 1:
            whole = b"".join(buffer)
            buffer.clear()
            buffer.append(whole)
        return content._read_nowait(-1)

    def close(self) -> None:
        self._answer.close()
