"""The caller's side of a local call: awaited for one message, iterated for many, as grpc.aio's calls are."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from contextvars import Context
from typing import Any, NamedTuple, Protocol, TypeVar

import grpc
import grpc.aio
from grpc import StatusCode
from grpc.aio import EOF, AioRpcError, Metadata, UsageError

from .local_context import LocalContext, Pair, pairs_of

WINDOW = 16
"""Messages a servicer may stream ahead of its reader."""

Request = TypeVar("Request")
Response = TypeVar("Response")


class Serving(Protocol):
    """Who runs servicers and owns the tasks they run in."""

    async def serve(self, method: str, request: bytes, context: LocalContext) -> None:
        """Run one method to its end."""

    def owns(self, task: asyncio.Task[None]) -> None:
        """Keep a task until it ends."""

    def disowns(self, task: asyncio.Task[None]) -> None:
        """Forget a task that has ended."""


class Ending(NamedTuple):
    """How a call ended."""

    code: StatusCode
    details: str
    trailers: tuple[Pair, ...] = ()


CANCELLED = Ending(StatusCode.CANCELLED, "Locally cancelled by application!")
EXPIRED = Ending(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
STOPPED = Ending(StatusCode.UNAVAILABLE, "the server was stopped")


class _LocalCall:
    """What both shapes of call share: status, metadata, callbacks, cancellation, deadline."""

    def __init__(
        self,
        server: Serving,
        method: str,
        request: bytes,
        timeout: float | None,
        metadata: Any,
        decode: Callable[[bytes], Any],
    ) -> None:
        self._server = server
        self._decode = decode
        self._loop = loop = asyncio.get_running_loop()
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._ending: Ending | None = None
        self._initial: tuple[Pair, ...] | None = None
        self._cancelled_here = False
        self._waiters: list[asyncio.Future[None]] = []
        self._initial_waiters: list[asyncio.Future[None]] = []
        self._callbacks: list[Callable[[Any], None]] = []
        self._timer = None if timeout is None else loop.call_later(timeout, self._expire)
        self._context = LocalContext(self, pairs_of(metadata), self._deadline)
        # An empty Context: only metadata crosses over, exactly as between two processes.
        self._task = loop.create_task(server.serve(method, request, self._context), context=Context())
        server.owns(self._task)
        self._task.add_done_callback(self._served)

    # As grpc.aio.Call

    def cancel(self) -> bool:
        if self._ending is not None:
            return False
        self._cancelled_here = True
        self._end(CANCELLED)
        self._task.cancel()
        return True

    def cancelled(self) -> bool:
        return self._ending is not None and self._ending.code is StatusCode.CANCELLED

    def done(self) -> bool:
        return self._ending is not None

    def time_remaining(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self._ending is not None:
            callback(self)
        else:
            self._callbacks.append(callback)

    async def initial_metadata(self) -> Metadata:
        if self._initial is None:
            await self._wait(self._initial_waiters)
        return Metadata(*(self._initial or ()))

    async def trailing_metadata(self) -> Metadata:
        return Metadata(*(await self._ended()).trailers)

    async def code(self) -> StatusCode:
        return (await self._ended()).code

    async def details(self) -> str:
        return (await self._ended()).details

    async def debug_error_string(self) -> str:
        return (await self._ended()).details

    async def wait_for_connection(self) -> None:
        if self._initial is None:
            await self._wait(self._initial_waiters)
        if self._ending is not None:
            self._raise_for_status(self._ending)

    # As local_context.Caller

    def take(self, message: bytes) -> asyncio.Future[None] | None:
        raise NotImplementedError

    def take_initial_metadata(self, pairs: tuple[Pair, ...]) -> None:
        if self._initial is None:
            self._initial = pairs
            _wake(self._initial_waiters)

    def take_status(self, code: StatusCode, details: str, trailers: tuple[Pair, ...]) -> None:
        self._end(Ending(code, details, trailers))

    # Inside

    def _end(self, ending: Ending) -> None:
        if self._ending is not None:
            return
        self._ending = ending
        if self._timer is not None:
            self._timer.cancel()
        self.take_initial_metadata(())
        _wake(self._waiters)
        for callback in self._callbacks:
            callback(self)
        self._callbacks.clear()

    def _expire(self) -> None:
        self._end(EXPIRED)
        self._task.cancel()

    def _served(self, task: asyncio.Task[None]) -> None:
        self._server.disowns(task)
        if task.cancelled():
            self._end(STOPPED)  # unless it ended before: then it was cancelled for that
        elif error := task.exception():
            self._end(Ending(StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}"))
        self._context.ended()

    async def _ended(self) -> Ending:
        if self._ending is None:
            await self._wait(self._waiters)
        assert self._ending is not None
        return self._ending

    async def _wait(self, waiters: list[asyncio.Future[None]]) -> None:
        waiters.append(waiter := self._loop.create_future())
        await waiter

    def _raise_for_status(self, ending: Ending) -> None:
        if self._cancelled_here:
            raise asyncio.CancelledError
        if ending.code is not StatusCode.OK:
            raise AioRpcError(
                ending.code, Metadata(*(self._initial or ())), Metadata(*ending.trailers), ending.details
            )


class LocalUnaryCall(_LocalCall, grpc.aio.UnaryUnaryCall[Request, Response]):
    """A call with one answer. Await it as often as you like."""

    _wire: bytes | None = None
    _answer: Response

    def take(self, message: bytes) -> None:  # one message fits always
        self._wire = message

    def __await__(self) -> Generator[None, None, Response]:
        if self._ending is None:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiters.append(waiter)
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


class LocalStreamCall(_LocalCall, grpc.aio.UnaryStreamCall[Request, Response]):
    """A call with many answers. Like on the wire, it has ended when the last of them was read."""

    def __init__(self, *args: Any) -> None:
        self._queue: deque[bytes] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._last: Ending | None = None
        self._style = ""
        self._exhausted = False
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

    def take(self, message: bytes) -> asyncio.Future[None] | None:
        self._queue.append(message)
        self._wake_reader()
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
        message = self._queue.popleft()
        if self._writer is not None and len(self._queue) < WINDOW // 2:
            if not self._writer.done():
                self._writer.set_result(None)
            self._writer = None
        if self._last is not None and not self._queue:
            self._end(self._last)
        return message

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


def _wake(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
    waiters.clear()


class _Nobody:
    """Serves calls that nobody is to be bothered with."""

    async def serve(self, method: str, request: bytes, context: LocalContext) -> None:
        pass

    def owns(self, task: asyncio.Task[None]) -> None:
        pass

    def disowns(self, task: asyncio.Task[None]) -> None:
        pass


def out_of_time(shape: str, method: str, metadata: Any) -> Any:
    """Return a call of a shape that has met its deadline."""
    make = LocalUnaryCall if shape == "unary_unary" else LocalStreamCall
    call: Any = make(_Nobody(), method, b"", 0.0, metadata, bytes)
    call._expire()
    return call
