"""The caller's side of a local call: what both shapes have in common."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context
from typing import Any, Protocol

from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from .call import ROOT, Call, Cancellable
from .local_context import ENDED, Ending, LocalContext, Pair


class Serving(Protocol):
    """Who runs servicers, and knows the calls they run for."""

    serving: "set[LocalCall]"
    """The calls whose servicers have not ended."""

    def serve(self, method: str, request: bytes, context: LocalContext) -> Coroutine[Any, Any, None]:
        """Return what runs one method to its end."""


CANCELLED = Ending(StatusCode.CANCELLED, "Locally cancelled by application!")
EXPIRED = Ending(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
STOPPED = Ending(StatusCode.UNAVAILABLE, "the server was stopped")


class LocalCall:
    """What both shapes of call share: status, metadata, callbacks, cancellation, deadline."""

    _channel = None
    """grpc.aio's channels look for their own calls in every task there is, and stumble over calls without."""

    # As it is at first, in most calls also at last: in the class, since there are several calls per answer.
    has_left = False
    _ending: Ending | None = None
    _initial: tuple[Pair, ...] | None = None
    _cancelled_here = False
    _timer: asyncio.TimerHandle | None = None
    _deadline: float | None = None
    _waiters: tuple[asyncio.Future[None], ...] = ()
    _initial_waiters: tuple[asyncio.Future[None], ...] = ()
    _callbacks: tuple[Callable[[Any], None], ...] = ()
    _siblings: set[Cancellable] | None = None
    """The children of the call that this one is a child of, while it is one of them."""
    _server: Serving
    task: asyncio.Task[None] | None = None
    """What serves it; None once that has ended, or call and task would keep each other for the collector."""

    def __init__(
        self,
        decode: Callable[[bytes], Any] | None,
        timeout: float | None,
        server: Serving | None = None,
        method: str = "",
        request: bytes = b"",
        metadata: Any = None,
        parent: Call | None = None,
        instance: str = "",
    ) -> None:
        """Begin a call.

        Args:
            decode: Makes a message of bytes; None: they are what the caller wants.
            timeout: The seconds it may take; None: as many as it likes.
            server: Serves it; None: nobody does.
            method: As "/package.Service/Method".
            request: As it travels.
            metadata: What is said beside it.
            parent: In whose place it is made, where that is known without reading metadata.
            instance: The configured entry it is for; beside `parent`.
        """
        self._decode = decode
        self._loop = loop = asyncio.get_running_loop()
        if timeout is not None:
            self._deadline = time.monotonic() + timeout
            self._timer = loop.call_later(timeout, self._expire)
        if server is not None:
            self._server = server
            server.serving.add(self)
            if parent is not None and parent is not ROOT:
                self._siblings = siblings = parent.children
                siblings.add(self)
            context = LocalContext(self, self._deadline, metadata, parent, instance)
            # An empty Context: only metadata crosses over, exactly as between two processes.
            self.task = loop.create_task(server.serve(method, request, context), context=Context())

    def stop_serving(self) -> "asyncio.Task[None] | None":
        """Cancel what serves it, and return that; None if it has ended."""
        task = self.task
        if task is not None:
            task.cancel()
            task.add_done_callback(self._never_served)
        return task

    # As grpc.aio.Call

    def cancel(self) -> bool:
        if self._ending is not None:
            return False
        self._cancelled_here = True
        self._end(CANCELLED)
        self.stop_serving()
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

    def take(self, message: Any) -> asyncio.Future[None] | None:
        raise NotImplementedError

    def take_together(self, messages: list[bytes]) -> asyncio.Future[None] | None:
        raise NotImplementedError

    def takes(self, message: Any) -> bool:
        return self._decode is not None and self._decode == getattr(type(message), "FromString", None)

    def answer(self, message: Any) -> None:
        raise NotImplementedError

    def take_initial_metadata(self, pairs: tuple[Pair, ...]) -> None:
        if self._initial is None:
            self._initial = pairs
            if self._initial_waiters:
                self._wake_initial()

    def take_end(self, ending: Ending) -> None:
        self._end(ending)

    def stopped(self) -> None:
        self._end(STOPPED)  # unless it ended before: then it was cancelled for that

    def served(self) -> None:
        self.task = None
        self._server.serving.discard(self)

    # Inside

    def _end(self, ending: Ending) -> None:
        if self._ending is not None:
            return
        self._ending, self.has_left = ending, True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._siblings is not None:
            self._siblings.discard(self)
            self._siblings = None
        if self._initial_waiters:
            self._wake_initial()
        if self._waiters:
            waiters, self._waiters = self._waiters, ()
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        if self._callbacks:
            callbacks, self._callbacks = self._callbacks, ()
            for callback in callbacks:
                callback(self)

    def _expire(self) -> None:
        self._end(EXPIRED)
        self.stop_serving()

    def _never_served(self, _: object) -> None:
        if self.task is not None:  # cancelled before its first step, it could not say so itself
            self.stopped()
            self.served()

    def _wake_initial(self) -> None:
        waiters, self._initial_waiters = self._initial_waiters, ()
        wake(waiters)

    async def _begun(self) -> None:
        if self._initial is None and self._ending is None:
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
        if ending is ENDED:
            return
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
