"""The servicer's side of a local call: grpc.aio.ServicerContext, and what runs the servicer under it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from math import inf
from typing import Any, NamedTuple, NoReturn, Protocol

import grpc
import grpc.aio
from grpc import StatusCode
from grpc.aio import AbortError, InternalError, UsageError

from .call import Call, Carried

log = logging.getLogger(__name__)

Handler = Any  # grpc's RpcMethodHandler, whose type does not know coroutines


class Pair(NamedTuple):
    """One item of metadata, as servicers see it on the wire."""

    key: str
    value: str | bytes


class Caller(Protocol):
    """Where a servicer's answer goes: the other side of the call."""

    def take_initial_metadata(self, pairs: tuple[Pair, ...]) -> None:
        """Take what the servicer sent ahead of its first message."""

    def take(self, message: bytes) -> asyncio.Future[None] | None:
        """Take a message; the future, if any, is done when the next one may come."""

    def take_status(self, code: StatusCode, details: str, trailers: tuple[Pair, ...]) -> None:
        """Take the end. The first one counts."""

    def done(self) -> bool:
        """Tell whether the caller still listens."""


class LocalContext(grpc.aio.ServicerContext[Any, Any]):
    """What a servicer knows about a call and can say beside its messages."""

    # As it is at first, in most calls also at last: in the class, since every call makes one of these.
    _code: StatusCode | None = None
    _details = ""
    _trailers: tuple[Pair, ...] = ()
    _initial_sent = False
    _status_sent = False
    _aborted: AbortError | None = None
    callbacks: tuple[Callable[[Any], None], ...] = ()
    _serialize: Callable[[Any], bytes] = bytes

    def __init__(self, caller: Caller, metadata: Any, deadline: float | None) -> None:
        self._caller = caller
        self._metadata = metadata
        self._deadline = deadline

    def call(self) -> Call:
        """Return the call that the servicer is in; as `Call.read` would, without reading."""
        if type(self._metadata) is Carried:
            return self._metadata.child(inf if self._deadline is None else self._deadline)
        return Call.read(self.invocation_metadata(), self.time_remaining())

    async def serve(
        self, handler: Handler, request: bytes, find: Callable[[], Awaitable[Handler]] | None = None
    ) -> None:
        """Run one method, or what `find` finds, to its end; everything it says goes to the caller."""
        try:
            if find is not None:
                handler = await find()
            if handler is None:
                await self.abort(StatusCode.UNIMPLEMENTED, "Method not found!")
            if handler.request_streaming:
                await self.abort(StatusCode.UNIMPLEMENTED, "The mesh has no client streams.")
            decode, encode = handler.request_deserializer, handler.response_serializer
            message = decode(request) if decode else request
            self._serialize = encode or bytes
            if handler.response_streaming:
                await self._serve_stream(handler.unary_stream(message, self))
                self._raise_for_termination()
            else:
                answer = await handler.unary_unary(message, self)
                if self._aborted is not None or self._status_sent:
                    self._raise_for_termination()
                if self._code is None or self._code is StatusCode.OK:
                    self._caller.take(self._serialize(answer))
            self._say_status(self._code or StatusCode.OK, self._details)
        except AbortError as error:
            if error is not self._aborted:
                raise
            # That one knows the servicer's frames, and they know us: a circle, on every call that fails.
            self._aborted = AbortError(*error.args)
        except Exception as error:  # a border: whatever a servicer raises ends its call, and only that
            log.exception("servicer raised an unexpected error")
            code = StatusCode.UNKNOWN if self._code in (None, StatusCode.OK) else self._code
            self._say_status(code or StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}")

    async def _serve_stream(self, produced: Any) -> None:
        if not hasattr(produced, "__aiter__"):
            await produced  # it writes its messages itself
            return
        async with aclosing(produced):
            async for message in produced:
                room = self._say(message)
                if room is not None:
                    await room

    def ended(self) -> None:
        """Run the done callbacks: the servicer's task is over."""
        for callback in self.callbacks:
            callback(self)

    async def write(self, message: Any) -> None:
        room = self._say(message)
        if room is not None:
            await room

    async def read(self) -> Any:
        message = "a call with one request has nothing more to read"
        raise UsageError(message)

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        self._raise_for_termination()
        if self._initial_sent:
            message = "Send initial metadata failed: already sent"
            raise UsageError(message)
        self._say_initial_metadata(pairs_of(initial_metadata))

    async def abort(self, code: StatusCode, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        if self._aborted is not None:
            message = "Abort already called!"
            raise UsageError(message)
        self._aborted = AbortError("Locally aborted.")
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        self._code = code
        self._details = details or self._details
        self._say_status(code, self._details)
        raise self._aborted

    async def abort_with_status(self, status: Any) -> NoReturn:
        await self.abort(status.code, status.details, status.trailing_metadata)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        if not isinstance(trailing_metadata, (tuple, list, grpc.aio.Metadata)):
            message = f"trailing metadata must be pairs, not {type(trailing_metadata).__name__}"
            raise TypeError(message)
        self._trailers = pairs_of(trailing_metadata)

    def trailing_metadata(self) -> Any:
        return self._trailers

    def invocation_metadata(self) -> Any:
        return pairs_of(self._metadata)

    @property
    def bare(self) -> bool:
        """Nothing was said beside the request but what every call carries."""
        return type(self._metadata) is Carried

    def set_code(self, code: StatusCode) -> None:
        self._code = code

    def code(self) -> Any:
        return self._code

    def set_details(self, details: str) -> None:
        self._details = details

    def details(self) -> str:
        return self._details

    def time_remaining(self) -> Any:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self.callbacks = (*self.callbacks, callback)

    def done(self) -> bool:
        return self._status_sent

    def cancelled(self) -> bool:
        return self._code is StatusCode.CANCELLED

    def peer(self) -> str:
        return "unix:"

    def peer_identities(self) -> Iterable[bytes] | None:
        return None

    def peer_identity_key(self) -> str | None:
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {}

    def set_compression(self, compression: grpc.Compression) -> None:
        """Does nothing: nothing is sent anywhere."""

    def disable_next_message_compression(self) -> None:
        """Does nothing: nothing is sent anywhere."""

    def _say(self, message: Any) -> asyncio.Future[None] | None:
        if self._aborted is not None or self._status_sent:
            self._raise_for_termination()
        if self._caller.done():
            text = "the caller has left"
            raise InternalError(text)
        if not self._initial_sent:
            self._say_initial_metadata(())
        return self._caller.take(self._serialize(message))

    def _say_initial_metadata(self, pairs: tuple[Pair, ...]) -> None:
        self._initial_sent = True
        self._caller.take_initial_metadata(pairs)

    def _say_status(self, code: StatusCode, details: str) -> None:
        self._status_sent = True
        self._caller.take_status(code, details, self._trailers)

    def _raise_for_termination(self) -> None:
        if self._aborted is not None:
            raise self._aborted  # a servicer that swallowed it does not get to say more
        if self._status_sent:
            message = "RPC already finished."
            raise UsageError(message)


def pairs_of(metadata: Any) -> tuple[Pair, ...]:
    """Return metadata, in any form grpc takes, as servicers and callers get it."""
    return tuple([Pair(key, value) for key, value in metadata]) if metadata else ()
