"""The two shapes of a local call: awaited for one message, or read for many, as grpc.aio's calls are."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc import StatusCode
from grpc.aio import EOF, UsageError

from .local_call import CANCELLED, EXPIRED, Ending, LocalCall
from .local_context import LocalContext, Pair

WINDOW = 16
"""Messages a servicer may stream ahead of its reader."""

Request = TypeVar("Request")
Response = TypeVar("Response")


class LocalUnaryCall(LocalCall, grpc.aio.UnaryUnaryCall[Request, Response]):
    """A call with one answer. Await it as often as you like."""

    _wire: bytes | None = None
    _answer: Response

    def take(self, message: bytes) -> None:  # one message fits always
        self._wire = message

    def __await__(self) -> Generator[None, None, Response]:
        if self._ending is None:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiters = (*self._waiters, waiter)
            try:
                yield from waiter
            except asyncio.CancelledError:
                self.cancel()  # the caller's cancellation is the servicer's
                raise
        assert self._ending is not None
        self._raise_for_status(self._ending)
        if self._wire is not None:
            self._answer = self._decode(self._wire)
            self._wire = None
        return self._answer


class LocalStreamCall(LocalCall, grpc.aio.UnaryStreamCall[Request, Response]):
    """A call with many answers. Like on the wire, it has ended when the last of them was read."""

    _reader: asyncio.Future[None] | None = None
    _writer: asyncio.Future[None] | None = None
    _last: Ending | None = None
    _style = ""
    _exhausted = False

    def __init__(self, *args: Any) -> None:
        self._queue: list[bytes] = []  # of WINDOW at most; a deque takes ten times the memory
        super().__init__(*args)

    def __aiter__(self) -> AsyncIterator[Response]:
        self._use("iteration")
        return self

    async def __anext__(self) -> Response:
        if self._exhausted:
            raise StopAsyncIteration
        try:
            if not self._queue:
                await self._arrival()
            message = self._pop()
            if message is None:
                assert self._ending is not None
                self._raise_for_status(self._ending)
                raise StopAsyncIteration
        except BaseException:
            self._exhausted = True  # the end stays the end, however often it is read
            raise
        response: Response = self._decode(message)
        return response

    async def read(self) -> Any:
        if self._ending is None:
            self._use("read()")
            if not self._queue:
                await self._arrival()
            message = self._pop()
            if message is not None:
                return self._decode(message)
        assert self._ending is not None
        self._raise_for_status(self._ending)
        return EOF

    def ready(self) -> list[Response]:
        """Return the messages that have arrived and were not read yet; grpc has nothing like it."""
        waiting = self._queue
        if not waiting:
            return []
        self._queue = []
        self._taken()
        return list(map(self._decode, waiting))

    def take(self, message: bytes) -> asyncio.Future[None] | None:
        self._queue.append(message)
        reader = self._reader
        if reader is not None and not reader.done():
            reader.set_result(None)
        if len(self._queue) < WINDOW:
            return None
        self._writer = self._loop.create_future()
        return self._writer

    def take_status(self, code: StatusCode, details: str, trailers: tuple[Pair, ...]) -> None:
        if self._queue:
            self._last = Ending(code, details, trailers)
        else:
            super().take_status(code, details, trailers)

    def _pop(self) -> bytes | None:
        if not self._queue:
            return None
        message = self._queue.pop(0)
        self._taken()
        return message

    def _taken(self) -> None:
        """Let the servicer say more, now that there is room; or end with what was read last."""
        if self._writer is not None and len(self._queue) < WINDOW // 2:
            if not self._writer.done():
                self._writer.set_result(None)
            self._writer = None
        if self._last is not None and not self._queue:
            self._end(self._last)

    async def _arrival(self) -> None:
        if self._ending is not None:
            return
        if self._reader is not None:
            message = "a stream has one reader at a time"
            raise UsageError(message)
        self._reader = self._loop.create_future()
        try:
            await self._reader
        except asyncio.CancelledError:
            self.cancel()  # the reader's cancellation is the servicer's
            raise
        finally:
            self._reader = None

    def _end(self, ending: Ending) -> None:
        if ending is CANCELLED or ending is EXPIRED:
            self._queue.clear()
        super()._end(ending)
        self._wake_reader()

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _use(self, style: str) -> None:
        if self._style and self._style != style:
            message = f"a stream is read by {self._style} or by {style}, not by both"
            raise UsageError(message)
        self._style = style


class _Nobody:
    """Serves calls that nobody is to be bothered with."""

    def __init__(self) -> None:
        self.serving: set[asyncio.Task[None]] = set()

    async def serve(self, method: str, request: bytes, context: LocalContext) -> None:
        """Do nothing."""


def out_of_time(shape: str, method: str, metadata: Any) -> Any:
    """Return a call of a shape that has met its deadline."""
    make = LocalUnaryCall if shape == "unary_unary" else LocalStreamCall
    call: Any = make(_Nobody(), method, b"", 0.0, metadata, bytes)
    call._expire()
    return call
