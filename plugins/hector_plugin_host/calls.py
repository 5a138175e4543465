"""The two shapes of a call of a plugin, as grpc.aio's are: awaited for one message, or read for many."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc.aio import AioRpcError

from hector_mesh.one_way import ReadOneWay

from .call import PluginCall
from .closing import is_being_cancelled

Request = TypeVar("Request")
Response = TypeVar("Response")


class PluginUnaryCall(PluginCall, grpc.aio.UnaryUnaryCall[Request, Response]):
    """A call with one answer."""

    shape = "unary_unary"
    _answer: Any = None

    def __await__(self) -> Generator[None, None, Response]:
        if self._answer is not None:
            found: Response = self._answer
            return found
        rpc: Any = None
        while True:
            try:
                if self._rpc is None and not self._over:
                    yield from self._news().__await__()
                    continue
                if self._error is not None:
                    raise self._error
                if self._rpc is None:
                    raise asyncio.CancelledError
                rpc = self._rpc
                wire = yield from rpc.__await__()
            except asyncio.CancelledError:
                if is_being_cancelled() or self._cancelled:
                    self.cancel()  # the caller's cancellation is the plugin's
                    raise
                if self._rpc is not rpc or not self._over:
                    continue  # it is made once more
                told = yield from self._ending().__await__()
                raise told from None
            except AioRpcError as error:
                if error is self._error:
                    raise
                if self._rpc is not rpc or not self._over:
                    continue  # it is made once more
                told = yield from self._told(error).__await__()
                raise told from None
            self._answer = answer = self._decoded(wire)
            return answer  # type: ignore[no-any-return]  # what the stub's deserializer makes


class PluginStreamCall(PluginCall, ReadOneWay[Response], grpc.aio.UnaryStreamCall[Request, Response]):
    """A call with many answers. It stays with the process that it began with."""

    shape = "unary_stream"

    async def _read(self) -> AsyncIterator[Response]:
        while True:
            rpc = self._rpc
            try:
                if rpc is None and not self._over:
                    await self._news()
                    continue
                if self._error is not None:
                    raise self._error
                if rpc is None:
                    raise asyncio.CancelledError
                async for wire in rpc:
                    self._seen = True
                    yield self._decoded(wire)
            except asyncio.CancelledError:
                if is_being_cancelled() or self._cancelled:
                    self.cancel()  # the reader's cancellation is the plugin's
                    raise
                if self._rpc is not rpc or not self._over:
                    continue  # it is made once more
                raise await self._ending() from None
            except AioRpcError as error:
                if error is self._error:
                    raise
                if self._rpc is not rpc or not self._over:
                    continue  # it is made once more
                raise await self._told(error) from None
            if self._error is not None:
                raise self._error
            return
