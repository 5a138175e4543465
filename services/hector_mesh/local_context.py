"""The servicer's side of a local call: grpc.aio.ServicerContext, and what runs the servicer under it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from math import inf
from typing import Any, NamedTuple, NoReturn, Protocol

import grpc
import grpc.aio
from grpc import StatusCode
from grpc.aio import AbortError, InternalError, UsageError

from .call import Call

log = logging.getLogger(__name__)

Handler = Any  # grpc's RpcMethodHandler, whose type does not know coroutines


WINDOW = 16
"""Messages a servicer may stream ahead of its reader."""


class Pair(NamedTuple):
    """One item of metadata, as servicers see it on the wire."""

    key: str
    value: str | bytes


class Ending(NamedTuple):
    """How a call ended."""

    code: StatusCode
    details: str
    trailers: tuple[Pair, ...] = ()


ENDED = Ending(StatusCode.OK, "")
"""Well, and with nothing else to say, as mostly."""


class Caller(Protocol):
    """Where a servicer's answer goes: the other side of the call."""

    has_left: bool
    """Nobody listens any more."""

    def take_initial_metadata(self, pairs: tuple[Pair, ...]) -> None:
        """Take what the servicer sent ahead of its first message."""

    def take(self, message: Any) -> asyncio.Future[None] | None:
        """Take a message; the future, if any, is done when the next one may come."""

    def take_together(self, messages: list[bytes]) -> asyncio.Future[None] | None:
        """Take some that are there at the same time, of WINDOW at most."""

    def takes(self, message: Any) -> bool:
        """Say whether a message is what the caller would make of its bytes."""

    def answer(self, message: Any) -> None:
        """Take the only message, and that this is all."""

    def take_end(self, ending: Ending) -> None:
        """Take the end. The first one counts."""

    def stopped(self) -> None:
        """Be told that the servicer was stopped."""

    def served(self) -> None:
        """Be told that the servicer is done, with this as with everything."""


class LocalContext(grpc.aio.ServicerContext[Any, Any]):
    """What a servicer knows about a call and can say beside its messages."""

    # As it is at first, in most calls also at last: in the class, since every call makes one of these.
    _code: StatusCode | None = None
    _details = ""
    _trailers: tuple[Pair, ...] = ()
    _is_plain = True
    """Nothing of the three was said, and nothing else about the end."""
    _initial_sent = False
    _status_sent = False
    _is_closed = False
    """No message may come any more: it was aborted, or its status was sent."""
    _aborted: AbortError | None = None
    callbacks: tuple[Callable[[Any], None], ...] = ()
    serialize: Callable[[Any], bytes] = bytes
    """Makes bytes of what the servicer says."""

    def __init__(
        self, caller: Caller, deadline: float | None, metadata: Any, parent: Call | None, instance: str
    ) -> None:
        """Stand between a servicer and its caller.

        Args:
            caller: Where the answer goes.
            deadline: When it has to be there, in seconds of time.monotonic().
            metadata: What came beside the request, in any form grpc takes.
            parent: In place of that: the call that this one is a child of, which is all that came.
            instance: The configured entry that the child is for.
        """
        self._caller = caller
        self._deadline = deadline
        self._metadata = metadata
        self._parent = parent
        self._instance = instance

    def call(self) -> Call:
        """Return the call that the servicer is in; as `Call.read` would, without reading."""
        parent, deadline = self._parent, self._deadline
        if parent is None:
            return Call.read(self.invocation_metadata(), self.time_remaining())
        return Call(
            parent.principal,
            parent.app,
            inf if deadline is None else deadline,
            parent.traceparent,
            parent.request_id,
            self._instance,
            parent.revision,
            parent.documents,
        )

    async def serve(self, find: Callable[[], Awaitable[Handler]], request: bytes) -> None:
        """Run the method that `find` finds to its end; everything it says goes to the caller."""
        try:
            handler = await find()
            if handler is None:
                await self.abort(StatusCode.UNIMPLEMENTED, "Method not found!")
            if handler.request_streaming:
                await self.abort(StatusCode.UNIMPLEMENTED, "The mesh has no client streams.")
            decode, encode = handler.request_deserializer, handler.response_serializer
            message = decode(request) if decode else request
            self.serialize = encode or bytes
            if handler.response_streaming:
                await self.say_all(handler.unary_stream(message, self))
                self.end()
            else:
                answer = await handler.unary_unary(message, self)
                self._raise_for_termination()
                self.answer(b"" if self._has_failed else self.serialize(answer))
        except asyncio.CancelledError:
            self.stopped()
            raise
        except Exception as error:  # a border: whatever a servicer raises ends its call, and only that
            self.failed(error)
        finally:
            self.over()

    def takes(self, message: Any) -> bool:
        """Say whether the caller takes a message as it is; otherwise it has to be made bytes."""
        return self._caller.takes(message)

    def answer(self, message: Any) -> None:
        """Say all there is to say to a caller who waits for one message: bytes, or what it `takes`."""
        if self._is_plain:
            self._status_sent = self._is_closed = True
            self._caller.answer(message)
            return
        self._raise_for_termination()
        if not self._has_failed:
            self._caller.take(message)
        self.end()

    def end(self) -> None:
        """Say that this was all, unless the servicer said how it ends."""
        if self._is_plain:
            self._status_sent = self._is_closed = True
            self._caller.take_end(ENDED)
            return
        self._raise_for_termination()
        self._say_status(self._code or StatusCode.OK, self._details)

    async def say_all(self, produced: Any) -> None:
        """Say the messages of what a method with many answers returned."""
        if not hasattr(produced, "__aiter__"):
            produced = await produced
            if produced is None:
                return  # it wrote its messages itself, as grpc's health servicer does
        try:
            async for message in produced:
                if type(message) is not list:
                    room = self.say(message)
                elif len(message) <= WINDOW:
                    room = self._say_together(message)
                else:
                    room = await self._say_many(message)
                if room is not None:
                    await room
                del message  # a stream that waits would keep it
        finally:
            await produced.aclose()

    def failed(self, error: Exception) -> None:
        """End with what was raised inside, if the end was not said by that."""
        if isinstance(error, AbortError):
            if error is self._aborted:
                # It knows the servicer's frames, and they know us: a circle, on every call that fails.
                self._aborted = AbortError(*error.args)
                return
        else:
            log.error("servicer raised an unexpected error", exc_info=error)
        code = StatusCode.UNKNOWN if self._code in (None, StatusCode.OK) else self._code
        self._say_status(code or StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}")

    def stopped(self) -> None:
        """End as a call does whose servicer was cancelled, if it has not ended."""
        self._caller.stopped()

    def over(self) -> None:
        """Let go of the caller: the servicer's task ends now, whatever became of it."""
        self._caller.served()
        if self.callbacks:
            asyncio.get_running_loop().call_soon(self._call_back)

    @property
    def _has_failed(self) -> bool:
        return self._code is not None and self._code is not StatusCode.OK

    def _call_back(self) -> None:
        for callback in self.callbacks:
            callback(self)

    async def write(self, message: Any) -> None:
        room = self.say(message)
        if room is not None:
            await room

    def say(self, message: Any) -> asyncio.Future[None] | None:
        """Say a message now; the future, if any, is done when there is room for the next one."""
        if self._is_closed or self._caller.has_left or not self._initial_sent:
            self._begin_saying()
        return self._caller.take(self.serialize(message))

    def _say_together(self, messages: list[Any]) -> asyncio.Future[None] | None:
        if self._is_closed or self._caller.has_left or not self._initial_sent:
            self._begin_saying()
        return self._caller.take_together(list(map(self.serialize, messages)))

    async def _say_many(self, messages: list[Any]) -> asyncio.Future[None] | None:
        room = None
        for at in range(0, len(messages), WINDOW):
            if room is not None:
                await room
            room = self._say_together(messages[at : at + WINDOW])
        return room

    def _begin_saying(self) -> None:
        if self._is_closed:
            self._raise_for_termination()
        if self._caller.has_left:
            text = "the caller has left"
            raise InternalError(text)
        self._say_initial_metadata(())

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
        self._aborted, self._is_closed, self._is_plain = AbortError("Locally aborted."), True, False
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
        self._trailers, self._is_plain = pairs_of(trailing_metadata), False

    def trailing_metadata(self) -> Any:
        return self._trailers

    def invocation_metadata(self) -> Any:
        if self._parent is not None:
            return pairs_of(self._parent.metadata(self._instance))
        return pairs_of(self._metadata)

    @property
    def bare(self) -> bool:
        """Nothing was said beside the request but what every call carries."""
        return self._parent is not None

    def set_code(self, code: StatusCode) -> None:
        self._code, self._is_plain = code, False

    def code(self) -> Any:
        return self._code

    def set_details(self, details: str) -> None:
        self._details, self._is_plain = details, False

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

    def _say_initial_metadata(self, pairs: tuple[Pair, ...]) -> None:
        self._initial_sent = True
        self._caller.take_initial_metadata(pairs)

    def _say_status(self, code: StatusCode, details: str) -> None:
        self._status_sent = self._is_closed = True
        self._caller.take_end(Ending(code, details, self._trailers))

    def _raise_for_termination(self) -> None:
        if self._aborted is not None:
            raise self._aborted  # a servicer that swallowed it does not get to say more
        if self._status_sent:
            message = "RPC already finished."
            raise UsageError(message)


def pairs_of(metadata: Any) -> tuple[Pair, ...]:
    """Return metadata, in any form grpc takes, as servicers and callers get it."""
    return tuple([Pair(key, value) for key, value in metadata]) if metadata else ()
