"""A call over a socket that says which role it could not reach."""

from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

Request = TypeVar("Request")
Response = TypeVar("Response")
Rename = Callable[[AioRpcError], AioRpcError]


class _WireCall:
    """Passes everything on to grpc's own call, and its failure through `rename`."""

    _channel = None
    """grpc.aio's channels look for their own calls in every task there is, and stumble over calls without."""

    def __init__(self, rpc: Any, rename: Rename) -> None:
        self._rpc = rpc
        self._rename = rename
        self._renamed: AioRpcError | None = None

    def cancel(self) -> bool:
        cancelled: bool = self._rpc.cancel()
        return cancelled

    def cancelled(self) -> bool:
        cancelled: bool = self._rpc.cancelled()
        return cancelled

    def done(self) -> bool:
        done: bool = self._rpc.done()
        return done

    def time_remaining(self) -> float | None:
        remaining: float | None = self._rpc.time_remaining()
        return remaining

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._rpc.add_done_callback(lambda _: callback(self))

    async def initial_metadata(self) -> Metadata:
        metadata: Metadata = await self._rpc.initial_metadata()
        return metadata

    async def trailing_metadata(self) -> Metadata:
        return (await self._ended()).trailing_metadata() or Metadata()

    async def code(self) -> StatusCode:
        return (await self._ended()).code()

    async def details(self) -> str:
        return (await self._ended()).details() or ""

    async def debug_error_string(self) -> str:
        return (await self._ended()).debug_error_string() or ""

    async def wait_for_connection(self) -> None:
        try:
            await self._rpc.wait_for_connection()
        except AioRpcError as error:
            raise self._told(error) from error

    async def _ended(self) -> AioRpcError:
        """Return the call's end, which may well be OK, as callers are told it."""
        if self._renamed is None:
            rpc = self._rpc
            code, details, trailers = await rpc.code(), await rpc.details(), await rpc.trailing_metadata()
            self._told(
                AioRpcError(
                    code, await rpc.initial_metadata(), trailers, details, await rpc.debug_error_string()
                )
            )
        assert self._renamed is not None
        return self._renamed

    def _told(self, error: AioRpcError) -> AioRpcError:
        # Once: whether there is a connection is another matter a second later.
        if self._renamed is None:
            self._renamed = self._rename(error)
        return self._renamed


class WireUnaryCall(_WireCall, grpc.aio.UnaryUnaryCall[Request, Response]):
    """A call with one answer."""

    def __await__(self) -> Generator[None, None, Response]:
        try:
            response: Response = yield from self._rpc.__await__()
        except AioRpcError as error:
            raise self._told(error) from error
        return response


class WireStreamCall(_WireCall, grpc.aio.UnaryStreamCall[Request, Response]):
    """A call with many answers."""

    _messages: AsyncIterator[Response] | None = None

    def __aiter__(self) -> AsyncIterator[Response]:
        iterator = self._rpc.__aiter__()  # complains at once if read() was used before
        if self._messages is None:
            self._messages = self._read(iterator)
        return self._messages

    async def _read(self, iterator: AsyncIterator[Response]) -> AsyncIterator[Response]:
        try:
            async for message in iterator:
                yield message
        except AioRpcError as error:
            raise self._told(error) from error

    async def read(self) -> Any:
        try:
            return await self._rpc.read()
        except AioRpcError as error:
            raise self._told(error) from error
