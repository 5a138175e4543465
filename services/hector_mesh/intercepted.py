"""Client interceptors around a call of either transport.

grpc's own intercepted calls cannot tell the time remaining, lose what is cancelled before they
start, and leave a cancelled stream's interceptor hanging; a local call has none at all.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc import StatusCode
from grpc.aio import ClientCallDetails, Metadata

from .one_way import ReadOneWay

Request = TypeVar("Request")
Response = TypeVar("Response")
Start = Callable[..., Any]
"""Starts the call that is wrapped: (request, *, timeout, metadata) to a call."""


class _Intercepted:
    """A call that begins when its interceptors have let it through."""

    _channel = None
    """grpc.aio's channels look for their own calls in every task there is, and stumble over calls without."""

    _shape: type
    _intercept: str

    def __init__(
        self,
        start: Start,
        interceptors: Sequence[grpc.aio.ClientInterceptor],
        method: str,
        request: Any,
        timeout: float | None,
        metadata: Any,
    ) -> None:
        self._start = start
        self._chain = [each for each in interceptors if isinstance(each, self._shape)]
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._call: Any = None
        self._cancelled = False
        self._callbacks: list[Callable[[Any], None]] = []
        loop = asyncio.get_running_loop()
        self._started: asyncio.Future[Any] = loop.create_future()
        details = ClientCallDetails(method, timeout, Metadata(*(metadata or ())), None, None)
        self._answer = loop.create_task(self._proceed(0, details, request))
        self._answer.add_done_callback(self._answered)

    async def _proceed(self, position: int, details: ClientCallDetails, request: Any) -> Any:
        """Run the interceptors from `position` on, and then the call."""
        if position < len(self._chain):

            async def further(details: ClientCallDetails, request: Any) -> Any:
                return await self._proceed(position + 1, details, request)

            return await getattr(self._chain[position], self._intercept)(further, details, request)
        call = self._start(request, timeout=details.timeout, metadata=tuple(details.metadata or ()))
        self._call = call
        call.add_done_callback(self._ended)
        if self._cancelled:
            call.cancel()
        self._started.set_result(call)
        return call

    def _answered(self, answer: asyncio.Task[Any]) -> None:
        error = None if answer.cancelled() else answer.exception()
        if not self._started.done():  # an interceptor kept the call from starting
            if error is None:
                self._started.cancel()
            else:
                self._started.set_exception(error)
                self._started.exception()  # told to whoever asks; nobody has to

    def _ended(self, _: Any) -> None:
        for callback in self._callbacks:
            callback(self)
        self._callbacks.clear()

    def cancel(self) -> bool:
        if self._call is not None:
            cancelled: bool = self._call.cancel()
            return cancelled
        first, self._cancelled = not self._cancelled, True
        return first

    def cancelled(self) -> bool:
        return self._cancelled if self._call is None else bool(self._call.cancelled())

    def done(self) -> bool:
        return self._cancelled if self._call is None else bool(self._call.done())

    def time_remaining(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self.done():
            callback(self)
        else:
            self._callbacks.append(callback)

    async def initial_metadata(self) -> Metadata:
        metadata: Metadata = await (await self._begun()).initial_metadata()
        return metadata

    async def trailing_metadata(self) -> Metadata:
        metadata: Metadata = await (await self._begun()).trailing_metadata()
        return metadata

    async def code(self) -> StatusCode:
        code: StatusCode = await (await self._begun()).code()
        return code

    async def details(self) -> str:
        details: str = await (await self._begun()).details()
        return details

    async def debug_error_string(self) -> str:
        text: str = await (await self._begun()).debug_error_string()
        return text

    async def wait_for_connection(self) -> None:
        await (await self._begun()).wait_for_connection()

    async def _begun(self) -> Any:
        return await asyncio.shield(self._started)


class InterceptedUnaryCall(_Intercepted, grpc.aio.UnaryUnaryCall[Request, Response]):
    """A call with one answer."""

    _shape = grpc.aio.UnaryUnaryClientInterceptor
    _intercept = "intercept_unary_unary"

    def __await__(self) -> Generator[None, None, Response]:
        try:
            call = yield from asyncio.shield(self._answer).__await__()
            response: Response = yield from call.__await__()
        except asyncio.CancelledError:
            self.cancel()  # the caller's cancellation is the servicer's
            raise
        return response


class InterceptedStreamCall(_Intercepted, ReadOneWay[Response], grpc.aio.UnaryStreamCall[Request, Response]):
    """A call with many answers."""

    _shape = grpc.aio.UnaryStreamClientInterceptor
    _intercept = "intercept_unary_stream"
    _finishing: "asyncio.Task[None] | None" = None

    async def _read(self) -> AsyncIterator[Response]:
        try:
            async for message in await asyncio.shield(self._answer):
                yield message
        except asyncio.CancelledError:
            self.cancel()  # the reader's cancellation is the servicer's
            raise
        if self.cancelled():
            raise asyncio.CancelledError

    def _ended(self, _: Any) -> None:
        super()._ended(_)
        if self._call.cancelled():
            # An interceptor that wraps the messages learns of the end only when somebody reads on.
            self._finishing = asyncio.get_running_loop().create_task(self._finish())

    async def _finish(self) -> None:
        messages = await asyncio.shield(self._answer)
        if not getattr(messages, "ag_running", False) and messages is not self._call:
            async for _ in messages:
                pass
