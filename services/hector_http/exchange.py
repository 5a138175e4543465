"""One question on a connection, and its answer: from bytes to status, headers and body."""

import asyncio
import zlib
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from hector_http.errors import BrokeOff, HttpError, Unreachable
from hector_http.headers import Headers
from hector_http.targets import Target
from hector_http.unpacking import Unpacking, unpacking

MAX_FIELD_BYTES = 8190
MAX_HEAD_BYTES = 256 * 1024
ENOUGH_BYTES = 256 * 1024
"""With so much waiting to be taken, the server has to wait too."""


class Line(Protocol):
    """The connection, as an exchange sees it."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def part(self, exchange: "Exchange") -> None: ...


class Exchange:
    """Reads one answer (an `Arriving`); the methods that begin with `on_` are what its parser calls."""

    __slots__ = (
        "_broken",
        "_head_bytes",
        "_held_bytes",
        "_line",
        "_method",
        "_parser",
        "_paused",
        "_pieces",
        "_unpacking",
        "_until_close",
        "_waiter",
        "begun",
        "headers",
        "heard",
        "keeps_alive",
        "on_body",
        "origin",
        "over",
        "status",
        "url",
    )

    def __init__(self, target: Target, method: str, line: Line) -> None:
        self.origin, self.url = target.origin, target.url
        self.status = 0
        self.headers = Headers()
        self.heard = False
        """Anything at all has come."""
        self.begun = False
        """The headers of the answer have come."""
        self.over = False
        self.keeps_alive = False
        """The connection can be used again."""
        self._method, self._line = method, line
        self._broken: HttpError | None = None
        self._pieces: list[bytes] = []
        self._unpacking: Unpacking | None = None
        self._head_bytes = self._held_bytes = 0
        self._until_close = self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self.on_body = self._pieces.append  # no call of Python for each of many small chunks
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        # What servers do that do not know the standard by heart; aiohttp allows the same.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    @property
    def waits(self) -> bool:
        return bool(self._pieces) or (self._unpacking is not None and self._unpacking.waits)

    async def head(self) -> None:
        """Wait for status and headers.

        Raises:
            HttpError: The connection ended before that, or what came is not HTTP.
        """
        while not self.begun:
            await self._something()

    async def arrival(self) -> None:
        while not (self.waits or self.over):
            await self._something()

    def taken(self) -> bytes:
        pieces = self._pieces
        whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._held_bytes = 0
        if self._unpacking is not None:
            whole = self._unpacked(whole)
        if self._paused and not self.waits:
            self._paused = False
            self._line.resume()
        return whole

    def close(self) -> None:
        self._parser = None  # it refers back to us
        self._line.part(self)

    # What the connection tells.

    def feed(self, data: bytes) -> None:
        """Take what the server sent."""
        self.heard = True
        if self.over or self._broken is not None or self._parser is None:
            self.keeps_alive = False  # nobody asked for this
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self.keeps_alive = False
            if self.begun and not self.over:
                self._break(self._cut_off())
            elif not self.over:
                self._break(HttpError(f"{self.origin} does not answer in HTTP", origin=self.origin))
        if not self.begun:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._break(HttpError(f"{self.origin} does not answer in HTTP", origin=self.origin))
        self._held_bytes += len(data)
        if self._held_bytes > ENOUGH_BYTES and self._pieces and not self._paused and not self.over:
            self._paused = True
            self._line.pause()
        self._wake()

    def end(self, *, clean: bool) -> None:
        """Take note that nothing more will come."""
        self.keeps_alive = False
        if self.over:
            return
        if not self.begun:
            message = f"{self.origin} closed the connection without an answer"
            self._break(Unreachable(message, origin=self.origin, sent=True))
        elif clean and self._until_close:
            self.over = True
        else:
            self._break(self._cut_off())
        self._wake()

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self.over:
            raise ValueError("an answer to no question")  # ends the parsing; `feed` sees that all is here

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.begun:
            return  # a trailer
        if len(name) + len(value) > MAX_FIELD_BYTES:
            raise ValueError("a header beyond all bounds")
        self.headers.take(name, value)

    def on_headers_complete(self) -> None:
        parser, headers = self._parser, self.headers
        assert parser is not None
        self.status = parser.get_status_code()
        if self.status < 200:
            return
        coding = headers.get("transfer-encoding")
        self._until_close = (
            "content-length" not in headers if coding is None else not coding.lower().endswith("chunked")
        )
        if "content-encoding" in headers:
            try:
                self._unpacking = unpacking(headers["content-encoding"])
            except ValueError:
                message = f"{self.origin} packed its answer in a way that nobody asked for"
                self._break(HttpError(message, origin=self.origin))
                return
        self.begun = True
        if self._method == "HEAD":
            self.over = True  # and the parser waits for a body, so this is the connection's last answer

    def on_message_complete(self) -> None:
        if not self.begun:
            self.headers.clear()  # 1xx: the answer itself is still to come
        elif not self.over:
            assert self._parser is not None
            self.over = True
            self.keeps_alive = self._parser.should_keep_alive()

    # The rest is between these.

    async def _something(self) -> None:
        if self._broken is not None:
            raise self._broken
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _break(self, error: HttpError) -> None:
        if self._broken is None:
            self._broken = error

    def _cut_off(self) -> HttpError:
        return BrokeOff(f"{self.origin} ended its answer before it was complete", origin=self.origin)

    def _unpacked(self, packed: bytes) -> bytes:
        assert self._unpacking is not None
        try:
            return self._unpacking.feed(packed)
        except zlib.error:
            raise self._cut_off() from None
