"""Joins the messages of a stream that wait while the one before them is on its way.

A model's answer comes in hundreds of small pieces. In process each costs next to nothing; over a
socket each is a gRPC message. Pieces that wait for a slow socket or reader lose nothing by
travelling together, and pieces that nobody waits for are sent at once, as they were.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from inspect import isawaitable
from typing import Any, Generic, NoReturn, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message as ProtobufMessage

from .server import Context

Message = TypeVar("Message", bound=ProtobufMessage)
Merge = Callable[[Message, Message], Message | None]
"""Returns two messages as one, in their order; None if they have to stay apart. It may change the first, so a
servicer whose messages are merged yields a new one each time."""
Merges = Mapping[str, Merge[Any]]
"""Merge by full method name, as "/hector.llm.v1.LLMProvider/StreamText"."""

AHEAD = 256
"""Messages read ahead of a slow reader, merged or not; then the producer waits."""
AHEAD_BYTES = 64 * 1024
"""What they may take, the last one left out: merging small ones into huge ones costs more than it saves."""

Handler = Any  # grpc's RpcMethodHandler, whose type does not know coroutines


async def coalesce(stream: AsyncIterator[Message], merge: Merge[Message]) -> AsyncIterator[Message]:
    """Read `stream` ahead of its reader, and hand over in one message what can be merged.

    What the stream raises comes after the messages before it. Leaving early closes the stream.
    """
    async with aclosing(_Ahead(merge).messages(stream)) as messages:
        async for message in messages:
            yield message


class Coalescing(grpc.aio.ServerInterceptor):
    """Coalesces the answers of the methods it has a merge for. Servicers know nothing of it.

    It stands innermost, so that what the others do when a servicer fails comes after its last message.
    """

    def __init__(self, merges: Merges) -> None:
        self._merges = dict(merges)
        self._made: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], handler_call_details: Any
    ) -> Handler:
        handler = await continuation(handler_call_details)
        merge = self._merges.get(handler_call_details.method)
        if merge is None or handler is None or not handler.response_streaming:
            return handler
        known, coalescing = self._made.get(handler_call_details.method, (None, None))
        if handler is not known:
            coalescing = grpc.unary_stream_rpc_method_handler(
                _coalesced(handler.unary_stream, merge),
                handler.request_deserializer,
                handler.response_serializer,
            )
            self._made[handler_call_details.method] = handler, coalescing
        return coalescing


def _coalesced(behavior: Callable[..., Any], merge: Merge[Any]) -> Any:
    async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
        ahead: _Ahead[Any] = _Ahead(merge)
        produced = behavior(request, _Patient(context, ahead))
        if isawaitable(produced):
            produced = await produced
            if produced is None:
                return  # it wrote its messages itself
        async with aclosing(ahead.messages(produced)) as messages:
            async for message in messages:
                yield message

    return stream


class _Ahead(Generic[Message]):
    """A stream's messages between a task that reads them and whoever wants them."""

    def __init__(self, merge: Merge[Message]) -> None:
        self._merge = merge
        self._waiting: deque[Message] = deque()
        self._read = 0  # messages in `waiting`, counted before they were merged
        self._read_bytes = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False
        self._handing_over = False

    async def messages(self, stream: AsyncIterator[Message]) -> AsyncGenerator[Message]:
        # A task begins with a copy of this context: with all that the interceptors outside have set.
        reading = asyncio.create_task(self._read_all(stream))
        try:
            while not (self._ended and not self._waiting):
                await self._changed.wait()
                self._changed.clear()
                while self._waiting:
                    message = self._waiting.popleft()
                    self._handing_over = True
                    yield message
                    self._handing_over = False
                self._read = self._read_bytes = 0
                self._room.set()
            await reading  # raises what the stream raised
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait((reading,))
            if not reading.cancelled():
                reading.exception()  # seen, if nobody is left to be told

    async def drained(self) -> None:
        """Wait until everything read so far was handed over, and its reader came back for more."""
        while self._waiting or self._handing_over:
            self._room.clear()
            await self._room.wait()

    async def _read_all(self, stream: Any) -> None:
        try:
            async with aclosing(stream):
                async for message in stream:
                    for one in message if type(message) is list else (message,):
                        self._keep(one)
                    if self._read >= AHEAD or self._read_bytes >= AHEAD_BYTES:
                        self._room.clear()
                        await self._room.wait()
        finally:
            self._ended = True
            self._changed.set()

    def _keep(self, message: Message) -> None:
        self._read += 1
        self._read_bytes += message.ByteSize()
        self._changed.set()
        if self._waiting:
            merged = self._merge(self._waiting[-1], message)
            if merged is not None:
                self._waiting[-1] = merged
                return
        self._waiting.append(message)


class _Patient:
    """A servicer's context that says its last word only when everything before it was said."""

    def __init__(self, context: Context, ahead: _Ahead[Any]) -> None:
        self._context = context
        self._ahead = ahead

    async def abort(self, *details: Any, **more: Any) -> NoReturn:
        await self._ahead.drained()
        await self._context.abort(*details, **more)

    async def abort_with_status(self, status: Any) -> NoReturn:
        await self._ahead.drained()
        await self._context.abort_with_status(status)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)
