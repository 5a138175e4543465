"""The caller's side of a local call: what both shapes have in common."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context
from functools import partial
from typing import Any, NamedTuple, Protocol

from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from .local_context import LocalContext, Pair


class Serving(Protocol):
    """Who runs servicers and owns the tasks they run in."""

    serving: set[asyncio.Task[None]]
    """The tasks that have not ended."""

    def serve(self, method: str, request: bytes, context: LocalContext) -> Coroutine[Any, Any, None]:
        """Return what runs one method to its end."""


class Ending(NamedTuple):
    """How a call ended."""

    code: StatusCode
    details: str
    trailers: tuple[Pair, ...] = ()


CANCELLED = Ending(StatusCode.CANCELLED, "Locally cancelled by application!")
EXPIRED = Ending(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
STOPPED = Ending(StatusCode.UNAVAILABLE, "the server was stopped")


class LocalCall:
    """What both shapes of call share: status, metadata, callbacks, cancellation, deadline."""

    _channel = None
    """grpc.aio's channels look for their own calls in every task there is, and stumble over calls without."""

    # As it is at first, in most calls also at last: in the class, since there are several calls per answer.
    _ending: Ending | None = None
    _initial: tuple[Pair, ...] | None = None
    _cancelled_here = False
    _timer: asyncio.TimerHandle | None = None
    _deadline: float | None = None
    _waiters: tuple[asyncio.Future[None], ...] = ()
    _initial_waiters: tuple[asyncio.Future[None], ...] = ()
    _callbacks: tuple[Callable[[Any], None], ...] = ()
    _task: asyncio.Task[None] | None
    """What serves it; None once that has ended, or call and task would keep each other for the collector."""

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
        if timeout is not None:
            self._deadline = time.monotonic() + timeout
            self._timer = loop.call_later(timeout, self._expire)
        context = LocalContext(self, metadata, self._deadline)
        # An empty Context: only metadata crosses over, exactly as between two processes.
        self._task = task = loop.create_task(server.serve(method, request, context), context=Context())
        server.serving.add(task)
        task.add_done_callback(partial(self._served, context))

    # As grpc.aio.Call

    def cancel(self) -> bool:
        if self._ending is not None:
            return False
        self._cancelled_here = True
        self._end(CANCELLED)
        self._stop_serving()
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
            self._callbacks = (*self._callbacks, callback)

    async def initial_metadata(self) -> Metadata:
        await self._begun()
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
        await self._begun()
        if self._ending is not None:
            self._raise_for_status(self._ending)

    # As local_context.Caller

    def take(self, message: bytes) -> asyncio.Future[None] | None:
        raise NotImplementedError

    def take_initial_metadata(self, pairs: tuple[Pair, ...]) -> None:
        if self._initial is None:
            self._initial = pairs
            if self._initial_waiters:
                waiters, self._initial_waiters = self._initial_waiters, ()
                wake(waiters)

    def take_status(self, code: StatusCode, details: str, trailers: tuple[Pair, ...]) -> None:
        self._end(Ending(code, details, trailers))

    # Inside

    def _end(self, ending: Ending) -> None:
        if self._ending is not None:
            return
        self._ending = ending
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._initial is None:
            self.take_initial_metadata(())
        if self._waiters:
            waiters, self._waiters = self._waiters, ()
            wake(waiters)
        if self._callbacks:
            callbacks, self._callbacks = self._callbacks, ()
            for callback in callbacks:
                callback(self)

    def _expire(self) -> None:
        self._end(EXPIRED)
        self._stop_serving()

    def _stop_serving(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _served(self, context: LocalContext, task: asyncio.Task[None]) -> None:
        self._server.serving.discard(task)
        self._task = None
        if task.cancelled():
            self._end(STOPPED)  # unless it ended before: then it was cancelled for that
        elif error := task.exception():
            self._end(Ending(StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}"))
        if context.callbacks:
            context.ended()

    async def _begun(self) -> None:
        if self._initial is None:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._initial_waiters = (*self._initial_waiters, waiter)
            await waiter

    async def _ended(self) -> Ending:
        if self._ending is None:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiters = (*self._waiters, waiter)
            await waiter
        assert self._ending is not None
        return self._ending

    def _raise_for_status(self, ending: Ending) -> None:
        if self._cancelled_here:
            raise asyncio.CancelledError
        if ending.code is not StatusCode.OK:
            raise AioRpcError(
                ending.code, Metadata(*(self._initial or ())), Metadata(*ending.trailers), ending.details
            )


def wake(waiters: Iterable[asyncio.Future[None]]) -> None:
    """Let everybody who waits go on."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
