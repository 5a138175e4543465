"""The two shapes of a local call: awaited for one message, or read for many, as grpc.aio's calls are."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc.aio import EOF, UsageError

from .local_call import CANCELLED, EXPIRED, LocalCall
from .local_context import ENDED, WINDOW, Ending

Request = TypeVar("Request")
Response = TypeVar("Response")


class LocalUnaryCall(LocalCall, grpc.aio.UnaryUnaryCall[Request, Response]):
    """A call with one answer. Await it as often as you like."""

    _given: Any = None
    """The answer as bytes, or as a message where the servicer gave that away; None once it was asked for."""
    _answer: Response

    def answer(self, message: Any) -> None:
        self._given = message
        self._end(ENDED)

    def take(self, message: Any) -> None:  # one message fits always
        self._given = message

    def __await__(self) -> Generator[None, None, Response]:
        ending = self._ending
        if ending is None:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiters = (*self._waiters, waiter)
            try:
                yield from waiter
            except asyncio.CancelledError:
                self.cancel()  # the caller's cancellation is the servicer's
                raise
            ending = self._ending
            assert ending is not None
        if ending is not ENDED:
            self._raise_for_status(ending)
        given = self._given
        if given is not None:
            decode = self._decode
            self._answer = given if decode is None or type(given) is not bytes else decode(given)
            self._given = None
        return self._answer


class LocalStreamCall(LocalCall, grpc.aio.UnaryStreamCall[Request, Response]):
    """A call with many answers. Like on the wire, it has ended when the last of them was read."""

    _queue: Any = ()
    """What was said and not read: a list of WINDOW at most, since a deque takes ten times the memory."""
    _reader: asyncio.Future[None] | None = None
    _writer: asyncio.Future[None] | None = None
    _last: Ending | None = None
    _style = ""
    _exhausted = False

    def __aiter__(self) -> AsyncIterator[Response]:
        self._use("iteration")
        return self

    async def __anext__(self) -> Response:
        if self._exhausted:
            raise StopAsyncIteration
        try:
            if not self._queue and self._ending is None:
                await self._arrival()
            message: Any = self._pop()
            if message is None:
                assert self._ending is not None
                self._raise_for_status(self._ending)
                raise StopAsyncIteration
        except BaseException:
            self._exhausted = True  # the end stays the end, however often it is read
            raise
        decode = self._decode
        response: Response = message if decode is None else decode(message)
        return response

    async def read(self) -> Any:
        if self._ending is None:
            self._use("read()")
            if not self._queue:
                await self._arrival()
            message: Any = self._pop()
            if message is not None:
                return message if self._decode is None else self._decode(message)
        assert self._ending is not None
        self._raise_for_status(self._ending)
        return EOF

    def ready(self) -> list[Response]:
        """Return the messages that have arrived and were not read yet; grpc has nothing like it."""
        waiting = self._queue
        if not waiting:
            return []
        self._queue = ()
        if self._writer is not None or self._last is not None:
            self._taken()
        decode: Any = self._decode
        return waiting if decode is None else list(map(decode, waiting))

    def take(self, message: bytes) -> asyncio.Future[None] | None:
        queue = self._queue
        if not queue:
            self._queue = [message]
            if self._reader is not None:  # who waits only while there is nothing
                self._wake_reader()
            return None
        queue.append(message)
        return None if len(queue) < WINDOW else self._room()

    def take_together(self, messages: list[bytes]) -> asyncio.Future[None] | None:
        queue = self._queue
        if not queue:
            if not messages:
                return None
            self._queue = queue = messages
            if self._reader is not None:
                self._wake_reader()
        else:
            queue += messages
        return None if len(queue) < WINDOW else self._room()

    def _room(self) -> asyncio.Future[None]:
        self._writer = self._loop.create_future()
        return self._writer

    def take_end(self, ending: Ending) -> None:
        if self._queue:
            self._last = ending
        else:
            self._end(ending)

    def _pop(self) -> bytes | None:
        queue = self._queue
        if not queue:
            return None
        message: bytes = queue.pop(0)
        if self._writer is not None or self._last is not None:
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
            self._queue = ()
        super()._end(ending)
        if self._reader is not None:
            self._wake_reader()

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _use(self, style: str) -> None:
        if self._style and self._style != style:
            message = f"a stream is read by {self._style} or by {style}, not by both"
            raise UsageError(message)
        self._style = style


def out_of_time(shape: str) -> Any:
    """Return a call of a shape that has met its deadline."""
    call: Any = (LocalUnaryCall if shape == "unary_unary" else LocalStreamCall)(None, 0.0)
    call._expire()
    return call
