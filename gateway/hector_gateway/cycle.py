"""One request on a connection, and the way of its answer: what uvicorn calls a cycle, without ASGI."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, Self, TypeVar

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from .errors import Headers

log = logging.getLogger(__name__)

CLOSE = (b"connection", b"close")
"""Said with the last answer on a connection."""
BODILESS = frozenset({204, 304})
"""Statuses of answers that have no body, and say nothing of its length."""


class ClientLeft(Exception):
    """The client closed the connection; there is nobody to answer."""


class Connection(Protocol):
    """Where a request came from."""

    transport: asyncio.Transport
    flow: FlowControl
    client: tuple[str, int] | None
    leaving: list[Callable[[], None]]
    """Who is told when the client closes the connection."""

    def on_response_complete(self) -> None:
        """Go on with what was asked meanwhile."""


class Cycle:
    """What is asked, its body as it arrives, and the means to answer it once, as a whole or piece by piece.

    An answer's head leaves with the beginning of its body, for uvloop makes a system call of each write.
    """

    is_arrived = disconnected = response_started = response_complete = False
    _body = _head = b""
    _invited = _chunked = _is_plain = False
    _waiter: asyncio.Future[None] | None = None

    def __init__(
        self,
        connection: Connection,
        verb: str,
        path: str,
        raw_path: bytes,
        query_string: bytes,
        http_version: str,
        headers: list[tuple[bytes, bytes]],
        always: Sequence[tuple[bytes, bytes]],
        keep_alive: bool,
    ) -> None:
        self.connection, self.transport, self._flow = connection, connection.transport, connection.flow
        self.verb, self.path, self.raw_path, self.query_string = verb, path, raw_path, query_string
        self.http_version, self.headers, self.always = http_version, headers, always
        self.keep_alive = keep_alive

    async def run(
        self, serve: Callable[[Self], Awaitable[None]], running: set["asyncio.Task[None]"] | None = None
    ) -> None:
        """Have it answered. An answer that is not whole ends with a broken connection.

        Args:
            serve: What answers.
            running: Tasks; at its end this one is no longer among them.
        """
        try:
            await serve(self)
        except Exception as error:  # the border: nobody above could answer, and other requests go on
            log.error("request could not be served", exc_info=error)
        finally:
            if not (self.response_complete or self.disconnected or self.transport.is_closing()):
                if self.response_started:
                    self.close()
                else:
                    plain = (b"content-type", b"text/plain; charset=utf-8")
                    await self.answer(500, (plain, CLOSE), b"Internal Server Error")
            if running is not None:  # a callback of the task would take a turn of the loop
                running.discard(asyncio.current_task())

    # What arrives

    def take(self, piece: bytes) -> int:
        """Keep a piece of the body, and return how many bytes nobody has read yet."""
        self._body += piece
        if self._waiter is not None:
            self._wake()
        return len(self._body)

    def arrived(self) -> None:
        """Take note that the body is whole."""
        self.is_arrived = True
        if self._waiter is not None:
            self._wake()

    def leave(self) -> None:
        """Take note that the client is gone."""
        if not self.response_complete:
            self.disconnected = True
        self._wake()

    async def piece(self) -> bytes:
        """Return what has come of the body since the last time; `is_arrived` says whether that is all.

        Raises:
            ClientLeft: Nothing more comes.
        """
        if not (self.is_arrived or self._body or self.disconnected):
            self._invite()
            self._flow.resume_reading()
            waiter = self._waiter = asyncio.get_running_loop().create_future()
            try:
                await waiter
            finally:
                self._waiter = None
        if self.disconnected or self.response_complete:
            raise ClientLeft
        piece, self._body = self._body, b""
        if self._flow.read_paused:
            self._flow.resume_reading()
        return piece

    def _invite(self) -> None:
        """Let the body come, where the client waits to be told."""
        expects = any(name == b"expect" and value.lower() == b"100-continue" for name, value in self.headers)
        if expects and not self._invited:
            self._invited = True
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The answer

    async def answer(self, status: int, headers: Headers, body: bytes, known: bytes = b"") -> None:
        """Send all of it. A HEAD request gets the headers only.

        Args:
            status: As HTTP has it.
            headers: What is said of it.
            body: The answer.
            known: Headers as they are sent, of which is known that they hold nothing that would end them.
        """
        if self._flow.write_paused:
            await self._room()
        if self.disconnected:
            return
        if status in BODILESS:
            end, body = b"\r\n", b""
        else:
            end = b"content-length: %d\r\n\r\n" % len(body)
        self._begin(status, known, headers, end)
        self._write(b"" if self.verb == "HEAD" else body)
        self._complete()

    async def begin(self, status: int, headers: Headers, known: bytes = b"") -> None:
        """Begin an answer that comes in pieces; see `answer`."""
        if self._flow.write_paused:
            await self._room()
        if not self.disconnected:
            end = b"\r\n"
            if self.verb != "HEAD":
                # HTTP/1.0 knows no chunks: its answer ends with its connection.
                self._is_plain = self.http_version == "1.0"
                self._chunked = not self._is_plain
                end = end if self._is_plain else b"transfer-encoding: chunked\r\n\r\n"
            self._begin(status, known, headers, end)

    async def send(self, piece: bytes, *, more: bool) -> None:
        """Send a piece, and the end behind the last one."""
        if self._flow.write_paused:
            await self._room()
        if self.disconnected:
            return
        self._write(self._chunk(piece, more=more))
        if not more:
            self._complete()

    def send_at_once(self, piece: bytes) -> bool:
        """Send a piece if that takes no waiting; false: the client does not read."""
        if self._flow.write_paused and not self.disconnected:
            return False
        if not self.disconnected:
            self._write(self._chunk(piece, more=True))
        return True

    def close(self) -> None:
        """Close the connection once everything was sent."""
        if self._head:
            self._write(b"")
        self.transport.close()

    async def _room(self) -> None:
        """Wait until the client reads on, or leaves."""
        if not self.disconnected:
            await self._flow.drain()

    def _begin(self, status: int, known: bytes, headers: Headers, end: bytes) -> None:
        """Make the head, and keep it for what follows."""
        if self.response_started:
            raise RuntimeError("the answer has begun already")
        self.response_started = True
        head = STATUS_LINE[status] + _spelled(self.always) + known
        if headers:
            more = b"".join([b"%b: %b\r\n" % header for header in headers])
            if not more.count(b"\n") == more.count(b"\r") == len(headers) or b"\0" in more:
                raise RuntimeError("a header holds what would end it")  # and begin what somebody else wrote
            head += more
        if CLOSE in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            head += b"connection: close\r\n"
        self._head = head + end

    def _chunk(self, piece: bytes, *, more: bool) -> bytes:
        if not self._chunked:
            return piece if self._is_plain else b""
        chunk = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
        return chunk if more else chunk + b"0\r\n\r\n"

    def _write(self, data: bytes) -> None:
        """Send data behind what was kept for it.

        What is written to a connection that broke is lost, as it would be a moment later: uvloop says so
        before it says that the connection broke.
        """
        if self._head:
            data, self._head = self._head + data, b""
        try:
            self.transport.write(data)
        except RuntimeError:
            if not self.transport.is_closing():
                raise

    def _complete(self) -> None:
        self.response_complete = True
        if self._waiter is not None:
            self._wake()
        if not self.keep_alive:
            self.transport.close()
        self.connection.on_response_complete()


_always: tuple[Sequence[tuple[bytes, bytes]], bytes] = ((), b"")


def _spelled(always: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return headers of every answer as they are sent; they are the same object for a second."""
    global _always
    last, spelled = _always
    if last is not always:
        spelled = b"".join([b"%b: %b\r\n" % header for header in always])
        _always = always, spelled
    return spelled


C = TypeVar("C", bound=Cycle)

Serve = Callable[[C], Awaitable[None]]
"""What answers requests: an application."""
